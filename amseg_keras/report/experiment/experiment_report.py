"""Write one experiment as one HTML file that needs no other file."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from amseg_keras.classes import MELT_POOL
from amseg_keras.quantify.intervals import HIGH, LOW
from amseg_keras.quantify.quantities import Quantities
from amseg_keras.quantify.scale import SIZE_FROM, column_with_unit
from amseg_keras.report.colours import class_colours
from amseg_keras.report.experiment.film_strip import StripPicture
from amseg_keras.report.experiment.look import PAGE_COLOURS, TimeAxis, inline_svg, unit_of
from amseg_keras.report.experiment.tables import data_table, definitions, in_words, pore_tables
from amseg_keras.report.page import NOTHING, about, cards, count, image_source, notes, page

_STYLE = """
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr)); }
thead th { white-space: normal; vertical-align: bottom; line-height: 1.25; }
.plot { overflow-x: auto; margin: 1rem 0 .4rem; }
.plot svg { display: block; width: 100%; min-width: 42rem; height: auto; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr));
  gap: 1.5rem; }
.pair .plot { max-width: 36rem; }
.pair .plot svg { min-width: 0; }
.frames { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(18rem, 100%), 1fr));
  gap: 1rem; margin-top: .8rem; }
.frames figure { margin: 0; }
.frames img { width: 100%; padding: 0; }
.legend span { margin-right: 1.2rem; white-space: nowrap; }
details { border-top: 1px solid var(--line); padding: .6rem 0; margin-top: 1rem; }
summary { cursor: pointer; font-weight: 600; }
.drawing svg { display: block; width: 100%; max-width: 44rem; height: auto; margin: 1rem 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .35rem 1.4rem; margin: 1rem 0; }
dt { font-weight: 600; } dd { margin: 0; max-width: 48rem; }
@media (max-width: 40rem) { body { padding: 1.2rem 1rem 3rem; } dl { display: block; }
  dd { margin: 0 0 .7rem; }
  .cards { grid-template-columns: 1fr 1fr; gap: .6rem; margin: 1.2rem 0; }
  .card { min-width: 0; padding: .6rem .8rem; line-height: 1.3; } .card b { font-size: 1.35rem; } }
@media print { .printed::details-content { content-visibility: visible; block-size: auto; }
  .plot svg { min-width: 0; } .frames { grid-template-columns: repeat(3, 1fr); } }
