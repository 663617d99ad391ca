"""Show measured quantities in tables, and say what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from amseg_keras.quantify.quantities import Quantities
from amseg_keras.quantify.scale import SIZE_FROM, column_with_unit
from amseg_keras.report.experiment.look import TimeAxis, unit_of
from amseg_keras.report.page import NOTHING, count

_DEFINITIONS = {
    "Surface": "A robust line through the top of the substrate, found in every frame, so that a "
    "plate may be tilted. All depths are measured from it, perpendicular to it.",
    "Keyhole": "The largest connected piece labelled keyhole, and pieces up to 10 px beside it.",
    "Keyhole area": "The area of its pixels.",
    "Keyhole depth": "From the surface to the tip, the deepest point of the keyhole.",
    "Keyhole width": "The longest run of keyhole parallel to the surface, at any depth.",
    "Aperture": "Width at the surface; 0 where the keyhole does not reach it.",
    "Aspect ratio": "Depth divided by width.",
    "Front-wall angle": "Between the aperture and the wall on the side that the scan moves to, "
    "inside the keyhole: 90° is straight down, less where the tip trails behind.",
    "Melt pool": "The liquid with the keyhole and the pores in it: the connected piece that holds "
    "most liquid. Only networks with the class melt pool find it.",
    "Melt-pool depth": "From the surface to the deepest point of the pool.",
    "Melt-pool length": "Largest extent parallel to the surface, at any depth. Width at the "
    "surface: the extent there; 0 where the pool does not reach it.",
    "Boundary": "A smoothing spline through the lowest pixel of the pool in each column, with the "
    "robust standard deviation of these pixels about it.",
    "Solidification front": "The tail of the pool, behind the laser; its speed is the slope of a "
    "robust line through its columns over time.",
    "Pore": 'A connected piece labelled pore; those below the smallest size (under "How it was '
    'made") are speckles and not counted.',
    "Equivalent diameter": "Of the disc of the same area, √(4 A / π); equation 5 of the paper.",
    "Pore depth": "Of the centroid, below the surface.",
    "Pore track": "One pore, followed from frame to frame.",
    "Origin": "Formed: during the recording, in the first frame with the pore. Earlier: "
    "there in the first frame, and moving. Static: an old pore or dirt, which never moves and was "
    "not formed during the recording. Unclear: seen too seldom to tell. Only formed ones count "
    "as formed, and static or unclear blobs have no growth and no drift.",
    "Formed at the keyhole": "A pore that touches the keyhole when it is first seen, or is as near "
    "to it as its own diameter and 3 px, or to where the keyhole was up to three frames before.",
    "Growth": "Slope of the area over time, from the first frame to that of the largest area.",
    "Drift": "Velocity of the centroid in the frame, while it moves; positive to the right.",
    "Fluctuation": "δ = |x - mean| / mean, over the frames "
    "with a keyhole; equations 3 and 4 of the paper. Its mean and its largest value are given, of "
    "area and depth.",
    "Oscillation": "The strongest peak in the spectrum of the keyhole's depth, if one stands out "
    "of the noise.",
    "Porosity": "Area of the pores divided by that of pores and metal, in the image; no volume.",
    "Melt-free depth": "From the deepest pixel of keyhole and pores, where the metal must have "
    "been molten, to the bottom of the plate in the frame.",
}


def definitions() -> str:
    """Return the drawing and a list of all quantities, folded."""
    terms = "".join(
        f"<dt>{escape(term)}</dt><dd>{escape(meaning)}</dd>"
        for term, meaning in _DEFINITIONS.items()
    )
    return (
        '<details class="printed"><summary>How every quantity is defined</summary>'
        f'<div class="drawing">{GEOMETRY}</div><dl>{terms}</dl>'
        '<p class="soft">The paper: W. Li et al., AM-SegNet, Virtual and Physical Prototyping 19 '
        "(2024), doi 10.1080/17452759.2024.2325572.</p></details>"
    )


GEOMETRY = """
<svg role="img" aria-label="Drawing: where keyhole depth, width, aperture, front-wall angle,
 pore depth, equivalent diameter and melt-free depth are measured" viewBox="0 0 720 380"
 font-size="15" fill="currentColor" stroke-linecap="round">
