"""Make a movie of the frames, their labels, and the growing curves of the quantities."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from amseg_keras.quantify.quantities import Quantities
from amseg_keras.quantify.scale import column_with_unit
from amseg_keras.report.experiment.film_strip import Pictures
from amseg_keras.report.experiment.look import GRID, SOFT, TEXT, TimeAxis, font_file, unit_of
from amseg_keras.report.experiment.time_series import (
    draw_quantity,
    mark_formed,
    over_time,
    panels_of,
)
from amseg_keras.report.overlay import with_legend, write_movie

_LEAST_WIDTH, _MOST_SIDE = 480, 960
"""Limits of a frame in the movie in pixels; other frames are resized."""

_TALL = 1.2
"""Ratio of width to height below which frame and labels are side by side."""

_PLOT_WIDTH = 480
_PLOT_HEIGHT = 420
"""Smallest height of the plots in pixels."""

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
    """Write the movie as H.264, with one frame in memory at a time.

    Args:
        path: Path of the file, ending in `.mp4`; it is complete or absent.
        pictures: Frames to draw; without the recording, the labels are shown alone.
        labels: Label map of every frame in turn, uint8 `(height, width)`.
        shape: (frames, height, width).

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
    """Draw the frames of the movie, for the arguments of `write_quantities_movie`.

    Yields:
        Red, green, blue, uint8 `(height, width, 3)`, both sides even.
    """
    layout = _Layout(shape[1:], pictures.class_names, recorded=pictures.frames is not None)
    font = ImageFont.truetype(font_file(), _TEXT_SIZE)
    background = layout.background(font)
    plots = RunningPlots(quantities, pictures.class_names, axis, layout.plot_size)
    for index, label_map in enumerate(labels):
        canvas = background.copy()
        recorded, labelled = pictures.pair(index, label_map)
        # The place of an unreadable frame stays empty.
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
    """Layout of a frame of the movie; places are (left, top) in pixels.

    Args:
        shape: Height and width of a frame of the recording.
        class_names: Class names in the order of the legend.
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
        """Draw the titles and the legend, which are the same in every frame."""
        image = Image.new("RGB", self.shape[::-1], "white")
        draw = ImageDraw.Draw(image)
        for (left, top), title in zip(self.places, self.titles, strict=True):
            draw.rectangle((left, top, left + self.size[0] - 1, top + self.size[1] - 1), GRID)
            draw.text((left, top - _ABOVE), title, TEXT, font, "ls")
        canvas = np.array(image)
        _put(canvas, self.legend, self.legend_place)
        return canvas

    def resized(self, picture: np.ndarray) -> np.ndarray:
        """Resize a picture of a frame for the movie."""
        if picture.shape[1::-1] == self.size:
            return picture
        return np.asarray(Image.fromarray(picture).resize(self.size, Image.Resampling.BILINEAR))


def _put(canvas: np.ndarray, picture: np.ndarray, place: tuple[int, int]) -> None:
    left, top = place
    height, width = picture.shape[:2]
    canvas[top : top + height, left : left + width] = picture


_DPI = 100

_PALE = 0.25
"""Opacity of a curve that the movie has not reached."""

_VALUE_SIZE = 14

_VALUE_ABOVE = 8
"""Baseline of a value above its plot in pixels, as of the plot's title."""

_POINT = 4
"""Radius of the point that moves along a line, in pixels."""


class RunningPlots:
    """Keyhole area, keyhole depth and pore area, drawn in full colour up to a frame.

    Args:
        class_names: Classes of the labels; other classes have no plots.
        size: Width and height in pixels.
    """

    def __init__(
        self,
        quantities: Quantities,
        class_names: Sequence[str],
        axis: TimeAxis,
        size: tuple[int, int],
    ) -> None:
        width, height = size
        panels = panels_of(class_names)
        figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        rows: list[Axes] = []
        if panels:
            rows = list(figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0])
            rows[-1].set_xlabel(axis.label)
        columns = [column_with_unit(quantities.frames, panel.quantity) for panel in panels]
        for axes, panel, column in zip(rows, panels, columns, strict=True):
            draw_quantity(axes, quantities.frames, column, panel.colour, axis)
            axes.set_title(panel.quantity.replace("_", " "), loc="left", fontsize=10, color=TEXT)
        mark_formed(rows, quantities.events, axis)
        self._past = _rendered(canvas)
        # The curves must not move when they are drawn again.
        figure.set_layout_engine("none")
        for axes in rows:
            for artist in (*axes.lines, *axes.collections):
                artist.set_alpha(_PALE * (artist.get_alpha() or 1))
        self._future = _rendered(canvas)
        self._plots = [
            _Plot(
                axes,
                over_time(quantities.frames, column, axis.frames),
                unit_of(column, quantities.scale.pixel_size_assumed),
                panel.colour,
            )
            for axes, panel, column in zip(rows, panels, columns, strict=True)
        ]
        moments = axis.at(np.arange(axis.frames))
        self._columns = (
            _pixels(rows[0], moments, np.zeros(len(moments)))[0] if rows else moments.astype(int)
        )
        self._font = ImageFont.truetype(font_file(), _VALUE_SIZE)

    def at(self, frame: int) -> np.ndarray:
        """Draw the plots at the moment of a frame, uint8 `(height, width, 3)`."""
        canvas = self._future.copy()
        column = int(self._columns[frame])
        canvas[:, :column] = self._past[:, :column]
        picture = Image.fromarray(canvas)
        draw = ImageDraw.Draw(picture)
        for plot in self._plots:
            plot.draw_cursor(draw, column, frame, self._font)
        return np.asarray(picture)


class _Plot:
    """The moving parts of one plot."""

    def __init__(self, axes: Axes, values: np.ndarray, unit: str, colour: str) -> None:
        self.values = values
        self.unit = unit
        self.colour = tuple(round(255 * part) for part in to_rgb(colour))
        _, self.rows = _pixels(axes, np.zeros(len(values)), np.nan_to_num(values))
        box = axes.get_window_extent()
        height = axes.figure.bbox.height
        self.top, self.bottom = round(height - box.y1), round(height - box.y0)
        self.right = round(box.x1)

    def draw_cursor(
        self, draw: ImageDraw.ImageDraw, column: int, frame: int, font: ImageFont.FreeTypeFont
    ) -> None:
        """Draw the line of the moment, the point on the curve, and the value."""
        draw.line((column, self.top, column, self.bottom), SOFT)
        value = self.values[frame]
        text = "\N{EN DASH}"
        if np.isfinite(value):
            row = int(self.rows[frame])
            box = (column - _POINT, row - _POINT, column + _POINT, row + _POINT)
            draw.ellipse(box, self.colour, "white")
            text = f"{value:,.0f} {self.unit}"
        draw.text((self.right, self.top - _VALUE_ABOVE), text, TEXT, font, "rs")


def _rendered(canvas: FigureCanvasAgg) -> np.ndarray:
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _pixels(axes: Axes, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Convert points of a plot to columns and rows."""
    column, row = axes.transData.transform(np.column_stack((x, y))).T
    height = axes.figure.bbox.height
    return column.round().astype(int), (height - row).round().astype(int)
