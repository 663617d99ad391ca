"""The recipe of a training, and the simulation that takes the place of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from amseg_keras.backend import PRECISIONS
from amseg_keras.classes import CLASS_NAMES, MELT_POOL
from amseg_keras.models.titles import TITLES
from amseg_keras.preprocess import Channels

if TYPE_CHECKING:
    from amseg_keras.simulate import Facility


class TrainingError(RuntimeError):
    """A training that cannot go on; the message says why and what to do.

    Example:
        >>> import tempfile
        >>> from amseg_keras.training import Recipe, Simulation, train
        >>> recipe = Recipe(network="amsegnet")
        >>> try:
        ...     train(Simulation(), tempfile.mkdtemp(), recipe, start_from="amsegnet-esrf-lite")
        ... except TrainingError as error:
        ...     print(str(error).partition(": ")[2])
        is a network amsegnet_lite, no amsegnet; give the recipe its network (--network, --width)
    """


ANNEALINGS = ("cosine", "plateau")
GREY_LEVELS = ("percentile", "specimen")


@dataclass(frozen=True)
class Recipe:
    """A training; the defaults are the paper's (section 3.1) where it says something.

    Attributes:
        network: Name out of `models.NETWORKS`.
        width: Number of filters of the network's first block; None for the network's own.
        channels: Input channels, as `preprocess.channels.Channels` knows them.
        grey_levels: Stretch of the grey levels, `"percentile"` or `"specimen"` as in
            `preprocess.GreyScaling`. A training that starts from a preset keeps the preset's grey
            levels and channels.
        blank: Share of the training frames whose motion channel is blank, so that one network
            serves movies and single frames.
        epochs: Passes through the training frames.
        batch_size: Frames in a batch, of all devices together.
        shape: Height and width that frames are cut or padded to for training; None: whole frames.
            Validation always looks at whole frames.
        learning_rate: Learning rate of Adam at the beginning.
        annealing: ``"cosine"``: down to 0 at the end, after a short warm-up; ``"plateau"``: halved
            whenever the validation has not gained for `patience / 3` epochs.
        weighted: Classes are weighted in the loss by the square root of their median frequency
            weight, at most 5 to 1: the paper weights them and does not say how.
        augment: ``"paper"``: a random tenth of the frames is cropped and added (section 2.3);
            ``"strong"``: see `datasets.strong_augmentation`; None: nothing.
        focus: Share of the cuts that are placed on a pixel of the frame's rarest class.
        repeat: Number of times that a frame is in an epoch, cut and augmented anew each time.
        clip_norm: Largest norm of a gradient.
        averaging: The weights that are validated and kept are averages over the last
            `1 / (1 - averaging)` steps; 0 keeps the weights themselves.
        patience: Stop after so many epochs without gain in the mean IoU of the validation.
        precision: A Keras dtype policy; ``"auto"``: mixed precision where the hardware has it.
        seed: Seed of the weights, the order, the cuts and the augmentation.

    Example:
        >>> Recipe(network="unet", epochs=20).learning_rate
        0.001
    """

    network: str = "amsegnet"
    width: int | None = None
    channels: tuple[str, ...] = ("frame",)
    grey_levels: Literal["percentile", "specimen"] = "percentile"
    blank: float = 0.4
    epochs: int = 100
    batch_size: int = 16
    shape: tuple[int, int] | None = (256, 512)
    learning_rate: float = 1e-3
    annealing: Literal["cosine", "plateau"] = "cosine"
    weighted: bool = True
    augment: Literal["paper", "strong"] | None = "paper"
    focus: float = 0.0
    repeat: int = 1
    clip_norm: float = 1.0
    averaging: float = 0.99
    patience: int = 30
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.network not in TITLES:
            raise ValueError(f"network is {self.network!r}, it must be one of {', '.join(TITLES)}")
        object.__setattr__(self, "channels", Channels(self.channels).names)
        if self.grey_levels not in GREY_LEVELS:
            raise ValueError(
                f"grey_levels is {self.grey_levels!r}, it must be one of {', '.join(GREY_LEVELS)}"
            )
        if self.width is not None and self.width < 1:
            raise ValueError(f"width is {self.width}, it must be at least 1")
        if not 0 <= self.blank <= 1:
            raise ValueError(f"blank is {self.blank}, it must be from 0 to 1")
        if self.annealing not in ANNEALINGS:
            raise ValueError(f"annealing is {self.annealing!r}, it must be cosine or plateau")
        if self.precision not in PRECISIONS:
            raise ValueError(
                f"precision is {self.precision!r}, it must be one of {', '.join(PRECISIONS)}"
            )
        for name in ("epochs", "batch_size", "repeat", "patience", "learning_rate", "clip_norm"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}, it must be above 0")
        if not 0 <= self.averaging < 1:
            raise ValueError(f"averaging is {self.averaging}, it must be at least 0 and below 1")
        if self.shape is not None and any(side <= 0 or side % 16 for side in self.shape):
            raise ValueError(f"shape is {self.shape}, its sides must be multiples of 16")


@dataclass(frozen=True)
class Phase:
    """A part of a training with a learning rate of its own.

    Attributes:
        epochs: Passes through the training frames.
        learning_rate: At its beginning.
        frozen: Layers whose names begin with one of these are not trained.
        frozen_norms: Batch norms keep their statistics and scale: on a handful of frames they would
            learn those frames by heart.
    """

    epochs: int
    learning_rate: float
    frozen: tuple[str, ...] = ()
    frozen_norms: bool = False


@dataclass(frozen=True)
class Progress:
    """How far a training has come.

    Attributes:
        epoch: Epochs that are finished.
        epochs: Epochs in all.
        step: Steps that are done in all.
        steps: Steps in all.
        loss: Loss of the last step.
        seconds_left: Estimated from the steps and validations so far; None before the first.
        finished_epoch: The row of an epoch that has just ended (see `TrainedRun.history`), else
            None.

    Example:
        >>> def show(done: Progress) -> None:
        ...     if done.finished_epoch is not None:
        ...         score = done.finished_epoch["mean_iou"]
        ...         print(f"{done.epoch} of {done.epochs} epochs, mean IoU {score:.3f}")
        >>> show(Progress(4, 100, 40, 1000, 0.81, 1800.0, {"mean_iou": 0.7123}))
        4 of 100 epochs, mean IoU 0.712

        In a training: `train(data, folder, progress=show)`.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    seconds_left: float | None
    finished_epoch: dict[str, Any] | None = None


