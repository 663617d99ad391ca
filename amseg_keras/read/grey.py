"""From what a file stores in a pixel to one grey number of a plain dtype."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from amseg_keras.read.errors import ReadError

COLOUR_NOTE = "colour turned to grey (ITU-R 601 luma)"

# Lossy coding and colour conversion leave a grey 8-bit picture with channels that differ by a
# level or two; that is no colour.
_GREY_SPREAD_8BIT = 2

_CLASS_IDS: ContextVar[str | None] = ContextVar("class_ids", default=None)


@contextmanager
def class_ids(where: str) -> Iterator[None]:
    """Refuse, inside the block, to turn colour to grey: a mixture of class ids is another class.

    Args:
        where: Start of the error's message: the file, perhaps with a frame number.

    Example:
        >>> with class_ids("labels.tif"):
        ...     to_grey(np.array([[[2, 2, 2]]], dtype=np.uint8))
        array([[2]], dtype=uint8)
    """
    token = _CLASS_IDS.set(where)
    try:
        yield
    finally:
        _CLASS_IDS.reset(token)


def reads_class_ids() -> bool:
    """Whether this is inside a block of `class_ids`."""
    return _CLASS_IDS.get() is not None


def is_colour(frame: np.ndarray) -> bool:
    """Whether the first three channels of a ``(height, width, channels)`` array differ."""
    if frame.ndim != 3 or frame.shape[-1] < 3:
        return False
    red, green, blue = (frame[..., channel] for channel in range(3))
    if np.array_equal(red, green) and np.array_equal(green, blue):
        return False
    if frame.dtype != np.uint8:
        return True
    rgb = frame[..., :3]
    return int((rgb.max(axis=-1) - rgb.min(axis=-1)).max()) > _GREY_SPREAD_8BIT


def to_grey(frame: np.ndarray) -> np.ndarray:
    """Reduce the channels of a frame to one, in the same dtype.

    One channel, or grey with alpha, gives the first; RGB and RGBA give ITU-R 601 luma, which for
    three equal channels is exactly that channel.

    Args:
        frame: ``(height, width)`` or ``(height, width, channels)`` with 1 to 4 channels.

    Returns:
        Array ``(height, width)``.

    Raises:
        ValueError: For more than four channels.
        ReadError: The channels differ, inside a block of `class_ids`.

    Example:
        >>> int(to_grey(np.full((1, 1, 3), [255, 0, 0], dtype=np.uint8))[0, 0])
        76
    """
    if frame.ndim == 2:
        return frame
    channels = frame.shape[-1]
    if channels > 4:
        raise ValueError(f"a frame of {channels} channels is neither grey nor RGB")
    if channels < 3:
        return frame[..., 0]
    where = _CLASS_IDS.get()
    if where is not None:
        if not (frame[..., 1:3] == frame[..., :1]).all():
            raise ReadError(
                f"{where}: has {channels} channels that differ, and a mixture of class ids would "
                "be another class; if the channels are frames: --axes TYX, or --axes YXT where "
                "they lie along the last axis; if they are colours, turn them into class ids: "
                "amseg dataset import"
            )
        return frame[..., 0]
    if frame.dtype.kind == "u" and frame.dtype.itemsize <= 2:
        # Whole thousandths: exact, and half the time of a copy of all channels in uint32.
        luma = np.full(frame.shape[:2], 500, dtype=np.uint32)
        for channel, weight in enumerate((299, 587, 114)):
            luma += np.multiply(frame[..., channel], np.uint32(weight), dtype=np.uint32)
        return (luma // np.uint32(1000)).astype(frame.dtype)
    red, green, blue = (frame[..., channel].astype(np.float64) for channel in range(3))
    # Written as differences so that equal channels come out unchanged to the last bit.
    real = green + 0.299 * (red - green) + 0.114 * (blue - green)
    return (real if frame.dtype.kind == "f" else np.rint(real)).astype(frame.dtype)


def plain_dtype(dtype: np.dtype, where: str) -> np.dtype:
    """The dtype in which frames are handed out: native byte order, bool as uint8.

    Raises:
        ReadError: For complex, object, string and other dtypes that are not grey values.
    """
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind in "uif":
        return dtype.newbyteorder("=")
    raise ReadError(
        f"{where}: holds {dtype} values, which are not grey values; "
        "save it as integers or real numbers"
    )
