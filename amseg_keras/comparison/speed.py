"""Measure how fast networks segment on each engine, and how well they use the machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd

from amseg_keras.backend import accelerators, best_precision
from amseg_keras.engines.choose import compile_engine
from amseg_keras.engines.engine import installed, need
from amseg_keras.engines.graph import Rewritten
from amseg_keras.models.cost import macs
from amseg_keras.models.networks import NETWORKS
from amseg_keras.models.titles import TITLES
from amseg_keras.preprocess import GreyScaling
from amseg_keras.pretrained import find_preset, list_presets
from amseg_keras.pretrained.preset import read_info, read_model
from amseg_keras.read import open_stack

PREDICT = "predict"
"""Keras' own `predict` of the network as it was trained: what engines are compared with."""

TRAINED = {"amsegnet": "amsegnet-esrf", "amsegnet-lite": "amsegnet-esrf-lite"}
"""Presets of networks: integers are accepted or not by what a trained network finds."""

_SAMPLE = "sample:esrf-lpbf"
_CALIBRATION = 8


@dataclass(frozen=True)
class Case:
    """A network on an engine.

    Attributes:
        network: Name out of `models.NETWORKS`.
        engine: Name out of `engines.ENGINES`, or `PREDICT`.
        precision: Number format of the computation, as ``"bfloat16"``.
        run: Labels frames, float32 `(batch, height, width, 1)`.
    """

    network: str
    engine: str
    precision: str
    run: Callable[[np.ndarray], object]


def timed_networks(
    networks: Sequence[str], engines: Sequence[str], shape: tuple[int, int]
) -> tuple[list[Case], list[str]]:
    """Make each network on each engine, with notes on engines that are not exact.

    Args:
        networks: Names out of `models.NETWORKS`. Networks with a preset in the package are trained.
        engines: Names out of `engines.ENGINES` except ``"auto"``, or `PREDICT`.

    Raises:
        EngineMissingError: The package of an engine is not installed.
        ValueError: An engine cannot run here.
    """
    cases, notes = [], []
    for name in networks:
        model = network(name)
        rewritten = Rewritten(model)
        for engine in engines:
            if engine == PREDICT:
                cases.append(Case(name, engine, "float32", _predict(model)))
                continue
            compiled = compile_engine(rewritten, engine, frames_of(shape, _CALIBRATION))
            if compiled.refused is None:
                ready = compiled.engine
                cases.append(Case(name, engine, ready.precision, ready.labels))
            if compiled.refused or compiled.equal_labels is not None:
                notes.append(f"{TITLES[name]}: {compiled.refused or compiled}.")
    return cases, notes


def network(name: str) -> keras.Model:
    """Make a network, with trained weights where the package has a preset for it."""
    preset = TRAINED.get(name)
    if preset not in list_presets():
        return NETWORKS[name]()
    folder = find_preset(preset)
    return read_model(folder, read_info(folder))


