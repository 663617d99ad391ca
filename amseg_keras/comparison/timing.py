"""Measure how fast networks train and segment, so that a busy machine slows all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd

from amseg_keras.backend import compile_options, is_out_of_memory
from amseg_keras.losses import DicePlusFocal
from amseg_keras.training import Recipe, TrainingError
from amseg_keras.training.optimizer import adam

REFERENCE = "unet"
"""The network that the times of the others are given relative to."""


@dataclass(frozen=True)
class Timing:
    """Settings of a timing: what is timed, and how often.

    Attributes:
        rounds: Number of times that each network trains a step and segments a frame.
        warm_up: Rounds before them that do not count, in which networks are compiled; 1 or more.
        batch_size: Frames of a training step.
        shape: Height and width of the frames in pixels; the default is the paper's.

    Raises:
        ValueError: A number is below 1, or a side of the frames is no multiple of 16.

    Example:
        >>> Timing(rounds=20, shape=(128, 256))
        Timing(rounds=20, warm_up=1, batch_size=2, shape=(128, 256))
        >>> Timing(shape=(250, 500))
        Traceback (most recent call last):
        ValueError: shape is (250, 500), its sides must be multiples of 16
    """

    rounds: int = 5
    warm_up: int = 1
    batch_size: int = 2
    shape: tuple[int, int] = (256, 512)

    def __post_init__(self) -> None:
        for name in ("rounds", "warm_up", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, it must be 1 or more")
        if any(side <= 0 or side % 16 for side in self.shape):
            raise ValueError(f"shape is {self.shape}, its sides must be multiples of 16")


def time_networks(
    models: Mapping[str, keras.Model],
    timing: Timing | None = None,
    recipe: Recipe | None = None,
    progress: Callable[[int, int], None] = lambda done, rounds: None,
) -> pd.DataFrame:
    """Time a training step and the segmentation of a frame, all networks in turn in each round.

    In a round each network trains one step of `timing.batch_size` frames, with loss, optimizer and
    compilation of `train`, and segments one frame. What else the machine does changes from minute
    to minute and falls on all networks of a round: compare within rounds, as `summarise_times`
    does.

    Args:
        models: Networks by name; they are compiled and trained a few steps. All are in memory at
            once: with the five of Table 2, a process on TensorFlow's CPU has up to 7.4 GB.
        timing: Settings of the timing; defaults to five rounds at 256 x 512 pixels.
        recipe: Recipe of the optimizer; defaults to the paper's.
        progress: Function called with the rounds done and all rounds, warm-up included.

    Returns:
        A row for each network and round: `round` (from 0), `network`, `training_s` (seconds of a
        step divided by its frames), `segmentation_s` (seconds for one frame).

    Raises:
        TrainingError: The memory is not enough for all of them at once.

    Example:
        >>> frames = keras.Input((None, None, 1))
        >>> scores = keras.layers.Conv2D(5, 1, activation="softmax")(frames)
        >>> models = {"smallest": keras.Model(frames, scores)}
        >>> times = time_networks(models, Timing(rounds=2, shape=(16, 32)))
        >>> list(times.columns), len(times)
        (['round', 'network', 'training_s', 'segmentation_s'], 2)
    """
    timing = timing or Timing()
    recipe = recipe or Recipe()
    rounds = timing.warm_up + timing.rounds
    rows = []
    try:
        timed = {name: _Timed(model, timing, recipe) for name, model in models.items()}
        for number in range(-timing.warm_up, timing.rounds):
            for name, network in timed.items():
                row = {
                    "round": number,
                    "network": name,
                    "training_s": network.training_seconds() / timing.batch_size,
                    "segmentation_s": network.segmentation_seconds(),
                }
                if number >= 0:
                    rows.append(row)
            progress(number + timing.warm_up + 1, rounds)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise TrainingError(
            f"too little memory to time {len(models)} networks at once, each with "
            f"{timing.batch_size} frames of {timing.shape[0]} x {timing.shape[1]} pixels; compare "
            "fewer networks at once"
        ) from error
    return pd.DataFrame(rows)


def summarise_times(times: pd.DataFrame, reference: str = REFERENCE) -> pd.DataFrame:
    """Compute medians over the rounds.

    Args:
        times: Times from `time_networks`.
        reference: Network that the ratios are taken to, in each round.

    Returns:
        A row for each network, by its name: `training_s_per_frame`, `segmentation_ms_per_frame`;
        `training_ratio` and `segmentation_ratio`, the medians over the rounds of its time divided
        by the time of the reference, NaN if the reference was not timed.

    Example:
        In the second round the machine was busy:

        >>> times = pd.DataFrame(
        ...     [(0, "unet", 4.0, 0.4), (0, "small", 1.0, 0.1), (1, "unet", 8.0, 0.8),
        ...      (1, "small", 2.0, 0.2)],
        ...     columns=["round", "network", "training_s", "segmentation_s"],
        ... )
        >>> summarise_times(times).T
        network                     unet   small
        training_s_per_frame         6.0    1.50
        segmentation_ms_per_frame  600.0  150.00
        training_ratio               1.0    0.25
        segmentation_ratio           1.0    0.25
    """
    names = list(dict.fromkeys(times["network"]))
    columns = {}
    for kind, column, unit in (
        ("training", "training_s_per_frame", 1.0),
        ("segmentation", "segmentation_ms_per_frame", 1e3),
    ):
        seconds = times.pivot(index="round", columns="network", values=f"{kind}_s")[names]
        columns[column] = unit * seconds.median()
        if reference in names:
            columns[f"{kind}_ratio"] = seconds.div(seconds[reference], axis=0).median()
        else:
            columns[f"{kind}_ratio"] = pd.Series(np.nan, seconds.columns)
    order = [
        "training_s_per_frame",
        "segmentation_ms_per_frame",
        "training_ratio",
        "segmentation_ratio",
    ]
    return pd.DataFrame(columns)[order]


class _Timed:
    """A network with what it is timed on: how long it takes does not depend on what it sees."""

    def __init__(self, model: keras.Model, timing: Timing, recipe: Recipe) -> None:
        rng = np.random.default_rng(0)
        batch = (timing.batch_size, *timing.shape)
        self._images = rng.random((*batch, 1), np.float32)
        self._labels = rng.integers(0, model.output_shape[-1], batch, np.int32)
        self._model = model
        optimizer = adam(recipe.learning_rate, recipe)
        model.compile(optimizer=optimizer, loss=DicePlusFocal(), **compile_options())

    def training_seconds(self) -> float:
        """Return the seconds of one step."""
        began = time.perf_counter()
        self._model.train_on_batch(self._images, self._labels)
        # A GPU may still be at work when the loss is known; the first layer is changed last.
        keras.ops.convert_to_numpy(self._model.trainable_variables[0])
        return time.perf_counter() - began

    def segmentation_seconds(self) -> float:
        """Return the seconds of one frame."""
        began = time.perf_counter()
        self._model.predict_on_batch(self._images[:1])
        return time.perf_counter() - began
