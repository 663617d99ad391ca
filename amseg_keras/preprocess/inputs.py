"""Make the input of a network, frame by frame: grey levels, the motion channel, and scale."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from amseg_keras.preprocess.background_policy import Backgrounds
from amseg_keras.preprocess.grey import GreyRange
from amseg_keras.read import Frames

SMALLEST_SCALE, LARGEST_SCALE = 0.1, 10.0
"""Factors beyond are mistakes: in the pixel size, for example."""

NEAR_ONE = 0.05
"""Frames keep their size if their pixel size differs less than this from the training's."""


def scale_between(pixel_size_um: float | None, trained_um: float | None) -> float:
    """Compute the factor that gives frames the pixel size of the training.

    Args:
        pixel_size_um: Size of a pixel of the frames, in um; `None` if it is not known.
        trained_um: Size of a pixel of the training frames, in um; `None` if it is not known.

    Returns:
        Enlargement of the frames; 1 where one of both is not known, or both differ by less than
        5 %.

    Raises:
        ValueError: The factor is below 0.1 or above 10.

    Example:
        >>> scale_between(2.0, 4.0), scale_between(None, 4.0), scale_between(4.1, 4.0)
        (0.5, 1.0, 1.0)
    """
    if pixel_size_um is None or trained_um is None:
        return 1.0
    factor = pixel_size_um / trained_um
    return 1.0 if abs(factor - 1) < NEAR_ONE else checked_scale(factor)


def checked_scale(factor: float) -> float:
    """Give a factor back that is possible.

    Raises:
        ValueError: It is below 0.1 or above 10.
    """
    if not SMALLEST_SCALE <= factor <= LARGEST_SCALE:
        raise ValueError(
            f"a scale of {factor:g} is not possible; take a factor from {SMALLEST_SCALE:g} to "
            f"{LARGEST_SCALE:g}: 2 makes frames twice as high and wide"
        )
    return float(factor)


def scaled_shape(shape: tuple[int, ...], factor: float) -> tuple[int, int]:
    """Compute height and width of a frame after scaling, at least one pixel each.

    Example:
        >>> scaled_shape((100, 201), 0.5)
        (50, 100)
    """
    height, width = (max(round(side * factor), 1) for side in shape[-2:])
    return height, width


