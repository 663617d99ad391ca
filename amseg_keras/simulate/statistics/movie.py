"""Movies: what differs from frame to frame, and what of the texture a moving specimen leaves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage


@dataclass(frozen=True)
class Unsteadiness:
    """How beam and specimen change over a movie.

    Attributes:
        flicker: Standard deviation of the log intensity from frame to frame, slow changes left out.
        drift: Rows down and columns right of each frame against the median frame, `(frames, 2)`.
        speed: Pixels that the specimen drifts in a frame, over the whole movie.
        range: Largest distance of two places of the specimen, in pixels.
    """

    flicker: float
    drift: np.ndarray
    speed: float
    range: float


def motion_channel(stack: np.ndarray, index: int, near: int = 4, most: int = 18) -> np.ndarray:
    """Log of a frame less log of its background, float64 `(height, width)`.

    The background is the median of frames spread over the movie, without those nearby.

    Args:
        stack: Grey levels `(frames, height, width)`.
        index: The frame.
        near: Frames before and after it that the background does without.
        most: Frames of the background.

    Example:
        >>> stack = np.full((20, 2, 2), 100.0)
        >>> stack[10, 0, 0] = 110.0
        >>> motion_channel(stack, 10).round(2)
        array([[0.1, 0. ],
               [0. , 0. ]])
    """
    far = np.flatnonzero(np.abs(np.arange(len(stack)) - index) > near)
    chosen = far[np.unique(np.linspace(0, len(far) - 1, min(most, len(far))).round().astype(int))]
    background = np.median(stack[chosen], axis=0)
    return np.asarray(np.log(np.maximum(stack[index], 1.0)) - np.log(np.maximum(background, 1.0)))


def unsteadiness(stack: np.ndarray, box: tuple[slice, slice]) -> Unsteadiness:
    """Measure beam flicker and drift of the specimen.

    The drift follows from the gradient of the median frame, to which each frame is fitted by least
    squares: good to some hundredths of a pixel for drifts of a pixel or so.

    Args:
        stack: Grey levels `(frames, height, width)`.
        box: Rows and columns with texture where nothing moves but the specimen.

    Example:
        >>> rows, columns = np.indices((40, 60))
        >>> waves = [100 + 5 * np.sin((columns - 0.01 * t) / 4) + rows % 7 for t in range(20)]
        >>> round(unsteadiness(np.stack(waves), (slice(0, 40), slice(0, 60))).speed, 3)
        0.01
    """
    frames = np.log(np.maximum(stack[(slice(None), *box)].astype(float), 1.0))
    levels = frames.mean(axis=(1, 2))
    smooth = np.stack([ndimage.gaussian_filter(frame, 1.0) for frame in frames])
    smooth -= smooth.mean(axis=(1, 2), keepdims=True)
    middle = np.median(smooth, axis=0)
    slopes = np.gradient(middle)
    design = np.stack([slope[2:-2, 2:-2].ravel() for slope in slopes], axis=1)
    rest = (smooth - middle)[:, 2:-2, 2:-2].reshape(len(smooth), -1)
    found, *_ = np.linalg.lstsq(design, -rest.T, rcond=None)
    drift = found.T
    time = np.arange(len(drift))
    speed = float(np.hypot(*np.polyfit(time, drift, 1)[0])) if len(drift) > 2 else float("nan")
    away = np.hypot(*(drift[:, None] - drift[None]).transpose(2, 0, 1))
    return Unsteadiness(
        # Of white noise the differences have twice the variance.
        flicker=float(np.diff(levels).std() / np.sqrt(2)),
        drift=drift,
        speed=speed,
        range=float(away.max()),
    )


def ghost_share(stack: np.ndarray, index: int, box: tuple[slice, slice]) -> tuple[float, float]:
    """Measure the noise of the motion channel, and what of the static texture is left in it.

    Args:
        stack: Grey levels `(frames, height, width)`.
        index: The frame, not the last one.
        box: Rows and columns where nothing moves but the specimen.

    Returns:
        Noise of a frame's log intensity, from frame to frame; and standard deviation of what the
        motion channel holds beyond it, over the static texture's.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> texture = rng.normal(100, 8, (64, 64))
        >>> stack = texture + rng.normal(0, 1, (30, 64, 64))
        >>> noise, ghosts = ghost_share(stack, 15, (slice(0, 64), slice(0, 64)))
        >>> round(noise, 3), ghosts < 0.08
        (0.01, True)
    """
    logs = np.log(np.maximum(stack[(slice(None), *box)].astype(float), 1.0))
    logs = logs - ndimage.gaussian_filter(logs, (0, 8, 8))
    noise = float((logs[index + 1] - logs[index]).std() / np.sqrt(2))
    moving = motion_channel(stack, index)[box]
    moving = moving - ndimage.gaussian_filter(moving, 8)
    static = float(np.median(logs, axis=0).std())
    # The median of 18 frames has 1.57 / 18 of a frame's variance.
    left = float(moving.var()) - noise**2 * (1 + 1.57 / min(len(stack), 18))
    return noise, float(np.sqrt(max(left, 0.0)) / max(static, 1e-9))
