"""The x-t image of a recording: where along the frame it brightened, against time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from amseg_keras.preprocess.lazy import readable, spread
from amseg_keras.read import Frames, ReadError

_SAMPLED = 24
_BRIGHTEST = 0.1


def kymograph(frames: Frames, progress: Callable[[int], None] = lambda done: None) -> np.ndarray:
    """Make the x-t image of a recording, in which a moving laser is a slanted line.

    From every pixel its lower quartile over time is taken off, as in `find_laser`; what is left is
    what changes. A column of a frame becomes the mean of the tenth of its rows that brightened
    most.

    Args:
        frames: Stack `(frames, height, width)`, raw or prepared, not yet cropped.
        progress: Function that is told how many frames are done.

    Returns:
        float32 `(frames, width)`; NaN where a frame cannot be read.

    Raises:
        ReadError: None of the frames can be read.

    Example:
        >>> stack = np.full((20, 40, 200), 1000.0)
        >>> for index, frame in enumerate(stack):
        ...     frame[10:30, 20 + 8 * index : 32 + 8 * index] *= 1.2
        >>> image = kymograph(stack)
        >>> image.shape, [int(row.argmax()) for row in image[:3]]
        ((20, 200), [20, 28, 36])
    """
    sampled = [frame for _, frame in readable(frames, spread(len(frames), _SAMPLED))]
    usual = np.quantile(np.stack(sampled).astype(np.float32), 0.25, axis=0)
    rows = max(1, round(_BRIGHTEST * frames.shape[1]))
    image = np.full((len(frames), frames.shape[2]), np.nan, np.float32)
    for number in range(len(frames)):
        try:
            change = np.asarray(frames[number], np.float32) - usual
        except ReadError:
            continue
        image[number] = np.partition(change - np.median(change), -rows, axis=0)[-rows:].mean(axis=0)
        progress(number + 1)
    return image
