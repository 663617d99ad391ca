"""Draw many experiments: histograms, correlation maps and errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse

from amseg_keras.quantify.scale import column_with_unit
from amseg_keras.quantify.study import (
    KEYHOLE_PORE,
    QUANTITIES,
    CovarianceEllipse,
    DividingLine,
    Plane,
)
from amseg_keras.report.experiment.look import axis_label

_LARGEST_POINTS = 21.0
"""Diameter in points of the bubble of the largest pore."""

_SMALLEST_POINTS = 4.0


@dataclass(frozen=True)
class Look:
    """Colour (by Okabe and Ito, for the colour-blind too), marker and line of a group."""

    title: str
    colour: str
    marker: str
    line: Literal["-", "--", ":"]


WITH_PORES = Look("with keyhole pores", "#d55e00", "o", "-")
WITHOUT_PORES = Look("without keyhole pores", "#0072b2", "s", "--")
WITHOUT_KEYHOLE = Look("without a keyhole", "#767676", "x", ":")


def draw_bubbles(axes: Axes, table: pd.DataFrame, x: str, y: str) -> list[Line2D]:
    """Draw experiments: with pores as bubbles, without as squares.

    The size of a bubble is the equivalent diameter of the largest pore from the keyhole.

    Args:
        table: table from `experiments_table`.

    Returns:
        Handles for the legend: both groups and three sizes of bubbles.
    """
    column = column_with_unit(table, KEYHOLE_PORE)
    with_pores, without = table[table["has_pores"]], table[~table["has_pores"].astype(bool)]
    largest = float(with_pores[column].max()) if len(with_pores) else np.nan
    # Large ones first, so that small ones lie on them.
    with_pores = with_pores.sort_values(column, ascending=False)
    axes.scatter(
        without[x], without[y], s=22, marker=WITHOUT_PORES.marker, facecolors="white",
        edgecolors=WITHOUT_PORES.colour, linewidths=1.2, zorder=4,
    )  # fmt: skip
    axes.scatter(
        with_pores[x], with_pores[y], s=_points(with_pores[column].to_numpy(float), largest) ** 2,
        marker=WITH_PORES.marker, facecolors=WITH_PORES.colour, edgecolors="white",
        linewidths=0.6, alpha=0.75, zorder=3,
    )  # fmt: skip
    handles = [
        Line2D(
            [], [], linestyle="", marker=WITHOUT_PORES.marker, markersize=5,
            markerfacecolor="white", markeredgecolor=WITHOUT_PORES.colour, markeredgewidth=1.2,
            label=f"{WITHOUT_PORES.title} ({len(without)})",
        ),
        Line2D(
            [], [], linestyle="", marker=WITH_PORES.marker, markersize=8,
            markerfacecolor=WITH_PORES.colour, markeredgecolor="white", alpha=0.75,
            label=f"{WITH_PORES.title} ({len(with_pores)})",
        ),
    ]  # fmt: skip
    unit = column.removeprefix(f"{KEYHOLE_PORE}_").replace("um", "µm")
    for size in round_sizes(largest):
        points = float(_points(np.array([size]), largest)[0])
        handles.append(
            Line2D(
                [], [], linestyle="", marker="o", markersize=points, markerfacecolor="none",
                markeredgecolor=WITH_PORES.colour, label=f"{size:g} {unit} pore",
            )
        )  # fmt: skip
    return handles


def round_sizes(largest: float) -> Sequence[float]:
    """Return up to three round numbers for a scale of bubbles, each twice the one before.

    Example:
        >>> round_sizes(93.0), round_sizes(float("nan"))
        ([20.0, 40.0, 80.0], [])
    """
    if not largest > 0:
        return []
    digit = 10.0 ** np.floor(np.log10(largest))
    top = max(factor * digit for factor in (1, 2, 4, 8) if factor * digit <= largest)
    return [float(top / 4), float(top / 2), float(top)]


def _points(diameters: np.ndarray, largest: float) -> np.ndarray:
    """Return the diameter of bubbles in points, proportional to the diameter of the pores."""
    return np.maximum(np.nan_to_num(diameters / largest) * _LARGEST_POINTS, _SMALLEST_POINTS)


_BINS = 40


def area_histograms(frames: pd.DataFrame, title: str = "") -> Figure:
    """Draw histograms of the keyhole area, of experiments with and without pores.

    Args:
        frames: table from `keyhole_frames`.
        title: title of the figure, for example that the experiments are simulated.

    Example:
        >>> frames = pd.DataFrame({
        ...     "experiment": ["a", "a", "b"], "has_pores": [True, True, False],
        ...     "keyhole_area_um2": [900.0, 2500.0, 1500.0],
        ... })
        >>> [axes.get_xlabel() for axes in area_histograms(frames).axes]
        ['keyhole area (µm²)', 'keyhole area (µm²)']
    """
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw_area_histograms((left, right), frames)
    if title:
        figure.suptitle(title, x=0.02, ha="left")
    return figure


def draw_area_histograms(pair: tuple[Axes, Axes], frames: pd.DataFrame) -> None:
    """Draw both histograms with the same limits; a group without frames has none."""
    column = column_with_unit(frames, "keyhole_area")
    known = frames.dropna(subset=[column])
    edges = np.linspace(0, known[column].max() if len(known) else 1, _BINS + 1).tolist()
    tallest = 0.0
    for axes, look, group in (
        (pair[0], WITH_PORES, known[known["has_pores"]]),
        (pair[1], WITHOUT_PORES, known[~known["has_pores"].astype(bool)]),
    ):
        areas = group[column].to_numpy(float)
        if len(areas):
            share = np.full(len(areas), 100 / len(areas))
            heights, _, _ = axes.hist(
                areas, edges, weights=share, color=look.colour, alpha=0.75, edgecolor="white"
            )
            tallest = max(tallest, float(np.max(heights)))
            axes.axvline(np.median(areas), color="k", linestyle="--", linewidth=1.2)
        axes.text(
            *(0.98, 0.96, _summary(look.title, group, column)),
            transform=axes.transAxes, ha="right", va="top", fontsize=9,
        )  # fmt: skip
        axes.set(xlabel=axis_label(column), ylabel="share of the frames (%)")
        axes.spines[["top", "right"]].set_visible(False)
    for axes in pair:
        axes.locator_params(axis="x", nbins=6)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.set(xlim=(0, edges[-1]), ylim=(0, 1.08 * tallest or 1))


def _summary(title: str, group: pd.DataFrame, column: str) -> str:
    lines = [f"{title}: {group['experiment'].nunique()} experiments, {len(group):,} frames"]
    if len(group):
        areas = group[column]
        unit = axis_label(column).partition("(")[2].rstrip(")")
        lines.append(f"median {areas.median():,.0f} {unit} (dashed)")
        lines.append(f"mean {areas.mean():,.0f} ± {areas.std():,.0f} {unit}")
    return "\n".join(lines)


def process_map(table: pd.DataFrame, title: str = "") -> Figure:
    """Draw power against speed; experiments without a keyhole are crosses.

    Args:
        table: table from `experiments_table`, with `power_W` and `speed_mm_s`; experiments without
            one of them are left out.
        title: title of the figure, for example that the experiments are simulated.

    Example:
        >>> table = pd.DataFrame({
        ...     "has_pores": [True], "power_W": [300.0], "speed_mm_s": [900.0],
        ...     "keyhole_frames": [80], "largest_keyhole_pore_equivalent_diameter_um": [40.0],
        ... })
        >>> process_map(table).axes[0].get_ylabel()
        'laser power (W)'
    """
    figure = Figure(figsize=(7.6, 5), layout="constrained")
    axes = figure.subplots()
    rows = table.dropna(subset=["power_W", "speed_mm_s"])
    # An experiment without a keyhole is no keyhole experiment without pores.
    shallow = (rows["keyhole_frames"] == 0) & ~rows["has_pores"].astype(bool)
    handles = draw_bubbles(axes, rows[~shallow], "speed_mm_s", "power_W")
    if shallow.any():
        look, conduction = WITHOUT_KEYHOLE, rows[shallow]
        axes.scatter(
            conduction["speed_mm_s"], conduction["power_W"], s=26, marker=look.marker,
            color=look.colour, linewidths=1.2, zorder=3,
        )  # fmt: skip
        handles.append(
            Line2D(
                [], [], linestyle="", marker=look.marker, color=look.colour, markersize=5,
                label=f"{look.title} ({len(conduction)})",
            )
        )  # fmt: skip
    axes.set(xlabel=axis_label("speed_mm_s"), ylabel=axis_label("power_W"))
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dfe3e8", linewidth=0.7)
    axes.set_axisbelow(True)
    return _with_legend(figure, handles, title)


def _with_legend(figure: Figure, handles: list[Line2D], title: str) -> Figure:
    """Add a legend beside a map, no corner of which is free for sure, and a title."""
    figure.legend(
        handles=handles, loc="outside right upper", frameon=False, fontsize=9, labelspacing=0.9
    )
    if title:
        figure.suptitle(title, x=0.02, ha="left")
    return figure


def plane_figure(table: pd.DataFrame, plane: Plane, title: str = "") -> Figure:
    """Draw one correlation map.

    Args:
        table: table from `experiments_table`.
        plane: plane from `describe_plane` of this table.
        title: title of the figure, for example that the experiments are simulated.
    """
    # A figure of its own, not pyplot's: that works in threads and without a display.
    figure = Figure(figsize=(7.6, 5), layout="constrained")
    handles = draw_plane(figure.subplots(), table, plane)
    return _with_legend(figure, handles, title)


def study_figure(
    table: pd.DataFrame, frames: pd.DataFrame, planes: tuple[Plane, Plane], title: str = ""
) -> Figure:
    """Draw the paper's Figure 7: two histograms above two correlation maps.

    Args:
        table: table from `experiments_table`.
        frames: table from `keyhole_frames`.
        planes: planes of the lower left and the lower right panel.
        title: title of the figure, for example that the experiments are simulated.
    """
    figure = Figure(figsize=(11, 9), layout="constrained")
    (a, b), (c, d) = figure.subplots(2, 2, gridspec_kw={"height_ratios": (0.65, 1)})
    draw_area_histograms((a, b), frames)
    handles, others = (
        draw_plane(axes, table, plane) for axes, plane in zip((c, d), planes, strict=True)
    )
    # One legend for both maps, which show the same experiments.
    figure.legend(
        handles=max(handles, others, key=len), loc="outside lower center", ncols=7,
        frameon=False, fontsize=8.5, handletextpad=0.7, columnspacing=1.4,
    )  # fmt: skip
    for letter, axes in zip("abcd", (a, b, c, d), strict=True):
        axes.set_title(letter, loc="left", weight="bold")
    if title:
        figure.suptitle(title, x=0.02, ha="left")
    return figure


def draw_plane(axes: Axes, table: pd.DataFrame, plane: Plane) -> list[Line2D]:
    """Draw points, ellipses, and the dividing line with its accuracy above the axes.

    Returns:
        Handles for a legend of points and ellipses.
    """
    rows = table.dropna(subset=[plane.x, plane.y])
    handles = draw_bubbles(axes, rows, plane.x, plane.y)
    for ellipse, look in ((plane.with_pores, WITH_PORES), (plane.without_pores, WITHOUT_PORES)):
        if ellipse is not None:
            handles.append(_draw_ellipse(axes, ellipse, look))
    _set_limits(axes, rows, plane)
    if plane.line is not None:
        _draw_line(axes, plane.line)
    axes.set(xlabel=axis_label(plane.x), ylabel=axis_label(plane.y))
    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_view_interval()[1] >= 10_000:
            axis.set_major_formatter("{x:,.0f}")
    axes.spines[["top", "right"]].set_visible(False)
    return handles


def _draw_ellipse(axes: Axes, ellipse: CovarianceEllipse, look: Look) -> Line2D:
    long, short = ellipse.half_axes
    axes.add_patch(
        Ellipse(
            (ellipse.x, ellipse.y), 2 * long, 2 * short, angle=ellipse.angle_deg,
            facecolor=look.colour, alpha=0.07, zorder=1,
        )
    )  # fmt: skip
    axes.add_patch(
        Ellipse(
            (ellipse.x, ellipse.y), 2 * long, 2 * short, angle=ellipse.angle_deg,
            fill=False, edgecolor=look.colour, linestyle=look.line, linewidth=1.3, zorder=2,
        )
    )  # fmt: skip
    label = f"{look.title}, {ellipse.deviations:g} s.d. ellipse"
    return Line2D([], [], color=look.colour, linestyle=look.line, linewidth=1.3, label=label)


def _draw_line(axes: Axes, line: DividingLine) -> None:
    a, b, c = line.log_odds
    x, y = axes.get_xlim(), axes.get_ylim()
    # Both ends are outside of the axes, along the axis that the line crosses less steeply.
    if abs(a) * (x[1] - x[0]) < abs(b) * (y[1] - y[0]):
        ends = [(at, -(a * at + c) / b) for at in x]
    else:
        ends = [(-(b * at + c) / a, at) for at in y]
    label = (
        f"dividing line, cross-validated: {line.accuracy:.0%} right "
        f"(larger group: {line.majority_accuracy:.0%})"
    )
    axes.plot(
        *np.transpose(ends), "k-.", linewidth=1.2, scalex=False, scaley=False, zorder=2,
        label=label,
    )  # fmt: skip
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.02, 1.0), frameon=False, fontsize=8, borderpad=0.2
    )


def _set_limits(axes: Axes, rows: pd.DataFrame, plane: Plane) -> None:
    """Fit the axes to the points and ellipses; quantities that cannot be negative begin at 0."""
    for column, set_limits, middle_of, turns in (
        (plane.x, axes.set_xlim, attrgetter("x"), (np.cos, np.sin)),
        (plane.y, axes.set_ylim, attrgetter("y"), (np.sin, np.cos)),
    ):
        values = rows[column].to_numpy(float)
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
        for ellipse in (plane.with_pores, plane.without_pores):
            if ellipse is not None:
                middle, reach = middle_of(ellipse), _reach(ellipse, *turns)
                low, high = min(low, middle - reach), max(high, middle + reach)
        margin = 0.05 * (high - low) or 0.5
        not_negative = len(values) > 0 and float(values.min()) >= 0
        set_limits(max(low - margin, 0.0) if not_negative else low - margin, high + margin)


def _reach(ellipse: CovarianceEllipse, along: np.ufunc, across: np.ufunc) -> float:
    """Return half the width of the bounding box of an ellipse along one axis."""
    angle = np.deg2rad(ellipse.angle_deg)
    long, short = ellipse.half_axes
    return float(np.hypot(long * along(angle), short * across(angle)))


_TITLES = {
    "keyhole_area": "keyhole area",
    "keyhole_depth": "keyhole depth",
    "pore_area": "pore area, all pores of a frame",
}
_COLOURS = {"keyhole_area": "#0072b2", "keyhole_depth": "#009e73", "pore_area": "#d55e00"}


def error_figure(errors: pd.DataFrame, *, relative: bool = True, title: str = "") -> Figure:
    """Draw errors: a panel for each quantity, a box for each material.

    Boxes reach from quartile to quartile with a line at the median, whiskers to the last error
    within 1.5 times that range; diamonds are means, that is, the bias.

    Args:
        errors: errors of one or more recordings, from `frame_errors`.
        relative: errors in % of the truth; else in um or um2, without a pixel size in px.
        title: title of the figure, for example that the experiments are simulated.

    Raises:
        ValueError: absolute errors of a quantity are in different units.

    Example:
        >>> errors = pd.DataFrame({
        ...     "material": "Ti6Al4V", "quantity": "keyhole_depth", "unit": "um",
        ...     "error": [10.0, 0, 5], "relative_error_percent": [10.0, 0, 5],
        ... })
        >>> error_figure(errors).axes[0].get_ylabel()
        'error of the keyhole depth (%)'
    """
    quantities = [name for name in QUANTITIES if (errors["quantity"] == name).any()]
    materials = list(dict.fromkeys(errors["material"]))
    figure = Figure(
        figsize=(1.2 + len(quantities) * (1.6 + 0.7 * len(materials)), 4.2), layout="constrained"
    )
    panels = figure.subplots(1, max(len(quantities), 1), squeeze=False)[0]
    for axes, name in zip(panels, quantities, strict=False):
        of_quantity = errors[errors["quantity"] == name]
        _draw_boxes(axes, of_quantity, materials, "relative_error_percent" if relative else "error")
        axes.set_ylabel(f"error of the {name.replace('_', ' ')} ({_unit(of_quantity, relative)})")
        axes.set_title(_TITLES[name], loc="left", fontsize=10)
    figure.legend(
        handles=[
            Line2D(
                [], [], linestyle="", marker="D", markersize=5, markerfacecolor="white",
                markeredgecolor="k", label="mean (bias)",
            ),
            Line2D([], [], color="k", linewidth=1.6, label="median"),
        ],
        loc="outside lower center", ncols=2, frameon=False, fontsize=9,
    )  # fmt: skip
    if title:
        figure.suptitle(title, x=0.02, ha="left")
    return figure


def _draw_boxes(axes: Axes, errors: pd.DataFrame, materials: list[str], column: str) -> None:
    colour = _COLOURS[str(errors["quantity"].iloc[0])]
    groups = [errors.loc[errors["material"] == name, column].dropna() for name in materials]
    axes.axhline(0, color="#767676", linewidth=0.8, zorder=0)
    boxes = axes.boxplot(
        [group.to_numpy() for group in groups], widths=0.55, showmeans=True, patch_artist=True,
        medianprops={"color": "k", "linewidth": 1.6},
        meanprops={"marker": "D", "markersize": 5, "markerfacecolor": "white",
                   "markeredgecolor": "k"},
        flierprops={"marker": ".", "markersize": 3, "markeredgecolor": colour, "alpha": 0.5},
    )  # fmt: skip
    for box in boxes["boxes"]:
        box.set(facecolor=colour, alpha=0.45)
    labels = [f"{name}\nn = {len(group)}" for name, group in zip(materials, groups, strict=True)]
    axes.set_xticks(range(1, len(materials) + 1), labels, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def _unit(errors: pd.DataFrame, relative: bool) -> str:
    if relative:
        return "%"
    units = errors["unit"].unique()
    name = errors["quantity"].iloc[0]
    if len(units) > 1:
        raise ValueError(f"The errors of {name} are in {' and '.join(units)}; draw relative ones.")
    return axis_label(f"{name}_{units[0]}").partition("(")[2].rstrip(")")