<defs><marker id="geometry-tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7"
 markerHeight="7" orient="auto-start-reverse"><path d="M1 1 9 5 1 9" fill="none"
 stroke="currentColor" stroke-width="1.6"/></marker></defs>
<rect x="20" y="100" width="680" height="260" fill="#2f9aa0" opacity=".16"/>
<path d="M334 100C332 130 326 150 304 175C279 200 262 225 266 250C270 278 300 290 320 278
 C349 260 362 225 370 195C378 165 390 130 394 100Z" fill="var(--keyhole)" opacity=".85"/>
<ellipse cx="118" cy="216" rx="24" ry="15" transform="rotate(-20 118 216)" fill="var(--pore)"/>
<circle cx="118" cy="216" r="19" fill="none" stroke="currentColor" stroke-dasharray="3 3"/>
<path d="M20 100H700" stroke="currentColor" stroke-width="2"/>
<text x="28" y="90">surface</text>
<text x="28" y="348" opacity=".75">substrate</text>
<g fill="none" stroke="currentColor" stroke-width="1.2" stroke-dasharray="4 4" opacity=".6">
<path d="M334 64V98M394 64V98M306 284H630M394 100L359 232M118 216H176M99 216V262M137 216V262"/>
</g>
<g fill="none" stroke="currentColor" stroke-width="1.4" marker-start="url(#geometry-tip)"
 marker-end="url(#geometry-tip)">
