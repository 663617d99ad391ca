"""Plots that run along with a movie: drawn once, and only put together for each frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from amseg_keras.quantify.quantities import Quantities
from amseg_keras.quantify.scale import column_with_unit
from amseg_keras.report.experiment.look import SOFT, TEXT, font_file, unit_of
from amseg_keras.report.experiment.time_axis import TimeAxis
from amseg_keras.report.experiment.time_series import (
    draw_quantity,
    mark_formed,
    over_time,
    panels_of,
)

_DPI = 100

_PALE = 0.25
"""What is left of a line that the movie has not reached."""

_TEXT_SIZE = 14

_ABOVE = 8
"""Baseline of a value above its plot in pixels: that of the plot's title."""

_POINT = 4
"""Radius of the point that moves along a line, in pixels."""


class RunningPlots:
    """Keyhole area, keyhole depth and pore area, drawn in full colour up to a frame.

    Args:
        quantities: Of the experiment.
        class_names: Of the labels: without keyhole or pore its plots are left out.
        axis: Of time.
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
        # The lines must not move when they are drawn once more.
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
        self._font = ImageFont.truetype(font_file(), _TEXT_SIZE)

    def at(self, frame: int) -> np.ndarray:
        """The plots at the moment of a frame, uint8 `(height, width, 3)`."""
        canvas = self._future.copy()
        column = int(self._columns[frame])
        canvas[:, :column] = self._past[:, :column]
        picture = Image.fromarray(canvas)
        draw = ImageDraw.Draw(picture)
        for plot in self._plots:
            plot.draw_cursor(draw, column, frame, self._font)
        return np.asarray(picture)


class _Plot:
    """What moves on one of the plots."""

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
        """Draw the line of the moment, the point on the curve, and the value in words."""
        draw.line((column, self.top, column, self.bottom), SOFT)
        value = self.values[frame]
        text = "\N{EN DASH}"
        if np.isfinite(value):
            row = int(self.rows[frame])
            box = (column - _POINT, row - _POINT, column + _POINT, row + _POINT)
            draw.ellipse(box, self.colour, "white")
            text = f"{value:,.0f} {self.unit}"
        draw.text((self.right, self.top - _ABOVE), text, TEXT, font, "rs")


def _rendered(canvas: FigureCanvasAgg) -> np.ndarray:
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _pixels(axes: Axes, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns and rows of points of a plot."""
    column, row = axes.transData.transform(np.column_stack((x, y))).T
    height = axes.figure.bbox.height
    return column.round().astype(int), (height - row).round().astype(int)