"""

_MOST_WIDTH = 1024
"""Widest frame in the report in pixels; wider frames are reduced."""

_JPEG_QUALITY = 88

_MELT_POOL = {
    "melt_pool_depth": "depth",
    "melt_pool_length": "length",
    "melt_pool_surface_width": "width at the surface",
    "melt_pool_area": "area, with keyhole and pores",
    "keyhole_to_melt_pool_depth": "depth of the keyhole / depth of the melt pool",
}

_KEYHOLE = {
    "keyhole_depth": "depth",
    "keyhole_area": "area",
    "keyhole_width": "width",
    "keyhole_aperture": "aperture at the surface",
    "keyhole_aspect_ratio": "aspect ratio",
    "front_wall_angle_deg": "front-wall angle",
}


@dataclass(frozen=True, eq=False)
class Experiment:
    """Subject of a report.

    Attributes:
        name: Name of the experiment.
        subtitle: Recording and conditions.
        quantities: Quantities of the experiment.
        class_names: Classes of the labels.
        axis: Axis of time.
        folder: Folder of the tables, as text.
    """

    name: str
    subtitle: str
    quantities: Quantities
    class_names: Sequence[str]
    axis: TimeAxis
    folder: str


@dataclass(frozen=True, eq=False)
class Figures:
    """Figures of a report, from the functions of these names; None without enough data."""

    time_series: Figure | None
    area_histogram: Figure | None
    spectrum: Figure | None
    strip: Sequence[StripPicture]


def experiment_report(
    experiment: Experiment, figures: Figures, sentences: Sequence[str], made_with: Mapping[str, str]
) -> str:
    """Write the HTML page of an experiment: numbers, figures, frames, tables, definitions.

    The page loads nothing, and shows names from files as text.
    """
    body = [
        f"<h1>{escape(experiment.name)}</h1>",
        f'<p class="soft">{escape(experiment.subtitle)}</p>',
        *notes(sentences),
        cards(_headline(experiment)),
        *_over_time(experiment, figures),
        *_frames(experiment, figures),
        *_keyhole(experiment, figures),
        *_melt_pool(experiment),
        *_pores(experiment),
        "<h2>How it was made</h2>",
        about(made_with),
        definitions(),
    ]
    return page(experiment.name, body, _STYLE)


def _headline(experiment: Experiment) -> list[tuple[str, str]]:
    summary = experiment.quantities.summary
    shown = []
    if "keyhole" in experiment.class_names:
        shown += [
            ("median keyhole depth", _of_summary(summary, "median_keyhole_depth")),
            ("median keyhole area", _of_summary(summary, "median_keyhole_area")),
            ("mean fluctuation of the depth", _percent(summary.get("depth_delta_avg"))),
            ("mean fluctuation of the area", _percent(summary.get("area_delta_avg"))),
        ]
        if (peak := summary.get("oscillation_hz")) is not None:
            hertz = f"{peak / 1000:.3g} kHz" if peak >= 1000 else f"{peak:.3g} Hz"
            shown.append(("oscillation of the depth", hertz))
    if MELT_POOL in experiment.class_names:
        shown += [
            (f"median melt-pool {of}", _of_summary(summary, f"median_melt_pool_{of}"))
            for of in ("depth", "length")
        ]
        if (speed := summary.get("solidification_front_mm_per_s")) is not None:
            shown.append(("speed of the solidification front", f"{in_words(speed)} mm/s"))
    if "pore" in experiment.class_names:
        formed = "pores formed"
        if "keyhole" in experiment.class_names and summary["pores_formed"]:
            formed += f", {summary['pores_from_keyhole']:,} at the keyhole"
        shown += [
            (formed, f"{summary['pores_formed']:,}"),
            *_standing_still(summary),
            (
                "equivalent diameter of the largest pore",
                _of_summary(summary, "largest_pore_equivalent_diameter"),
            ),
            ("mean porosity in the image", _percent(summary.get("porosity"))),
        ]
    return shown


def _standing_still(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Count pores that were there before and never move; earlier versions did not."""
    static = summary.get("pores_static")
    return [("static: old pores or dirt", f"{static:,}")] if static else []


def _of_summary(summary: Mapping[str, Any], quantity: str) -> str:
    name = column_with_unit(pd.DataFrame([dict(summary)]), quantity)
    text = in_words(summary[name])
    if text == NOTHING:
        return text
    assumed = SIZE_FROM in summary
    return f"{text}{_interval(summary, name)} {unit_of(name, assumed)}"


def _interval(summary: Mapping[str, Any], name: str) -> str:
    """Write the 90 % interval of a number, if it has one."""
    ends = [in_words(summary.get(end + name)) for end in (LOW, HIGH)]
    return "" if NOTHING in ends else f" ({ends[0]} to {ends[1]})"


def _percent(value: float | None) -> str:
    if value is None or math.isnan(value):
        return NOTHING
    return f"{100 * value:.3g}\N{NARROW NO-BREAK SPACE}%"


def _over_time(experiment: Experiment, figures: Figures) -> list[str]:
    if figures.time_series is None:
        return []
    caption = "Each frame stands above its moment."
    if any(name.startswith(LOW) for name in experiment.quantities.frames):
        caption += (
            " Bands, and the numbers in brackets, are 90 % intervals: between what the network is "
            "sure of and what it cannot rule out."
        )
    if "keyhole" in experiment.class_names:
        caption += " It shows the surroundings of the keyhole."
    if (experiment.quantities.events["event"] == "pore formed").any():
        caption += " Triangles mark the moments at which pores were formed."
    return [
        "<h2>Over time</h2>",
        _plot(figures.time_series, "What was measured over time, under frames of the recording"),
        f'<p class="soft">{escape(caption)}</p>',
    ]


def _plot(figure: Figure, description: str) -> str:
    return f'<div class="plot">{inline_svg(figure, description, PAGE_COLOURS)}</div>'


