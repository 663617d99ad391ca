"""Foreign recordings to calibrate on, made of familiar ones: what must be told apart from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image
from scipy import ndimage

_ENLARGED = (Image.Resampling.NEAREST, Image.Resampling.BILINEAR, Image.Resampling.BICUBIC)

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""Turns a stack `(frames, height, width)` into one of a foreign kind."""

_LEAST_SIDE = 64
"""Pixels that a side keeps when a stack is made smaller."""

_REDUCED = (0.22, 0.26, 0.31, 0.37, 0.44)
"""Factors by which a stack is made smaller."""


def noise(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Replace the frames by noise, of a detector without a beam, of an empty beam, or of nothing.

    Noise is counted or normal, sharp or smooth, of few grey levels or of many, and may have the
    detector's shading, stripes and bad pixels.
    """
    smooth = rng.choice([0.0, 0.0, 0.7, 1.5])
    if rng.random() < 0.5:
        made = rng.poisson(np.exp(rng.uniform(0, 8)), frames.shape).astype(float)
    elif rng.random() < 0.2:
        made = rng.uniform(0, np.exp(rng.uniform(2, 11)), frames.shape)
    else:
        made = rng.normal(1000, np.exp(rng.uniform(-1, 6)), frames.shape)
    if smooth:
        made = ndimage.gaussian_filter(made, (0, smooth, smooth))
    sigma = made.std() + 1e-6
    made += np.linspace(0, rng.normal(0, 2) * sigma, frames.shape[1])[:, None]
    made += np.linspace(0, rng.normal(0, 2) * sigma, frames.shape[2])
    if rng.random() < 0.3:
        made += rng.normal(0, rng.uniform(0.1, 1.5) * sigma, frames.shape[2])
    if rng.random() < 0.3:
        bad = rng.random(frames.shape[1:]) < np.exp(rng.uniform(-9, -5))
        made[:, bad] += rng.uniform(5, 50) * sigma
    return _as_counts(made)


def inverted(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exchange light and dark."""
    return np.asarray(frames.max() - frames)


def upside_down(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turn the frames over."""
    return frames[:, ::-1, :: rng.choice([-1, 1])]


def rotated(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turn the frames on their side."""
    return np.rot90(frames, rng.choice([1, 3]), (1, 2))


def blurred(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Take the detail away, as a detector far out of focus does."""
    sigma = rng.uniform(2.0, 8.0)
    return _as_counts(ndimage.gaussian_filter(frames.astype(np.float32), (0, sigma, sigma)))


def saturated(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cut off the bright parts, or the dark ones."""
    if rng.random() < 0.7:
        return np.asarray(
            np.minimum(frames, np.percentile(frames, rng.uniform(5, 60)).astype(frames.dtype))
        )
    return np.asarray(
        np.maximum(frames, np.percentile(frames, rng.uniform(50, 95)).astype(frames.dtype))
    )


def larger(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Enlarge a part of the frames, as a camera of a higher magnification does."""
    factor = rng.uniform(2.2, 4.5)
    height, width = (max(int(side / factor), _LEAST_SIDE) for side in frames.shape[1:])
    top = int(rng.integers(frames.shape[1] - height + 1))
    left = int(rng.integers(frames.shape[2] - width + 1))
    part = frames[:, top : top + height, left : left + width]
    how = _ENLARGED[int(rng.integers(len(_ENLARGED)))]
    return _resized(part, frames.shape[1:], how)


def smaller(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Reduce the frames, as a camera of a lower magnification does."""
    least = _LEAST_SIDE / min(frames.shape[1:])
    factor = max(rng.choice(_REDUCED), least)
    height, width = (round(side * factor) for side in frames.shape[1:])
    how = Image.Resampling.BOX if rng.random() < 0.5 else Image.Resampling.NEAREST
    return _resized(frames, (height, width), how)


def reduced(frames: np.ndarray, factor: float) -> np.ndarray:
    """Reduce a stack by a factor, each pixel the mean of those that it holds."""
    height, width = (round(side / factor) for side in frames.shape[1:])
    return _resized(frames, (height, width), Image.Resampling.BOX)


def _resized(frames: np.ndarray, shape: tuple[int, ...], how: Image.Resampling) -> np.ndarray:
    size = shape[1], shape[0]
    pictures = [Image.fromarray(frame.astype(np.float32)) for frame in frames]
    return _as_counts(np.stack([np.asarray(one.resize(size, how)) for one in pictures]))


def unsteady(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shake the camera: every frame shows another part of the scene."""
    most = rng.uniform(6, 40)
    moved = []
    for frame in frames:
        down, right = (int(step) for step in rng.normal(0, most / 2, 2).round())
        padded = np.pad(frame, ((abs(down),) * 2, (abs(right),) * 2), mode="symmetric")
        top, left = abs(down) + down, abs(right) + right
        moved.append(padded[top : top + frame.shape[0], left : left + frame.shape[1]])
    return np.stack(moved)


def other_object(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a picture of something else: clouds, discs, polygons, writing, stripes, or several.

    It has the size and the dtype of the frames, with a little noise that differs between them.
    """
    height, width = frames.shape[1:]
    picture = np.zeros((height, width), np.float32)
    for drawn in rng.choice(len(_DRAWN), rng.integers(1, 4), replace=False):
        picture += np.float32(rng.uniform(0.3, 1)) * _DRAWN[drawn]((height, width), rng)
    picture -= picture.min()
    picture *= np.exp(rng.uniform(4.5, 10)) / max(float(picture.max()), 1e-6)
    if rng.random() < 0.4:
        picture = ndimage.gaussian_filter(picture, rng.uniform(0.5, 1.5))
    strength = picture.max() * np.exp(rng.uniform(-7, -3))
    return _as_counts(picture + rng.normal(0, strength, frames.shape))


def _clouds(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Noise whose amplitude falls with a power of its frequency, as natural scenes have it."""
    waves = np.fft.rfft2(rng.normal(0, 1, shape))
    down, right = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])
    made = np.fft.irfft2(waves / (np.hypot(down, right) + 2e-3) ** rng.uniform(0.5, 2), shape)
    return _unit(made)


def _discs(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Bright or dark discs and rings, few or many, as cells and coins are."""
    made = np.zeros(shape, np.float32)
    y, x = np.ogrid[: shape[0], : shape[1]]
    largest = rng.uniform(4, 60)
    for _ in range(int(rng.integers(2, 60))):
        away = np.hypot(y - rng.uniform(0, shape[0]), x - rng.uniform(0, shape[1]))
        radius = rng.uniform(2, largest)
        within = away < radius
        if rng.random() < 0.3:
            within &= away > 0.7 * radius
        made[within] = rng.uniform(0.2, 1)
    return made if rng.random() < 0.7 else 1 - made


def _polygons(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Half planes that overlap: edges in all directions, as buildings and furniture have."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    made = np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(2, 9))):
        turn = rng.uniform(0, 2 * np.pi)
        across = (y - rng.uniform(0, shape[0])) * np.sin(turn)
        across += (x - rng.uniform(0, shape[1])) * np.cos(turn)
        band = across > 0 if rng.random() < 0.5 else np.abs(across) < rng.uniform(3, 60)
        made[band] = rng.uniform(0, 1)
    return made


def _writing(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Lines of small dark marks on a bright page."""
    made = np.ones(shape, np.float32)
    line, mark = int(rng.integers(8, 30)), int(rng.integers(2, 7))
    for top in range(2, shape[0] - line, line):
        marks = rng.random((max(line * 2 // 3 // mark, 1), shape[1] // mark)) < 0.45
        marks &= rng.random(marks.shape[1]) < 0.85
        drawn = np.kron(marks, np.ones((mark, mark), bool))
        made[top : top + drawn.shape[0], : drawn.shape[1]][drawn] = 0
    return made


def _stripes(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Waves, bars or squares that repeat."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    turn, length = rng.uniform(0, np.pi), rng.uniform(4, 80)
    along, across = (
        np.sin(2 * np.pi * (y * np.sin(angle) + x * np.cos(angle)) / length)
        for angle in (turn, turn + np.pi / 2)
    )
    made = along if rng.random() < 0.5 else along * across
    return _unit(made if rng.random() < 0.5 else np.sign(made))


def _unit(values: np.ndarray) -> np.ndarray:
    """Grey levels from 0 to 1."""
    low, high = float(values.min()), float(values.max())
    return ((values - low) / max(high - low, 1e-9)).astype(np.float32)


_DRAWN = (_clouds, _discs, _polygons, _writing, _stripes)

CHANGES: Mapping[str, Change] = {
    "noise": noise,
    "inverted": inverted,
    "upside_down": upside_down,
    "rotated": rotated,
    "blurred": blurred,
    "saturated": saturated,
    "larger": larger,
    "smaller": smaller,
    "unsteady": unsteady,
    "other_object": other_object,
}

PROCESSES: Mapping[str, str] = {"esrf": "lpbf", "aps": "lpbf", "dls": "ded", "hpdc": "casting"}
"""Kind of the recordings of a simulated facility, for a preset that does not know them."""

MEANINGLESS: Mapping[str, tuple[str, ...]] = {"casting": ("inverted", "upside_down", "rotated")}
"""Changes that a familiar recording may have undergone: slices have no up and down."""


def _as_counts(frames: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(np.rint(frames), 0, 65535).astype(np.uint16))
