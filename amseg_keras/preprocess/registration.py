"""Registration: how far frames moved on the detector, and moving them back onto one another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from amseg_keras.preprocess.lazy import LazyFrames, readable, spread
from amseg_keras.read import Frames

# SciPy is imported where it is used: it takes long.

UPSAMPLING = 20
"""Shifts are found in steps of 1/20 of a pixel."""

HIGH_PASS_PX = 8.0
"""Wider structures, such as the beam's profile, do not take part in finding a shift."""

SMALLEST_SIDE = 16

LEAST_CORRELATION = 0.2
"""Lowest quality of a match that is not one of noise."""


def find_shift(frame: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Find the shift that puts a frame on the reference.

    Cross-correlation of the texture, refined around its maximum by a Fourier sum in steps of
    1/20 px (Guizar-Sicairos et al., Optics Letters 33, 156, 2008), without the division by
    amplitudes, in which noise would count as much as texture. What moves by itself, keyhole
    and spatter, must not pull the result along: structures wider than 8 px are taken away and
    contrasts cut off at three robust standard deviations, so that a bright keyhole weighs no more
    than plain texture of its area. The borders are faded out.

    The pattern of the detector stands still while the sample shakes and pulls shifts towards 0:
    correct the flat field first. A background division takes the texture away: register before it.

    Args:
        frame: `(height, width)`, at least 16 x 16, any real dtype.
        reference: same shape.

    Returns:
        Rows down and columns to the right, in pixels, for `move`; NaN if the two frames have too
        little in common to tell (a correlation under 0.2), as two frames of mere noise.

    Raises:
        ValueError: the shapes differ, or a side is under 16 pixels.

    Example:
        >>> texture = np.random.default_rng(0).normal(100, 9, (64, 96))
        >>> find_shift(np.roll(texture, (-2, 3), axis=(0, 1)), texture)
        (2.0, -3.0)
    """
    if frame.shape != reference.shape:
        raise ValueError(f"cannot register {frame.shape} on {reference.shape}: sizes differ")
    return _correlate(_texture(frame), _texture(reference))


def move(frame: np.ndarray, shift: tuple[float, float]) -> np.ndarray:
    """Move a frame by parts of pixels (cubic splines); its border is repeated where it came from.

    Args:
        frame: `(height, width)`, any real dtype.
        shift: rows down and columns to the right, in pixels.

    Returns:
        float32 of the same shape.

    Example:
        >>> move(np.array([[1, 2, 3]], "uint8"), (0, 1))
        array([[1., 1., 2.]], dtype=float32)
    """
    from scipy.ndimage import shift as spline_shift

    frame = np.asarray(frame, np.float32)
    if all(float(by).is_integer() for by in shift):  # nothing to interpolate
        return np.asarray(spline_shift(frame, shift, order=0, mode="nearest"))
    return np.asarray(spline_shift(frame, shift, order=3, mode="nearest"))


@dataclass(frozen=True)
class Register:
    """The step `register`: move every frame onto the first one that can be read.

    A fixed reference: a running one adds up its errors over hundreds of frames. The shift of every
    frame is in `positions`, as `shift_y_px` and `shift_x_px`.

    Args:
        largest: frames that seem shifted by more, in pixels, are left where they are, with a shift
            of NaN: shaking is a matter of a few pixels, more is a mistaken match. So are those
            that have too little in common with the first one.

    Raises:
        ValueError: `largest` is not above 0.

    Example:
        >>> plate = np.random.default_rng(0).normal(100, 9, (64, 96))
        >>> shaken = np.stack([plate, np.roll(plate, (2, -3), axis=(0, 1))])
        >>> still = Register().apply(shaken)
        >>> still.positions(1)
        {'shift_y_px': -2.0, 'shift_x_px': 3.0}
        >>> bool(np.allclose(still[1][8:-8, 8:-8], plate[8:-8, 8:-8], atol=1e-3))
        True
    """

    name: ClassVar[str] = "register"
    largest: float = 20.0

    def __post_init__(self) -> None:
        if not 0 < self.largest < math.inf:
            raise ValueError(f"a largest shift of {self.largest} px is not possible; take about 20")

    def parameters(self) -> dict[str, Any]:
        """Return the settings of this step, for the record of a run."""
        return asdict(self)

    def apply(self, frames: Frames) -> LazyFrames:
        """Return the stack without its motion.

        Raises:
            ReadError: no frame can be read.
            ValueError: a side of the frames is under 16 pixels.
        """
        return Registered(frames, self.largest)


class Registered(LazyFrames):
    """A stack whose frames are moved onto the first one that can be read; see `Register`."""

    def __init__(self, frames: Frames, largest: float) -> None:
        super().__init__(frames)
        self.largest = largest
        first, reference = next(iter(readable(frames, list(range(len(frames))))))
        self.measured = {"reference_frame": first}
        self._reference = _texture(reference)
        self._shifts: dict[int, tuple[float, float]] = {}

    def compute(self, index: int) -> np.ndarray:
        frame = np.asarray(self.frames[index], np.float32)
        shift = self._shift(index, frame)
        return frame if math.isnan(shift[0]) else move(frame, shift)

    def positions(self, index: int) -> dict[str, float]:
        shift = self._shifts.get(index) or self._shift(index, self.frames[index])
        return {"shift_y_px": shift[0], "shift_x_px": shift[1]}

    def _shift(self, index: int, frame: np.ndarray) -> tuple[float, float]:
        if index not in self._shifts:
            shift = _correlate(_texture(frame), self._reference)
            mistaken = max(map(abs, shift)) > self.largest
            self._shifts[index] = (math.nan, math.nan) if mistaken else shift
        return self._shifts[index]


def _texture(frame: np.ndarray) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    if min(frame.shape) < SMALLEST_SIDE:
        raise ValueError(
            f"frames of {frame.shape[0]} x {frame.shape[1]} are too small to register; it takes "
            f"{SMALLEST_SIDE} pixels on each side"
        )
    levels = np.asarray(frame, np.float32)
    texture = levels - gaussian_filter(levels, HIGH_PASS_PX)
    sigma = 1.4826 * float(np.median(np.abs(texture)))
    if sigma > 0:
        np.clip(texture, -3 * sigma, 3 * sigma, out=texture)
    return np.asarray(texture * np.outer(*(_fade(side) for side in frame.shape)).astype(np.float32))


def _fade(side: int) -> np.ndarray:
    """Return 1 in the middle, falling to 0 over an eighth of the side at either end."""
    from_border = np.minimum(np.arange(side), np.arange(side)[::-1]) + 0.5
    return np.sin(np.pi / 2 * np.clip(from_border / (side / 8), 0, 1)) ** 2


def _correlate(texture: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    from scipy import fft

    if not texture.any() or not reference.any():
        return math.nan, math.nan
    moving, fixed = fft.fft2(texture), fft.fft2(reference)
    product = fixed * moving.conj()
    whole = np.abs(fft.ifft2(product))
    peak = map(int, np.unravel_index(int(whole.argmax()), whole.shape))
    # The second half of an axis stands for shifts to the other side.
    coarse = [at - side * (at > side // 2) for at, side in zip(peak, whole.shape, strict=True)]
    steps = np.arange(-(3 * UPSAMPLING // 4), 3 * UPSAMPLING // 4) / UPSAMPLING
    waves = [
        np.exp(2j * np.pi * np.outer(start + steps, fft.fftfreq(side))).astype(product.dtype)
        for start, side in zip(coarse, product.shape, strict=True)
    ]
    fine = np.abs(waves[0] @ product @ waves[1].T)
    best = np.unravel_index(int(fine.argmax()), fine.shape)
    power = float(np.sum(np.abs(moving) ** 2)) * float(np.sum(np.abs(fixed) ** 2))
    if float(fine[best]) ** 2 < LEAST_CORRELATION**2 * power:
        return math.nan, math.nan
    down, right = (
        round(start + float(steps[at]), 2) + 0.0 for start, at in zip(coarse, best, strict=True)
    )
    return down, right


COMPARED = 9
"""Frames that are compared with the middle one."""

LARGEST_SIDE = 512
"""Largest side in pixels of the middle part of a frame that is compared."""

NOTED_PX = 0.5
"""A drift from here on leaves bright and dark rims on what stands still in the specimen."""


@dataclass(frozen=True)
class Drift:
    """Shifts of the frames of a recording against one of them.

    Attributes:
        reference: Number of the frame that the others are compared with.
        largest_px: Largest shift in pixels; `None` where no frame is alike enough to tell.

    Example:
        >>> plate = np.random.default_rng(0).normal(100, 9, (64, 96))
        >>> frames = {number: np.roll(plate, number // 10, axis=0) for number in range(0, 31, 10)}
        >>> find_drift(frames)
        Drift(reference=20, largest_px=2.0)
    """

    reference: int
    largest_px: float | None

    @property
    def note(self) -> str | None:
        """Notes for the reader of the labels."""
        if self.largest_px is None or self.largest_px < NOTED_PX:
            return None
        return (
            f"the specimen drifts by up to {self.largest_px:.1f} px against frame "
            f"{self.reference}: what stands still gets bright and dark rims in the motion channel; "
            "register the frames of the background (for example recording+register)"
        )


def find_drift(frames: Mapping[int, np.ndarray]) -> Drift | None:
    """Estimate the drift from a few frames of a recording; see `find_shift`.

    Args:
        frames: Frames `(height, width)` by their numbers; at most 9 of them are compared.

    Returns:
        The drift; `None` for fewer than two frames, or frames with a side under 16 pixels.
    """
    numbers = sorted(frames)
    if len(numbers) < 2 or min(frames[numbers[0]].shape) < SMALLEST_SIDE:
        return None
    reference = numbers[len(numbers) // 2]
    middle = _middle_part(frames[reference])
    found = []
    for place in spread(len(numbers), COMPARED):
        if numbers[place] != reference:
            down, right = find_shift(_middle_part(frames[numbers[place]]), middle)
            if not math.isnan(down):
                found.append(math.hypot(down, right))
    return Drift(reference, round(max(found), 2) if found else None)


def _middle_part(frame: np.ndarray) -> np.ndarray:
    tops = [max(side - LARGEST_SIDE, 0) // 2 for side in frame.shape]
    return frame[tops[0] : tops[0] + LARGEST_SIDE, tops[1] : tops[1] + LARGEST_SIDE]