def _frames(experiment: Experiment, figures: Figures) -> list[str]:
    if not figures.strip:
        return []
    legend = "".join(
        f'<span><i class="swatch" style="background:#{bytes(colour).hex()}"></i>'
        f"{escape(name)}</span>"
        for name, colour in zip(
            experiment.class_names, class_colours(experiment.class_names), strict=True
        )
    )
    shown = []
    for shot in figures.strip:
        moment = experiment.axis.text(shot.frame)
        name = moment if moment.startswith("frame") else f"{moment}, frame {shot.frame}"
        shown.append(
            f'<figure><img alt="{escape(name)}" src="{_jpeg(shot.picture)}">'
            f"<figcaption>{escape(name)}</figcaption></figure>"
        )
    return [
        "<h2>Frames</h2>",
        f'<p class="legend">{legend}</p>',
        f'<div class="frames">{"".join(shown)}</div>',
    ]


def _jpeg(picture: np.ndarray) -> str:
    image = Image.fromarray(picture)
    if image.width > _MOST_WIDTH:
        image = image.resize((_MOST_WIDTH, round(image.height * _MOST_WIDTH / image.width)))
    stream = io.BytesIO()
    image.save(stream, "jpeg", quality=_JPEG_QUALITY, subsampling=0)
    return image_source(stream.getvalue(), "jpeg")


def _keyhole(experiment: Experiment, figures: Figures) -> list[str]:
    if "keyhole" not in experiment.class_names:
        return []
    frames = experiment.quantities.frames
    there = frames[frames["keyhole_area_px"] > 0]
    if there.empty:
        return ["<h2>Keyhole</h2>", "<p>No frame shows a keyhole.</p>"]
    parts = ["<h2>Keyhole</h2>", _statistics(there, _KEYHOLE, "keyhole")]
    parts.append(
        f'<p class="soft">Over the {count(len(there), "frame")} with a keyhole, of '
        f"{count(len(frames), 'frame')}.</p>"
    )
    plots = [
        _plot(figure, description)
        for figure, description in (
            (figures.area_histogram, "Histogram of the keyhole's area"),
            (figures.spectrum, "Spectrum of the oscillation of the keyhole's depth"),
        )
        if figure is not None
    ]
    if plots:
        parts.append(f'<div class="pair">{"".join(plots)}</div>')
    return parts


def _melt_pool(experiment: Experiment) -> list[str]:
    if MELT_POOL not in experiment.class_names:
        return []
    frames = experiment.quantities.frames
    there = frames[frames["melt_pool_area_px"] > 0]
    if there.empty:
        return ["<h2>Melt pool</h2>", "<p>No frame shows a melt pool.</p>"]
    return [
        "<h2>Melt pool</h2>",
        _statistics(there, _MELT_POOL, MELT_POOL),
        f'<p class="soft">Over the {count(len(there), "frame")} with a melt pool, of '
        f"{count(len(frames), 'frame')}. The white line in the frames is its boundary to the solid "
        "metal; melt_pool_boundary.csv holds it. Liquid is hardly brighter than solid metal, so "
        "look at the frames before you use these numbers.</p>",
    ]


def _statistics(there: pd.DataFrame, quantities: Mapping[str, str], what: str) -> str:
    rows = {}
    for quantity, title in quantities.items():
        name = quantity if quantity in there else column_with_unit(there, quantity)
        values = there[name].dropna()
        unit = unit_of(name, SIZE_FROM in there)
        rows[f"{title} ({unit})" if unit else title] = {
            "median": values.median(),
            "mean": values.mean(),
            "standard deviation": values.std(),
            "smallest": values.min(),
            "largest": values.max(),
        }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis(what).reset_index()
    return data_table(table, {name: str(name) for name in table.columns}, "")


def _pores(experiment: Experiment) -> list[str]:
    if "pore" not in experiment.class_names:
        return []
    if experiment.quantities.tracks.empty:
        return ["<h2>Pores</h2>", "<p>No frame shows a pore.</p>"]
    tables = pore_tables(experiment.quantities, experiment.axis, experiment.folder)
    return ["<h2>Pores</h2>", *tables]
