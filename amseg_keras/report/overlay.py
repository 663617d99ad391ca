"""Draw frames under their labels, as pictures and as a movie."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from amseg_keras.atomic import complete_or_absent
from amseg_keras.preprocess import GreyRange
from amseg_keras.quantify import melt_pool_boundary
from amseg_keras.report.colours import class_colours

OPACITY = 0.4
"""Opacity of the colours, low enough that the frame stays readable."""

BOUNDARY = (255, 255, 255)
"""Colour of the boundary of the melt pool."""

TEXT_SIZE = 13
ROW_HEIGHT = 20
SWATCH = 12

ROWS = 1024
"""Number of rows of a frame that are coloured at once."""

TABLE_ENTRIES = 1 << 20
"""Largest table of the colours of all grey levels of all classes."""


def overlay(
    frame: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    grey_range: GreyRange,
    opacity: float = OPACITY,
) -> np.ndarray:
    """Lay the colours of the classes over a frame.

    Args:
        frame: grey levels `(height, width)`.
        labels: class ids `(height, width)`; ids without a name (255) show the bare frame.
        grey_range: grey levels that are shown black and white.
        opacity: opacity of the colours, 0 to 1.

    Returns:
        Red, green, blue, uint8 `(height, width, 3)`.
    """
    names = tuple(class_names)
    levels = {np.dtype(np.uint8): 1 << 8, np.dtype(np.uint16): 1 << 16}.get(frame.dtype)
    if levels is None or levels * (len(names) + 1) > TABLE_ENTRIES:
        return _blended(frame, labels, names, grey_range, opacity)
    # A stack has few colours and many pixels.
    table = _colour_table(frame.dtype, names, grey_range, opacity)
    picture = np.empty((*frame.shape, 3), np.uint8)
    for top in range(0, len(frame), ROWS):  # the places in the table take four times the frame
        rows = slice(top, top + ROWS)
        places = np.minimum(labels[rows], len(names)).astype(np.int32) * levels + frame[rows]
        table.take(places, axis=0, out=picture[rows], mode="clip")
    return picture


def with_boundary(
    picture: np.ndarray, labels: np.ndarray, class_names: Sequence[str]
) -> np.ndarray:
    """Draw the lower boundary of the melt pool into a picture, as a line two pixels wide.

    Args:
        picture: Red, green, blue, uint8 `(height, width, 3)`.
        labels: Class ids, uint8 `(height, width)`.

    Returns:
        The picture; a copy if there is a boundary.
    """
    curve = melt_pool_boundary(labels, class_names)
    if curve is None:
        return picture
    drawn = picture.copy()
    columns, rows = curve.x_px.astype(int), np.rint(curve.y_px).astype(int)
    # All rows up to the next column, because a steep flank would otherwise be dots.
    for column, row, after in zip(columns, rows, [*rows[1:], rows[-1]], strict=True):
        top, bottom = sorted((row, after))
        drawn[max(top - 1, 0) : bottom + 1, column] = BOUNDARY
    return drawn


def with_legend(picture: np.ndarray, class_names: Sequence[str]) -> np.ndarray:
    """Put a legend of the classes below a picture.

    Args:
        picture: red, green, blue, uint8 `(height, width, 3)`.
        class_names: class names in the order of the legend, which wraps in a narrow picture.

    Returns:
        uint8 `(height + legend, width, 3)`; sides even, as video needs them.
    """
    height, width = picture.shape[:2]
    legend = _legend(width + width % 2, tuple(class_names))
    canvas = np.full((height + height % 2 + len(legend), legend.shape[1], 3), 255, np.uint8)
    canvas[:height, :width] = picture
    canvas[len(canvas) - len(legend) :] = legend
    return canvas


def movie_picture(
    frame: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    grey_range: GreyRange,
    opacity: float = OPACITY,
) -> np.ndarray:
    """Lay the colours over a frame and put the legend below, as a movie stores a picture.

    Grey has no hue, so the hue of a pixel depends on its class alone. Looking up brightness and
    hue, each at its own size, takes a third of the time of red, green and blue.

    Args:
        frame: grey levels `(height, width)`.
        labels: class ids `(height, width)`.
        grey_range: grey levels that are shown black and white.
        opacity: opacity of the colours, 0 to 1.

    Returns:
        Picture for `write_movie`: uint8 `((height + legend) * 3 / 2, width)`, brightness above the
        two hues of half the size (YUV 4:2:0). Frames with odd sides, or of other types than uint8
        and uint16, give red, green and blue as `with_legend`.

    Example:
        >>> frame, labels = np.zeros((2, 64, 96), np.uint8)
        >>> movie_picture(frame, labels, ("gas", "metal"), GreyRange(0, 255, 1.0)).shape
        (156, 96)
    """
    names = tuple(class_names)
    levels = {np.dtype(np.uint8): 1 << 8, np.dtype(np.uint16): 1 << 16}.get(frame.dtype)
    height, width = frame.shape
    if levels is None or levels * (len(names) + 1) > TABLE_ENTRIES or height % 2 or width % 2:
        return with_legend(overlay(frame, labels, names, grey_range, opacity), names)
    bright, hues = _yuv_tables(frame.dtype, names, grey_range, opacity)
    legend = _yuv_legend(width, names)
    below = len(legend[0])
    made = np.empty((3 * (height + below) // 2, width), np.uint8)
    known = np.minimum(labels, len(names))
    for top in range(0, height, ROWS):
        rows = slice(top, top + ROWS)
        place = np.uint16 if len(bright) < 1 << 16 else np.int32
        places = known[rows].astype(place) * place(levels) + frame[rows]
        bright.take(places, out=made[:height][rows], mode="clip")
    made[height : height + below] = legend[0]
    quarter = (height + below) // 2 * (width // 2)
    for plane, hue in enumerate(hues):
        start = made.size - (2 - plane) * quarter
        half = made.reshape(-1)[start : start + quarter].reshape(-1, width // 2)
        half[: height // 2] = _halved(hue.take(known, mode="clip"))
        half[height // 2 :] = legend[1 + plane]
    return made


_BRIGHTNESS = np.array([65.481, 128.553, 24.966]) / 255
_HUES = np.array([[-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]) / 255
"""Weights of red, green and blue, in the narrow range of ITU-R BT.601 of players."""


@lru_cache(maxsize=4)
def _yuv_tables(
    dtype: np.dtype, class_names: tuple[str, ...], grey_range: GreyRange, opacity: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the brightness of every grey level of every class, and the hues of every class."""
    colours = _colour_table(dtype, class_names, grey_range, opacity)
    bright = (16 + colours @ _BRIGHTNESS).round().astype(np.uint8)
    levels = len(colours) // (len(class_names) + 1)
    hues = (128 + _HUES @ colours[::levels].T).round().astype(np.uint16)
    return bright, hues