def rescale(frame: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Resample a frame: averages over areas along sides that shrink, cubic where it grows.

    Args:
        frame: `(height, width)`, any real dtype.
        shape: Wanted height and width in pixels.

    Returns:
        float32 of the wanted shape.

    Example:
        >>> rescale(np.array([[1, 3, 5, 7], [1, 3, 5, 7]], "uint16"), (1, 2))
        array([[2., 6.]], dtype=float32)
    """
    if frame.shape == shape:
        return np.asarray(frame, np.float32)
    shrinks = shape[0] < frame.shape[0] or shape[1] < frame.shape[1]
    how = Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC
    image = Image.fromarray(np.ascontiguousarray(frame, np.float32))
    return np.asarray(image.resize((shape[1], shape[0]), how))


def labels_of_shape(labels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Bring labels to a shape: each pixel takes the label at its centre.

    Args:
        labels: `(height, width)`, any dtype.
        shape: Wanted height and width in pixels.

    Example:
        >>> labels_of_shape(np.array([[1, 2]], "uint8"), (2, 4)).tolist()
        [[1, 1, 2, 2], [1, 1, 2, 2]]
    """
    rows, columns = (
        np.minimum((np.arange(wanted) + 0.5) * has / wanted, has - 1).astype(int)
        for wanted, has in zip(shape, labels.shape, strict=True)
    )
    return np.asarray(labels[rows[:, None], columns])


SIGMAS = 10.0
"""A change of this many robust standard deviations reaches the end of the channel."""

QUIETEST = 0.002
"""Smallest standard deviation of a log ratio: the rounding of 8-bit frames of middle grey."""

DARKEST = 0.01
"""Grey levels below this fraction of the background's mean count as this fraction."""

ROWS = 1024
"""Rows of a frame that are scaled at once."""

NO_LIGHT = 1e-20
"""Backgrounds that are darker have no grey levels to compare with."""


class Behind:
    """A background made ready for the motion of many frames, which saves a third of the time.

    Args:
        background: Grey levels without what moves, `(height, width)`.

    Attributes:
        darkest: Grey level as which darker ones count, float32; `None` without any light.
        levels: Grey levels of the background, none below the darkest, float32.

    Example:
        >>> ready = Behind(np.full((2, 3), 100.0))
        >>> float(ready.darkest), ready.levels.shape
        (1.0, (2, 3))
    """

    def __init__(self, background: np.ndarray) -> None:
        behind = np.asarray(background, np.float32)
        mean = np.maximum(behind, 0).mean(dtype=np.float64).astype(np.float32)
        darkest = np.float32(DARKEST) * mean
        self.darkest = darkest if darkest > NO_LIGHT else None
        self.levels = behind if self.darkest is None else np.maximum(behind, darkest)


def motion(frame: np.ndarray, background: np.ndarray | Behind | None) -> np.ndarray:
    """Compute what moves: the log ratio of a frame to its background, over ten standard deviations.

    The frame's own median is subtracted first, so that a flicker of the beam is no motion. The
    standard deviation is 1.4826 times the median absolute deviation. Both are taken on every second
    row and column of the whole frame, without pixels that equal their background exactly: saturated
    gas and a constant border have no noise. Grey levels below 1 % of the background's mean count as
    1 %, so that zeros and negative corrected counts are no infinite change.

    Args:
        frame: Grey levels, `(height, width)`, any real dtype.
        background: Grey levels without what moves, same shape, as they are or made ready; `None`
            if there are none.

    Returns:
        float32 of the same shape, from -1 (darker) to 1 (brighter); 0 everywhere without a
        background.

    Raises:
        ValueError: The shapes differ.

    Example:
        >>> plate = np.random.default_rng(0).normal(1000, 10, (64, 64))
        >>> frame = plate + np.random.default_rng(1).normal(0, 10, plate.shape)
        >>> frame[20:24, 30:34] += 300  # a new pore
        >>> moved = motion(frame, plate)
        >>> float(moved[22, 32]), bool(np.abs(moved[40:]).max() < 0.5)
        (1.0, True)
        >>> float(np.abs(motion(frame, None)).max())
        0.0
    """
    if background is None:
        return np.zeros(frame.shape, np.float32)
    behind = background if isinstance(background, Behind) else Behind(background)
    if np.shape(frame) != behind.levels.shape:
        raise ValueError(
            f"a frame of {np.shape(frame)} and a background of {behind.levels.shape} pixels differ"
        )
    if behind.darkest is None:
        return np.zeros(frame.shape, np.float32)
    # `clip` takes a third of the time of `maximum`, which gives the same.
    ratio = np.clip(np.asarray(frame, np.float32), behind.darkest, np.float32(np.inf))
    ratio /= behind.levels
    change = np.log(ratio, out=ratio)
    some = change[::2, ::2]
    some = some[some != 0]
    if not some.size:
        return np.zeros(frame.shape, np.float32)
    middle = _median(some)
    sigma = 1.4826 * float(_median(np.abs(some - middle)))
    change -= middle
    change *= np.float32(1 / (SIGMAS * max(sigma, QUIETEST)))
    return np.asarray(np.clip(change, -1, 1, out=change))


def _median(values: np.ndarray) -> np.float32:
    """Compute `np.median` of finite values, in half the time where many values are equal."""
    half = len(values) // 2
    parted = np.partition(values, half)
    if len(values) % 2:
        return np.float32(parted[half])
    return np.float32((parted[:half].max() + parted[half]) / 2)


HOW = {"frame": "grey_levels", "motion": "log_ratio_to_background_10_sigma"}
"""Name of each channel, and how it is made, as `preprocessing.json` says it."""


@dataclass(frozen=True)
class Channels:
    """Make the input of a network from a frame and its background.

    `"frame"` holds the scaled grey levels. `"motion"` holds the change against the background (see
    `motion`): 0 at a loss of ten standard deviations of the noise, the middle of the input where
    nothing moved, the upper end at a gain of ten. Without a background it holds the middle
    everywhere.

    Args:
        names: Names of the channels in their order, `"frame"` first.

    Raises:
        ValueError: A name is unknown or repeats, or the first is not `"frame"`.

    Example:
        >>> frame = np.full((32, 48), 200, "uint16")
        >>> grey_range = GreyRange(100, 300, 1.0)
        >>> Channels().make(frame, grey_range).shape
        (32, 48, 1)
        >>> both = Channels(("frame", "motion"))
        >>> both.make(frame, grey_range, background=frame)[0, 0]
        array([0.5, 0.5], dtype=float32)
    """

    names: tuple[str, ...] = ("frame",)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        unknown = [name for name in self.names if name not in HOW]
        if unknown:
            raise ValueError(
                f"no input channel is called {unknown[0]!r}; there are {', '.join(HOW)}"
            )
        if self.names[:1] != ("frame",) or len(set(self.names)) != len(self.names):
            raise ValueError(
                f"input channels {', '.join(self.names) or 'none'}: the first must be frame, and "
                "each may be there once"
            )

    def __len__(self) -> int:
        return len(self.names)

    def __str__(self) -> str:
        return " + ".join(self.names)

    @property
    def has_motion(self) -> bool:
        """True if the network has a motion channel, which needs a background."""
        return "motion" in self.names

    def make(
        self,
        frame: np.ndarray,
        grey_range: GreyRange,
        background: np.ndarray | Behind | None = None,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """Make the channels of one frame.

        Args:
            frame: Grey levels as recorded, `(height, width)`, any real dtype.
            grey_range: Grey levels of the stack, from `GreyScaling.measure`.
            background: Grey levels without what moves, same shape, as they are or made ready;
                `None` for a blank motion.
            out: Array to fill and to return; by default a new one.

        Returns:
            float32 `(height, width, channels)`, each channel from 0 to `grey_range.top`.

        Raises:
            ValueError: The background has another shape than the frame.
        """
        made = np.empty((*frame.shape, len(self.names)), np.float32) if out is None else out
        for top in range(0, len(frame), ROWS):
            made[top : top + ROWS, :, 0] = grey_range.apply(frame[top : top + ROWS])
        if self.has_motion:
            place = self.names.index("motion")
            half = np.float32(grey_range.top / 2)
            if background is None:
                made[..., place] = half
            else:
                moved = motion(frame, background)
                moved *= half
                moved += half
                made[..., place] = moved
        return made

    def description(self) -> list[dict[str, str]]:
        """Describe each channel in plain values, as `preprocessing.json` holds them.

        Example:
            >>> Channels(("frame",)).description()
            [{'name': 'frame', 'made': 'grey_levels'}]
        """
        return [{"name": name, "made": HOW[name]} for name in self.names]

    @classmethod
    def from_description(cls, described: Sequence[Any]) -> Channels:
        """Read what `description` gives.

        Raises:
            ValueError: It describes a channel that this version cannot make.
        """
        if not isinstance(described, list) or not all(isinstance(one, dict) for one in described):
            raise ValueError("channels is no list of objects")
        channels = cls(tuple(str(one.get("name")) for one in described))
        for one in described:
            if one.get("made") != HOW[str(one["name"])]:
                raise ValueError(
                    f"the channel {one['name']} is made by {str(one.get('made'))[:60]!r}, which "
                    "this version of amseg-keras does not know; update it"
                )
        return channels


class Inputs:
    """Input of a network, made from the frames of one stack.

    Args:
        frames: The stack, `(frames, height, width)`.
        channels: The channels that the network takes.
        grey_range: Grey levels of the stack, from `GreyScaling.measure`.
        backgrounds: Backgrounds of the frames; `None` leaves the motion channel blank.
        scale: Factor by which frames and backgrounds are enlarged first.

    Attributes:
        frames: The stack.
        scale: The factor.
        frame_shape: Height and width of the network's input, in pixels.

    Example:
        >>> from amseg_keras.preprocess import BackgroundPolicy, GreyScaling
        >>> stack = np.random.default_rng(0).normal(1000, 10, (40, 32, 48))
        >>> inputs = Inputs(
        ...     stack,
        ...     Channels(("frame", "motion")),
        ...     GreyScaling().measure(stack),
        ...     BackgroundPolicy().of_stack(stack),
        ... )
        >>> inputs.make(7).shape
        (32, 48, 2)
        >>> inputs.record()["background"]
        'recording'
    """

    def __init__(
        self,
        frames: Frames,
        channels: Channels,
        grey_range: GreyRange,
        backgrounds: Backgrounds | None = None,
        scale: float = 1.0,
    ) -> None:
        self.frames = frames
        self.channels = channels
        self.grey_range = grey_range
        self.backgrounds = backgrounds if channels.has_motion else None
        self.scale = scale
        own = frames.shape[1:]
        self.frame_shape = (own[0], own[1]) if scale == 1 else scaled_shape(own, scale)
        self._ready: tuple[np.ndarray, Behind] | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on the input for the reader of the labels, a sentence each."""
        if not self.channels.has_motion:
            return ()
        if self.backgrounds is None:
            return ("the motion channel is blank: there is no background",)
        return self.backgrounds.notes

    def record(self) -> dict[str, Any]:
        """Describe channels, background and scale in plain values, for the record of a run."""
        made: dict[str, Any] = {"channels": list(self.channels.names), "scale": self.scale}
        return made | ({} if self.backgrounds is None else self.backgrounds.record())

    def settings(self) -> dict[str, Any]:
        """List what of the input changes the labels, in plain values: background and scale."""
        chosen = None if self.backgrounds is None else str(self.backgrounds.policy)
        return {"background": chosen, "scale": self.scale}

    def load(self) -> None:
        """Read now what is read of the whole stack, before its frames are read one by one."""
        if self.backgrounds is not None:
            self.backgrounds.load()

    def reading(self, frames: Frames) -> Inputs:
        """Give the same inputs, of frames that are read through another view of the stack.

        Args:
            frames: Frames to read in place of the stack's, for example the stack read ahead.
        """
        same = copy.copy(self)
        same.frames = frames
        if same.backgrounds is not None:
            same.backgrounds.frames = frames
        return same

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Read a frame and its background, as recorded.

        Raises:
            ReadError: The frame cannot be read.
        """
        frame = self.frames[index]
        return frame, None if self.backgrounds is None else self.backgrounds.of(index)

    def make_of(
        self, frame: np.ndarray, background: np.ndarray | None, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Make the input of a frame that was read: float32 `(height, width, channels)`.

        Args:
            frame: Grey levels as recorded, `(height, width)`.
            background: Background of the frame, of the same shape, or `None`.
            out: Array to fill and to return; by default a new one.
        """
        if self.scale != 1:
            frame = rescale(frame, self.frame_shape)
        behind = None if background is None else self._make_ready(background)
        return self.channels.make(frame, self.grey_range, behind, out)

    def make(self, index: int) -> np.ndarray:
        """Make the input of a frame: float32 `(height, width, channels)`.

        Raises:
            ReadError: The frame cannot be read.
        """
        return self.make_of(*self.read(index))

    def _make_ready(self, background: np.ndarray) -> Behind:
        # Most frames have the background of the frame before.
        if self._ready is None or self._ready[0] is not background:
            scaled = background if self.scale == 1 else rescale(background, self.frame_shape)
            self._ready = background, Behind(scaled)
        return self._ready[1]
