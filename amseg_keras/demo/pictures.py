"""What the page shows of an analysis: values of its components, drawn by `amseg_keras.report`."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from PIL import Image

from amseg_keras.demo.analysis import Analysis, grey_range_of
from amseg_keras.quantify import Quantities
from amseg_keras.quantify.scale import column_with_unit
from amseg_keras.read import open_stack
from amseg_keras.report.colours import class_colours
from amseg_keras.report.experiment.distributions import LEAST_FRAMES, area_histogram_figure
from amseg_keras.report.experiment.film_strip import Pictures
from amseg_keras.report.experiment.inline_svg import inline_svg
from amseg_keras.report.experiment.look import PAGE_COLOURS, time_axis, unit_of
from amseg_keras.report.experiment.tables import in_words, pore_tables
from amseg_keras.report.experiment.time_series import panels_of, time_series_figure

CARDS = {
    "keyhole_area": "keyhole area",
    "keyhole_depth": "keyhole depth",
    "keyhole_width": "keyhole width",
    "pore_count": "pores",
    "pore_area": "pore area",
    "porosity": "porosity",
}
"""Columns of the table of frames, without their units, that are shown large."""


def viewer_value(
    class_names: Sequence[str], frame: np.ndarray | None = None, labels: np.ndarray | None = None
) -> dict[str, Any]:
    """What `assets/viewer.js` draws: a frame and its labels as pictures, and the classes.

    Args:
        class_names: Name of each class id.
        frame: Red, green, blue as it is shown without labels, uint8 `(height, width, 3)`.
        labels: Class ids, uint8 `(height, width)`.

    Example:
        >>> viewer_value(["pore"])
        {'classes': [['pore', '#d62728']], 'frame': None, 'labels': None}
    """
    colours = [f"#{bytes(one).hex()}" for one in class_colours(class_names)]
    return {
        "classes": [list(pair) for pair in zip(class_names, colours, strict=True)],
        "frame": None if frame is None else _data_url(frame[..., 0]),
        "labels": None if labels is None else _data_url(labels),
    }


def draw_frame(
    analysis: Analysis, record: dict[str, Any], index: int
) -> tuple[dict[str, Any], tuple[str, str]]:
    """A frame as the viewer wants it, and without and with its labels.

    Args:
        analysis: Segmented.
        record: Of the segmentation.
        index: Of the frame, from 0.

    Returns:
        Value of the viewer; paths of pictures of the frame without and with its labels.
    """
    class_names = record["class_names"]
    with (
        analysis.recording.open() as stack,
        open_stack(analysis.labels) as label_stack,
    ):
        labels = label_stack[index]
        pictures = Pictures(stack, class_names, grey_range_of(record))
        before, after = pictures.pair(index, labels)
    if before is None:
        before = np.full((*labels.shape, 3), 255, np.uint8)
    folder = analysis.home / "shown"
    folder.mkdir(exist_ok=True)
    paths = folder / f"{index}-before.png", folder / f"{index}-after.png"
    for path, picture in zip(paths, (before, after), strict=True):
        Image.fromarray(picture).save(path, compress_level=3)
    return viewer_value(class_names, before, labels), (str(paths[0]), str(paths[1]))


def cards(quantities: Quantities, index: int) -> str:
    """The numbers of one frame as HTML; a sentence where it could not be read."""
    row = quantities.frames[quantities.frames["frame"] == index]
    if row.empty:
        return '<p class="soft">This frame could not be read.</p>'
    shown = []
    for name, title in CARDS.items():
        column = column_with_unit(quantities.frames, name) if name not in row else name
        number, unit = in_words(row[column].iloc[0]), escape(unit_of(column))
        shown.append(f"<div><b>{number} <small>{unit}</small></b><span>{title}</span></div>")
    return f'<div class="cards">{"".join(shown)}</div>'


def time_plots(quantities: Quantities, class_names: Sequence[str], frames: int) -> str:
    """Keyhole area, depth and pore area over time as HTML, with a cursor that `page.js` moves."""
    if frames < 2 or not panels_of(class_names):
        return '<p class="soft">There is nothing to plot over time.</p>'
    figure = time_series_figure(quantities, class_names, time_axis(quantities.scale, frames))
    first, last = (axes.get_position() for axes in (figure.axes[0], figure.axes[-1]))
    cursor = {
        "left": first.x0 + first.width / 2 / frames,
        "top": 1 - first.y1,
        "bottom": last.y0,
    }
    style = "; ".join(f"{side}: {share:.3%}" for side, share in cursor.items())
    what = "Keyhole area, keyhole depth and pore area over time"
    return (
        f'<div class="wide"><div class="plots" data-left="{first.x0}" data-width="{first.width}" '
        f'data-frames="{frames}">{inline_svg(figure, what, PAGE_COLOURS)}'
        f'<i class="cursor" style="{style}"></i></div></div>'
    )


def histogram(quantities: Quantities) -> str:
    """How the keyhole's area is distributed, as HTML."""
    figure = area_histogram_figure(quantities)
    if figure is None:
        return f'<p class="soft">A histogram takes {LEAST_FRAMES} frames with a keyhole.</p>'
    svg = inline_svg(figure, "Histogram of the keyhole's area", PAGE_COLOURS)
    return f'<div class="plots narrow">{svg}</div>'


def pores(quantities: Quantities, frames: int, folder: str) -> str:
    """Every pore through time, and in every frame, as HTML.

    Args:
        quantities: Of the recording.
        frames: Its length.
        folder: Where the tables are in what can be downloaded.
    """
    if quantities.pores.empty:
        return '<p class="soft">No pores were found.</p>'
    axis = time_axis(quantities.scale, frames)
    return f'<div class="tables">{"".join(pore_tables(quantities, axis, folder))}</div>'


def _data_url(picture: np.ndarray) -> str:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(stream, "PNG", compress_level=3)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