@lru_cache(maxsize=4)
def _yuv_legend(width: int, class_names: tuple[str, ...]) -> tuple[np.ndarray, ...]:
    legend = _legend(width, class_names)
    bright = (16 + legend @ _BRIGHTNESS).round().astype(np.uint8)
    hues = ((128 + legend @ hue).round().astype(np.uint16) for hue in _HUES)
    return bright, *map(_halved, hues)


def _halved(plane: np.ndarray) -> np.ndarray:
    """Average every 2 x 2 pixels of a uint16 plane."""
    rows = plane[::2] + plane[1::2]
    halved: np.ndarray = ((rows[:, ::2] + rows[:, 1::2] + 2) >> 2).astype(np.uint8)
    return halved


def _blended(
    frame: np.ndarray,
    labels: np.ndarray,
    class_names: tuple[str, ...],
    grey_range: GreyRange,
    opacity: float,
) -> np.ndarray:
    grey = grey_range.apply(frame) * (255 / grey_range.top)
    picture = np.repeat(grey[..., None], 3, axis=-1)
    named = labels < len(class_names)
    colours = class_colours(class_names)[np.where(named, labels, 0)]
    blended = (1 - opacity) * picture + opacity * colours
    return np.where(named[..., None], blended, picture).round().astype(np.uint8)