def frames_of(shape: tuple[int, int], count: int) -> np.ndarray:
    """Return scaled frames of the sample in the package, repeated to a size.

    Returns:
        float32 `(count, height, width, 1)`.
    """
    with open_stack(_SAMPLE) as stack:
        grey_range = GreyScaling().measure(stack)
        scaled = np.stack([grey_range.apply(stack[n % len(stack)]) for n in range(count)])
    tiles = [-(-side // have) for side, have in zip(shape, scaled.shape[1:], strict=True)]
    return np.tile(scaled, (1, *tiles))[:, : shape[0], : shape[1], None]


def _predict(model: keras.Model) -> Callable[[np.ndarray], object]:
    return lambda frames: model.predict(frames, batch_size=len(frames), verbose=0).argmax(axis=-1)


_SIDE = 2048
_PRODUCTS = 6
_OPERATIONS = _PRODUCTS * 2 * _SIDE**3


@dataclass(frozen=True)
class Peak:
    """Six matrix products of 2048 x 2048 numbers in a row, to be timed beside the networks."""

    precision: str
    run: Callable[[], object]

    def giga_operations_per_second(self) -> float:
        """Measure multiplications and additions, in 1e9 a second."""
        began = time.perf_counter()
        self.run()
        return _OPERATIONS / (time.perf_counter() - began) / 1e9


def measurable_peaks() -> list[Peak]:
    """Measure the peak of each precision that this machine has.

    On a GPU or TPU Keras computes, else OpenVINO; without OpenVINO NumPy computes in float32.
    """
    if accelerators():
        mixed = best_precision().removeprefix("mixed_")
        return [_by_keras("float32"), _by_keras(mixed)]
    if installed("openvino"):
        return [_by_openvino("float32", "f32"), _by_openvino("bfloat16", "bf16")]
    return [_by_numpy()]


def _by_keras(precision: str) -> Peak:
    rng = np.random.default_rng(0)
    a = keras.ops.convert_to_tensor(rng.normal(0, _SIDE**-0.5, (_SIDE, _SIDE)), precision)

    def run() -> object:
        found = a
        for _ in range(_PRODUCTS):
            found = keras.ops.matmul(found, a)
        # Only what is wanted here is waited for.
        return keras.ops.convert_to_numpy(found[0, 0])

    return Peak(precision, run)


def _by_numpy() -> Peak:
    a = np.random.default_rng(0).random((_SIDE, _SIDE), np.float32)
    return Peak("float32", lambda: [a @ a for _ in range(_PRODUCTS)])


def _by_openvino(precision: str, hint: str) -> Peak:
    openvino, ops = need("openvino"), need("openvino.opset13")
    rng = np.random.default_rng(0)
    given = ops.parameter([_SIDE, _SIDE], np.float32)
    found = given
    for _ in range(_PRODUCTS):
        # Constants, as the weights of a network are.
        kernel = ops.constant(rng.normal(0, _SIDE**-0.5, (_SIDE, _SIDE)).astype(np.float32))
        found = ops.matmul(found, kernel, False, False)
    options = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"}
    model = openvino.Model([found], [given])
    request = openvino.Core().compile_model(model, "CPU", options).create_infer_request()
    value = rng.normal(size=(_SIDE, _SIDE)).astype(np.float32)
    return Peak(precision, lambda: request.infer([value]))


_BASELINE = ("amsegnet", PREDICT)


def measure_speed(
    cases: Sequence[Case],
    peaks: Sequence[Peak],
    shapes: Sequence[tuple[int, int]],
    batch_sizes: Sequence[int],
    rounds: int,
    progress: Callable[[int, int], None] = lambda done, all_rounds: None,
) -> pd.DataFrame:
    """Time all cases in turn, round after round, after one round that does not count.

    What else the machine does falls on all cases of a round alike: compare within rounds, as
    `summarise_speed` does.

    Args:
        peaks: Matrix products that are timed in each round too.
        shapes: Heights and widths of frames, multiples of 16.
        progress: Function called with the rounds done and all rounds.

    Returns:
        A row for each round, case, shape and batch size: `round`, `network`, `engine`,
        `precision`, `height`, `width`, `batch`, `seconds` (for a frame), and a column
        `peak_<precision>` (1e9 operations a second, of this round).
    """
    rows = []
    frames = {shape: frames_of(shape, max(batch_sizes)) for shape in shapes}
    for number in range(-1, rounds):
        found = {f"peak_{p.precision}": p.giga_operations_per_second() for p in peaks}
        for shape in shapes:
            for batch in batch_sizes:
                for case in cases:
                    began = time.perf_counter()
                    case.run(frames[shape][:batch])
                    seconds = (time.perf_counter() - began) / batch
                    where = {"height": shape[0], "width": shape[1], "batch": batch}
                    row = {"round": number, "network": case.network, "engine": case.engine}
                    row["precision"] = case.precision
                    if number >= 0:
                        rows.append(row | where | {"seconds": seconds} | found)
        progress(number + 2, rounds + 1)
    return pd.DataFrame(rows)


def summarise_speed(times: pd.DataFrame) -> pd.DataFrame:
    """Compute medians over the rounds, and how well they use the machine.

    Args:
        times: Times from `measure_speed`.

    Returns:
        A row for each network, engine, shape and batch size: `ms_per_frame`; `faster`, how many
        times faster than `predict` of AM-SegNet on the same frames, the median of the ratios
        within rounds, NaN where that was not timed; `gmac_per_second`, of the network as it is
        drawn, whatever was rewritten; `of_peak`, the same as a share of the matrix product of that
        precision, NaN where there is none.

    Example:
        >>> times = pd.DataFrame(
        ...     [(0, "amsegnet", "predict", "float32", 256, 512, 1, 0.4, 200.0),
        ...      (0, "amsegnet", "openvino", "float32", 256, 512, 1, 0.2, 200.0)],
        ...     columns=["round", "network", "engine", "precision", "height", "width", "batch",
        ...              "seconds", "peak_float32"],
        ... )
        >>> summarise_speed(times)[["engine", "ms_per_frame", "faster"]].values.tolist()
        [['predict', 400.0, 1.0], ['openvino', 200.0, 2.0]]
    """
    where = ["height", "width", "batch"]
    is_base = (times["network"] == _BASELINE[0]) & (times["engine"] == _BASELINE[1])
    base = times[is_base].set_index(["round", *where])["seconds"].rename("base")
    joined = times.join(base, on=["round", *where])
    joined["faster"] = joined["base"] / joined["seconds"]
    groups = joined.groupby(["network", "engine", "precision", *where], sort=False)
    table = groups[["seconds", "faster"]].median().reset_index()
    table["ms_per_frame"] = 1e3 * table["seconds"]
    costs = _costs(table)
    table["gmac_per_second"] = costs / table["seconds"]
    peaks = table["precision"].map(lambda precision: _peak(times, precision))
    table["of_peak"] = 2 * table["gmac_per_second"] / peaks
    return table.drop(columns="seconds")


def _costs(table: pd.DataFrame) -> pd.Series:
    """Compute the GMAC of a frame for each row."""
    models: Mapping[str, object] = {name: network(name) for name in table["network"].unique()}
    known: dict[tuple[str, int, int], float] = {}
    for name, height, width in zip(table["network"], table["height"], table["width"], strict=True):
        key = (name, height, width)
        if key not in known:
            known[key] = macs(models[name], (height, width)) / 1e9
    keys = zip(table["network"], table["height"], table["width"], strict=True)
    return pd.Series([known[key] for key in keys], table.index)


def _peak(times: pd.DataFrame, precision: str) -> float:
    column = f"peak_{precision}"
    return float(times[column].max()) if column in times else float("nan")
