"""Frames with their labels over them: pictures, and the movie of them."""

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
"""How much of a labelled pixel is colour: the frame must stay readable below."""

BOUNDARY = (255, 255, 255)
"""Colour of the boundary of the melt pool."""

TEXT_SIZE = 13
ROW_HEIGHT = 20
SWATCH = 12

ROWS = 1024
"""Rows of a frame that are coloured at once."""

TABLE_ENTRIES = 1 << 20
"""Colours of all grey levels of all classes are computed once if they are not more than this."""


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
        class_names: name of each class id.
        grey_range: the grey levels shown black and white.
        opacity: of the colours, 0 to 1.

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
        class_names: Name of each class id.

    Returns:
        The picture; a copy if there is a boundary.
    """
    curve = melt_pool_boundary(labels, class_names)
    if curve is None:
        return picture
    drawn = picture.copy()
    columns, rows = curve.x_px.astype(int), np.rint(curve.y_px).astype(int)
    # A steep flank needs all rows up to the next column, or it would be dots.
    for column, row, after in zip(columns, rows, [*rows[1:], rows[-1]], strict=True):
        top, bottom = sorted((row, after))
        drawn[max(top - 1, 0) : bottom + 1, column] = BOUNDARY
    return drawn


def with_legend(picture: np.ndarray, class_names: Sequence[str]) -> np.ndarray:
    """Put a legend of the classes below a picture.

    Args:
        picture: red, green, blue, uint8 `(height, width, 3)`.
        class_names: in the order of the legend; it wraps where the picture is narrow.

    Returns:
        uint8 `(height + legend, width, 3)`; sides even, as video needs them.
    """
    height, width = picture.shape[:2]
    legend = _legend(width + width % 2, tuple(class_names))
    canvas = np.full((height + height % 2 + len(legend), legend.shape[1], 3), 255, np.uint8)
    canvas[:height, :width] = picture
    canvas[len(canvas) - len(legend) :] = legend
    return canvas


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
    """Colour of every grey level of every class, and last of the pixels without one."""
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
"""Frames shown per second: slow enough for the eye to follow a keyhole."""

X264_OPTIONS = {"x264-params": "no-mbtree=1", "preset": "veryfast"}
"""With its macroblock tree, x264 encodes the same pictures to other bytes now and then, and a run
that was killed would not end with the files of an undisturbed one. Its usual preset takes more than
twice the time, more than a small network, for files that are a tenth smaller."""


def write_overlays(folder: Path, pictures: Iterable[np.ndarray]) -> str | None:
    """Write `overlay.png` for one picture, `overlay.mp4` (H.264) for several.

    Args:
        folder: where to.
        pictures: red, green, blue, uint8 `(height, width, 3)`, all of one size, sides even.

    Returns:
        The name of the file, `None` where there are no pictures.
    """
    coming = iter(pictures)
    first = list(islice(coming, 2))
    if not first:
        return None
    if len(first) == 1:
        with complete_or_absent(folder / "overlay.png") as temporary:
            Image.fromarray(first[0]).save(temporary)
        return "overlay.png"
    write_movie(folder / "overlay.mp4", chain(first, coming))
    return "overlay.mp4"


def write_movie(path: Path, pictures: Iterable[np.ndarray]) -> None:
    """Write pictures as H.264, one in memory at a time; the file is complete or not there.

    Args:
        path: of the file, ending in `.mp4`.
        pictures: red, green, blue, uint8 `(height, width, 3)`, all of one size, sides even.
    """
    import av  # takes longer to import than a small network takes to segment a frame

    with complete_or_absent(path) as temporary, av.open(str(temporary), "w") as container:
        stream = container.add_stream("libx264", rate=PLAYBACK_RATE, options=dict(X264_OPTIONS))
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(pictures):
            # Not through imageio, which takes three times as long to hand the pixels over.
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, PLAYBACK_RATE)
            if number == 0:
                stream.width, stream.height = frame.width, frame.height
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