TARGETS = 8
"""Labelled frames of each simulated recording: its background is paid for once."""

NO_REAL_FRAME = "no real frame was used"
"""Sentence on the card of a network that was trained on simulated frames alone."""

SEEN_POOLS: Mapping[str, Any] = MappingProxyType(
    {"liquid_lacking": (0.01, 0.08), "liquid_width": (0.4, 1.0), "liquid_edge_px": (1.0, 40.0)}
)
"""Ranges for networks that learn the melt pool. Otherwise four of five pools are too faint to be
labelled, and few are as round along the beam as that of `wall_movie`."""


@dataclass(frozen=True)
class Simulation:
    """A stream of simulated recordings in place of a data set.

    Attributes:
        facilities: Name of each facility of `simulate.FACILITIES`, and its share of the frames.
        frames: Number of frames in an epoch.
        crop: Height and width of windows that show the surface of the plate. Most of the training
            sees such windows: smooth gas and a smooth plate look alike without a surface. None
            trains on whole frames.
        whole_from: Share of the epochs after which the training sees whole frames.
        validation_frames: Number of frames of the first facility to validate on. The training
            never sees these frames.
        reuse: Number of times that a simulated frame is seen, cut and altered anew each time. An
            epoch simulates `frames / reuse` new frames and draws the others from earlier epochs.
        kept: Largest number of simulated frames on disk. The oldest frames go first.
        places: Facilities with ranges of your own, by names that `facilities` has.
        melt_pool: True to make liquid metal a sixth class, `melt pool`.
        coverage: True to cover more than the facilities: some recordings have another pixel size
            (1 to 6.5 um), and frames are zoomed (0.5 to 1.7) and blurred.

    Example:
        >>> str(Simulation({"esrf": 0.75, "aps": 0.25}))
        '75 % esrf, 25 % aps'
    """

    facilities: Mapping[str, float] = field(default_factory=lambda: {"esrf": 1.0})
    frames: int = 800
    crop: tuple[int, int] | None = (192, 256)
    whole_from: float = 0.85
    validation_frames: int = 24
    reuse: float = 4.0
    kept: int = 10_000
    coverage: bool = True
    melt_pool: bool = False
    places: Mapping[str, Facility] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.facilities or min(self.facilities.values()) <= 0:
            raise ValueError("facilities need shares above 0")
        if self.frames < 1 or self.validation_frames < 1:
            raise ValueError("an epoch and the validation need at least one frame")
        if self.reuse < 1:
            raise ValueError(f"reuse is {self.reuse}, it must be at least 1")
        if self.kept < self.frames / self.reuse:
            raise ValueError(
                f"kept is {self.kept}, it must be at least the {self.frames / self.reuse:.0f} new "
                "frames of an epoch (frames / reuse)"
            )

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in the order of their ids."""
        return (*CLASS_NAMES, MELT_POOL) if self.melt_pool else CLASS_NAMES

    def place(self, name: str) -> Facility:
        """Find a facility by its name, for the melt pool as a class one with `SEEN_POOLS`.

        Raises:
            ValueError: There is no such facility.
        """
        # The simulator needs OpenCV, which describing a simulation does not.
        from amseg_keras.simulate import FACILITIES, MeltRanges

        known = {**FACILITIES, **self.places}
        if name not in known:
            raise ValueError(f"{name!r} is no facility; there are {', '.join(known)}")
        place = known[name]
        if not (self.melt_pool and isinstance(place.ranges, MeltRanges)):
            return place
        return replace(place, ranges=replace(place.ranges, **SEEN_POOLS))

    @property
    def recordings_per_epoch(self) -> int:
        """Number of recordings that an epoch simulates."""
        return max(1, round(self.frames / self.reuse / TARGETS))

    def __str__(self) -> str:
        total = sum(self.facilities.values())
        return ", ".join(
            f"{share / total:.0%} {name}".replace("%", " %")
            for name, share in self.facilities.items()
        )
