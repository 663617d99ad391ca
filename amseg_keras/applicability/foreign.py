"""Foreign recordings to calibrate on, made of familiar ones: what must be told apart from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy import ndimage

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""Turns a stack `(frames, height, width)` into one of a foreign kind."""

_LEAST_SIDE = 64
"""Pixels that a side keeps when a stack is made smaller."""


def noise(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Replace the frames by noise, of a detector without a beam or of nothing at all."""
    smooth = rng.choice([0.0, 0.0, 0.7])
    if rng.random() < 0.5:
        made = rng.poisson(np.exp(rng.uniform(1, 7)), frames.shape).astype(float)
    else:
        made = rng.normal(1000, np.exp(rng.uniform(1, 5)), frames.shape)
    if smooth:
        made = ndimage.gaussian_filter(made, (0, smooth, smooth))
    shading = np.linspace(0, rng.normal(0, 2) * made.std(), frames.shape[1])[:, None]
    return _as_counts(made + shading)


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
    order = int(rng.choice([0, 1, 3]))
    return _as_counts(ndimage.zoom(part.astype(np.float32), (1, factor, factor), order=order))


def smaller(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Reduce the frames, as a camera of a lower magnification does."""
    least = _LEAST_SIDE / min(frames.shape[1:])
    factor = max(rng.uniform(0.22, 0.45), least)
    if rng.random() < 0.5:
        frames = ndimage.gaussian_filter(frames.astype(np.float32), (0, 0.4 / factor, 0.4 / factor))
    return _as_counts(ndimage.zoom(frames.astype(np.float32), (1, factor, factor), order=1))


CHANGES: Mapping[str, Change] = {
    "noise": noise,
    "inverted": inverted,
    "upside_down": upside_down,
    "rotated": rotated,
    "blurred": blurred,
    "saturated": saturated,
    "larger": larger,
    "smaller": smaller,
}

PROCESSES: Mapping[str, str] = {"esrf": "lpbf", "aps": "lpbf", "dls": "ded", "hpdc": "casting"}
"""What recordings of a simulated facility are to a preset that does not know them."""

MEANINGLESS: Mapping[str, tuple[str, ...]] = {"casting": ("inverted", "upside_down", "rotated")}
"""Changes that a familiar recording may have undergone: slices have no up and down."""


def _as_counts(frames: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(np.rint(frames), 0, 65535).astype(np.uint16))