@lru_cache(maxsize=4)
def _colour_table(
    dtype: np.dtype, class_names: tuple[str, ...], grey_range: GreyRange, opacity: float
) -> np.ndarray:
    """Return the colour of every grey level of every class, and of pixels without a class."""
    levels = np.arange(np.iinfo(dtype).max + 1).astype(dtype)
    ids = np.arange(len(class_names) + 1)
    frame, labels = np.broadcast_arrays(levels[None], ids[:, None])
    return _blended(frame, labels, class_names, grey_range, opacity).reshape(-1, 3)


@lru_cache(maxsize=4)
def _legend(width: int, class_names: tuple[str, ...]) -> np.ndarray:
    font = ImageFont.load_default(TEXT_SIZE)
    places, x, row = [], 6, 0
    for name in class_names:
        needed = SWATCH + 4 + int(font.getlength(name)) + 12
        if x > 6 and x + needed > width:
            x, row = 6, row + 1
        places.append((x, row * ROW_HEIGHT))
        x += needed
    strip = Image.new("RGB", (width, (row + 1) * ROW_HEIGHT), "white")
    draw = ImageDraw.Draw(strip)
    for (x, y), name, colour in zip(places, class_names, class_colours(class_names), strict=True):
        top = y + (ROW_HEIGHT - SWATCH) // 2
        draw.rectangle([x, top, x + SWATCH, top + SWATCH], fill=tuple(colour.tolist()))
        draw.text((x + SWATCH + 4, y + ROW_HEIGHT // 2), name, "black", font, anchor="lm")
    return np.asarray(strip)


PLAYBACK_RATE = 20
"""Frames per second, slow enough for the eye to follow a keyhole."""

X264_OPTIONS = {"x264-params": "no-mbtree=1", "preset": "ultrafast"}
"""Options of x264. With its macroblock tree, equal pictures sometimes give other bytes, so that a
resumed run would differ from an undisturbed one. Slower presets take two to five times the time,
for files that are a third smaller."""


def write_overlays(
    folder: Path,
    pairs: Iterable[tuple[np.ndarray, np.ndarray]],
    class_names: Sequence[str],
    grey_range: GreyRange,
) -> str | None:
    """Write `overlay.png` for one frame, `overlay.mp4` (H.264) for several.

    Args:
        pairs: grey levels and class ids of each frame, `(height, width)`, all of one size.
        grey_range: grey levels that are shown black and white.

    Returns:
        Name of the file; `None` without frames.
    """
    rest = iter(pairs)
    first = list(islice(rest, 2))
    if not first:
        return None
    if len(first) == 1:
        picture = with_legend(overlay(*first[0], class_names, grey_range), class_names)
        with complete_or_absent(folder / "overlay.png") as temporary:
            Image.fromarray(picture).save(temporary)
        return "overlay.png"
    pictures = (movie_picture(*pair, class_names, grey_range) for pair in chain(first, rest))
    write_movie(folder / "overlay.mp4", pictures)
    return "overlay.mp4"


def write_movie(path: Path, pictures: Iterable[np.ndarray]) -> None:
    """Write pictures as H.264, one in memory at a time; the file is complete or absent.

    Args:
        path: path of the file, ending in `.mp4`.
        pictures: red, green, blue, uint8 `(height, width, 3)`, all of one size, sides even; or
            YUV 4:2:0, uint8 `(height * 3 / 2, width)`.
    """
    import av  # takes longer to import than a small network takes to segment a frame

    with complete_or_absent(path) as temporary, av.open(str(temporary), "w") as container:
        stream = container.add_stream("libx264", rate=PLAYBACK_RATE, options=dict(X264_OPTIONS))
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(pictures):
            # imageio takes three times as long to pass the pixels on.
            kind = "rgb24" if picture.ndim == 3 else "yuv420p"
            frame = av.VideoFrame.from_ndarray(picture, format=kind)
            frame.pts, frame.time_base = number, Fraction(1, PLAYBACK_RATE)
            if number == 0:
                stream.width, stream.height = frame.width, frame.height
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