<path d="M334 74H394"/><path d="M528 102V282"/><path d="M170 102V214"/><path d="M99 256H137"/>
<path d="M610 286V358"/></g>
<path d="M267 237H355" fill="none" stroke="var(--back)" stroke-width="1.8"/>
<path d="M267 231V243M355 231V243" stroke="var(--back)" stroke-width="1.8"/>
<path d="M358 100A36 36 0 0 0 385 135" fill="none" stroke="var(--back)" stroke-width="2"/>
<path d="M372 122L412 138" stroke="currentColor" stroke-width="1"/>
<path d="M440 56H530" stroke="currentColor" stroke-width="2" marker-end="url(#geometry-tip)"/>
<g text-anchor="middle"><text x="364" y="56">aperture</text>
<text x="485" y="42">scan direction</text><text x="118" y="280">equivalent diameter</text></g>
<text x="416" y="144" stroke="none">front-wall</text><text x="416" y="162">angle</text>
<text x="538" y="196">depth</text><text x="180" y="150">pore depth</text>
<text x="220" y="243">width</text>
<text x="621" y="318">melt-free</text><text x="621" y="336">depth</text>
<text x="286" y="306">tip</text>
</svg>
"""
"""Drawing of the quantities: an `<svg>` element in the colours of the page."""


ROWS = 200
"""Rows of a table on the page; a file holds all rows."""


def data_table(table: pd.DataFrame, columns: Mapping[str, str], file: str) -> str:
    """Write the first rows of a table as HTML.

    Args:
        columns: Columns of `table` and their titles; missing columns are left out. The first
            column names the rows.
    """
    there = {name: title for name, title in columns.items() if name in table}
    head = "".join(f"<th>{escape(title)}</th>" for title in there.values())
    rows = [
        f"<th>{escape(in_words(first))}</th>"
        + "".join(f"<td>{escape(in_words(value))}</td>" for value in rest)
        for first, *rest in table[list(there)].head(ROWS).itertuples(index=False)
    ]
    shown = (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>'
        + "".join(f"<tr>{row}</tr>" for row in rows)
        + "</tbody></table></div>"
    )
    if len(table) > ROWS:
        shown += (
            f'<p class="soft">The first {ROWS} of {len(table):,} rows; all of them are in '
            f"{escape(file)}.</p>"
        )
    return shown


def in_words(value: Any) -> str:
    """Write a value of a table for a reader.

    Example:
        >>> [in_words(value) for value in (12345.6, 0.01234, 7, True, float("nan"), "vanished")]
        ['12,346', '0.0123', '7', 'yes', '–', 'vanished']
    """
    if isinstance(value, str):
        return value
    if value is None or pd.isna(value):
        return NOTHING
    if pd.api.types.is_bool(value):
        return "yes" if value else "no"
    if pd.api.types.is_integer(value):
        return f"{value:,}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


_PLACE = {"x_px": "column (px)", "y_px": "row (px)"}


def pore_tables(quantities: Quantities, axis: TimeAxis, folder: str) -> list[str]:
    """Write a table of the pores through time, and two folded ones: of events, and of all pores."""
    events, pores = quantities.events, quantities.pores
    moment = {"frame": "frame", "time": axis.label}
    event_columns = {
        **moment,
        "event": "event",
        "track": "pore",
        **_PLACE,
        **_in_unit(events, "equivalent_diameter", "equivalent diameter"),
        "from_keyhole": "formed at the keyhole",
    }
    pore_columns = {
        **moment,
        "track": "pore",
        **_in_unit(pores, "equivalent_diameter", "equivalent diameter"),
        **_in_unit(pores, "pore_area", "area"),
        **_in_unit(pores, "depth", "depth"),
        **_PLACE,
        "eccentricity": "eccentricity",
        "touches_keyhole": "touches the keyhole",
    }
    return [
        _tracks(quantities.tracks, f"{folder}/tracks.csv"),
        '<p class="soft">Each row is one pore, followed from frame to frame. Static are blobs that '
        "never move and were not formed during the recording: old pores or dirt. Unclear is what "
        "was seen too seldom to tell. Neither has a rate. Behind ± are standard errors.</p>",
        _folded(
            f"{count(len(events), 'event')}: when pores were formed and when they ended",
            data_table(_with_time(events, axis), event_columns, f"{folder}/events.csv"),
        ),
        _folded(
            f"Every pore in every frame: {count(len(pores), 'row')}",
            data_table(_with_time(pores, axis), pore_columns, f"{folder}/pores.csv"),
        ),
    ]


def _tracks(tracks: pd.DataFrame, file: str) -> str:
    area = column_with_unit(tracks, "largest_area")
    length = unit_of(area, SIZE_FROM in tracks).replace("²", "")
    largest = np.sqrt(4 / np.pi * tracks[area])
    columns = {
        "track": "pore",
        "first_frame": "first frame",
        "last_frame": "last frame",
        **({"origin": "origin"} if "origin" in tracks else {}),
        "from_keyhole": "formed at the keyhole",
        **_in_unit(tracks, "birth_depth", "birth depth"),
        "largest_diameter": f"largest diameter ({length})",
        **_in_unit(tracks, "birth_area", "birth area"),
        **_in_unit(tracks, "final_area", "final area"),
        **_velocities(tracks),
        "frozen_frame": "at rest from frame",
        "end": "end",
    }
    return data_table(tracks.assign(largest_diameter=largest), columns, file)


def _in_unit(table: pd.DataFrame, quantity: str, title: str) -> dict[str, str]:
    """Return a column in a known unit, and its title with the unit."""
    name = column_with_unit(table, quantity)
    return {name: f"{title} ({unit_of(name, SIZE_FROM in table)})"}


def _velocities(tracks: pd.DataFrame) -> dict[str, str]:
    if "drift_x_mm_per_s" in tracks:
        said = ", assumed" if SIZE_FROM in tracks else ""
        rates = {
            "growth{}_um2_per_s": f"growth (µm²/s{said})",
            "drift_x{}_mm_per_s": f"drift right (mm/s{said})",
            "drift_y{}_mm_per_s": f"drift down (mm/s{said})",
        }
    else:
        rates = {
            "growth{}_px_per_frame": "growth (px² a frame)",
            "drift_x{}_px_per_frame": "drift right (px a frame)",
            "drift_y{}_px_per_frame": "drift down (px a frame)",
        }
    columns = {}
    for name, title in rates.items():
        columns[name.format("")] = title
        if name.format("_error") in tracks:
            columns[name.format("_error")] = f"± {title}"
    return columns


def _with_time(table: pd.DataFrame, axis: TimeAxis) -> pd.DataFrame:
    if not axis.unit:
        return table
    return table.assign(time=[axis.number(frame) for frame in table["frame"]])


def _folded(summary: str, content: str) -> str:
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"
