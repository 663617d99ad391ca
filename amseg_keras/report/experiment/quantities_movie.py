"""A recording, its labels and its quantities as one movie (as the paper's Supplementary Video S1).

Frame and labels are above each other where frames are wide, beside each other where they are
tall; the plots stand at their right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from amseg_keras.quantify.quantities import Quantities
from amseg_keras.report.experiment.look import GRID, TEXT, font_file
from amseg_keras.report.experiment.pictures import Pictures
from amseg_keras.report.experiment.running_plots import RunningPlots
from amseg_keras.report.experiment.time_axis import TimeAxis
from amseg_keras.report.movie import write_movie
from amseg_keras.report.overlay import with_legend

_LEAST_WIDTH, _MOST_SIDE = 480, 960
"""Of a frame in the movie, in pixels: others are enlarged or reduced."""

_TALL = 1.2
"""Width by height below which frame and labels are beside each other."""

_PLOT_WIDTH = 480
_PLOT_HEIGHT = 420
"""At least: less leaves the plots no room."""

_EDGE = 12
_HEAD = 26
"""Height of the line of text above a picture."""

_TEXT_SIZE = 14

_CAUTION = "#c00000"

_ABOVE = 8
"""Baseline of a text above its picture, in pixels."""


def write_quantities_movie(
    path: Path,
    pictures: Pictures,
    labels: Iterable[np.ndarray],
    quantities: Quantities,
    shape: tuple[int, int, int],
    axis: TimeAxis,
    caution: str = "",
) -> None:
    """Write the movie, one frame in memory at a time, as H.264 that every player opens.

    Args:
        path: Of the file, ending in `.mp4`; it is complete or not there.
        pictures: How frames are drawn. Without the recording, or in frames that cannot be read,
            the labels are shown alone.
        labels: The label map of every frame in turn, uint8 `(height, width)`.
        quantities: Of the experiment.
        shape: (frames, height, width).
        axis: Of time.
        caution: Short text that stands above every frame.

    Raises:
        ReadError: The label maps cannot be read.
    """
    write_movie(path, movie_frames(pictures, labels, quantities, shape, axis, caution))


def movie_frames(
    pictures: Pictures,
    labels: Iterable[np.ndarray],
    quantities: Quantities,
    shape: tuple[int, int, int],
    axis: TimeAxis,
    caution: str = "",
) -> Iterator[np.ndarray]:
    """The frames of the movie, for the same arguments as `write_quantities_movie`.

    Yields:
        Red, green, blue, uint8 `(height, width, 3)`, both sides even.
    """
    layout = _Layout(shape[1:], pictures.class_names, recorded=pictures.frames is not None)
    font = ImageFont.truetype(font_file(), _TEXT_SIZE)
    background = layout.background(font)
    plots = RunningPlots(quantities, pictures.class_names, axis, layout.plot_size)
    for index, one in enumerate(labels):
        canvas = background.copy()
        recorded, labelled = pictures.pair(index, one)
        # Of a frame that cannot be read the place stays empty.
        for place, picture in zip(reversed(layout.places), (labelled, recorded), strict=False):
            if picture is not None:
                _put(canvas, layout.resized(picture), place)
        _put(canvas, plots.at(index), layout.plot_place)
        image = Image.fromarray(canvas)
        left, top = layout.places[0]
        moment = (left + layout.size[0], top - _ABOVE)
        draw = ImageDraw.Draw(image)
        draw.text(moment, axis.text(index), TEXT, font, "rs")
        if caution:
            middle = (left + layout.size[0] // 2, top - _ABOVE)
            draw.text(middle, caution, _CAUTION, font, "ms")
        yield np.asarray(image)


class _Layout:
    """Where everything is in a frame of the movie; places are (left, top) in pixels.

    Args:
        shape: Height and width of a frame of the recording.
        class_names: In the order of the legend.
        recorded: Whether the recording is shown beside the labels.
    """

    def __init__(self, shape: tuple[int, int], class_names: Sequence[str], recorded: bool) -> None:
        height, width = shape
        self.titles = ("recorded", "labelled") if recorded else ("labelled",)
        scale = float(np.clip(width, _LEAST_WIDTH, _MOST_SIDE)) / width
        scale = min(scale, _MOST_SIDE / height)
        self.size = max(round(width * scale), 1), max(round(height * scale), 1)
        columns, rows = (len(self.titles), 1) if width < _TALL * height else (1, len(self.titles))
        step_right, step_down = self.size[0] + _EDGE, self.size[1] + _HEAD
        self.places = [
            (_EDGE + number % columns * step_right, _HEAD + number // columns * step_down)
            for number in range(len(self.titles))
        ]
        none = np.empty((0, columns * step_right - _EDGE, 3), np.uint8)
        self.legend = with_legend(none, class_names)
        self.legend_place = (_EDGE, rows * step_down)
        height = max(rows * step_down + len(self.legend) + _EDGE, _PLOT_HEIGHT)
        width = _EDGE + columns * step_right + _PLOT_WIDTH + _EDGE
        self.plot_place = (_EDGE + columns * step_right, 0)
        self.plot_size = (_PLOT_WIDTH, height)
        self.shape = (height + height % 2, width + width % 2)

    def background(self, font: ImageFont.FreeTypeFont) -> np.ndarray:
        """What is the same in every frame: titles and legend, on white."""
        image = Image.new("RGB", self.shape[::-1], "white")
        draw = ImageDraw.Draw(image)
        for (left, top), title in zip(self.places, self.titles, strict=True):
            draw.rectangle((left, top, left + self.size[0] - 1, top + self.size[1] - 1), GRID)
            draw.text((left, top - _ABOVE), title, TEXT, font, "ls")
        canvas = np.array(image)
        _put(canvas, self.legend, self.legend_place)
        return canvas

    def resized(self, picture: np.ndarray) -> np.ndarray:
        """A picture of a frame in the size that it has in the movie."""
        if picture.shape[1::-1] == self.size:
            return picture
        return np.asarray(Image.fromarray(picture).resize(self.size, Image.Resampling.BILINEAR))


def _put(canvas: np.ndarray, picture: np.ndarray, place: tuple[int, int]) -> None:
    left, top = place
    height, width = picture.shape[:2]
    canvas[top : top + height, left : left + width] = picture
