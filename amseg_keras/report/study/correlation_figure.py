"""Figures of a study: how quantities go together, and how far they are from the truth."""

from __future__ import annotations

from operator import attrgetter

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse

from amseg_keras.quantify.study import CovarianceEllipse, DividingLine, Plane
from amseg_keras.quantify.study.errors import QUANTITIES
from amseg_keras.report.experiment.look import axis_label
from amseg_keras.report.study.groups import WITH_PORES, WITHOUT_PORES, Look, draw_bubbles
from amseg_keras.report.study.histogram_figure import draw_area_histograms


def plane_figure(table: pd.DataFrame, plane: Plane, title: str = "") -> Figure:
    """A correlation map by itself.

    Args:
        table: from `experiments_table`.
        plane: from `describe_plane` of this table.
        title: over the figure, for example that the experiments are simulated.

    Example:
        >>> from amseg_keras.quantify.study import describe_plane
        >>> table = pd.DataFrame({
        ...     "has_pores": [False, False, True, True],
        ...     "area_delta_avg": [0.1, 0.2, 0.4, 0.5],
        ...     "area_delta_max": [0.2, 0.5, 0.6, 0.9],
        ...     "largest_keyhole_pore_equivalent_diameter_um": [None, None, 30.0, 60.0],
        ... })
        >>> plane = describe_plane(table, "area_delta_avg", "area_delta_max")
        >>> plane_figure(table, plane, "simulated").axes[0].get_xlabel()
        "mean fluctuation of the keyhole's area, $\\\\delta_\\\\mathrm{avg}$"
    """
    # A figure of its own, not pyplot's: that works in threads and without a display.
    figure = Figure(figsize=(7.6, 5), layout="constrained")
    handles = draw_plane(figure.subplots(), table, plane)
    # Beside the map: no corner of it is free of points for sure.
    figure.legend(
        handles=handles, loc="outside right upper", frameon=False, fontsize=9, labelspacing=0.9
    )
    if title:
        figure.suptitle(title, x=0.02, ha="left")
    return figure


def study_figure(
    table: pd.DataFrame, frames: pd.DataFrame, planes: tuple[Plane, Plane], title: str = ""
) -> Figure:
    """The four panels of the paper's Figure 7: two histograms above two correlation maps.

    Args:
        table: from `experiments_table`.
        frames: from `keyhole_frames`.
        planes: of the lower left and the lower right panel.
        title: over the figure, for example that the experiments are simulated.
    """
    figure = Figure(figsize=(11, 9), layout="constrained")
    (a, b), (c, d) = figure.subplots(2, 2, gridspec_kw={"height_ratios": (0.65, 1)})
    draw_area_histograms((a, b), frames)
    handles, others = (
        draw_plane(axes, table, plane) for axes, plane in zip((c, d), planes, strict=True)
    )
    # One legend for both maps: the experiments are the same ones.
    figure.legend(
        handles=max(handles, others, key=len),
        loc="outside lower center",
        ncols=7,
        frameon=False,
        fontsize=8.5,
        handletextpad=0.7,
        columnspacing=1.4,
    )
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
    # Ends far outside on both sides, along the axis that the line crosses less steeply.
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
    """Half the width of an ellipse's bounding box on one axis."""
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
    """A panel for each quantity, a box for each material.

    Boxes reach from quartile to quartile with a line at the median, whiskers to the last error
    within 1.5 times that range; diamonds are means, that is, the bias.

    Args:
        errors: from `frame_errors`, of one or more recordings.
        relative: errors in % of the truth; else in um, um2 (px where there is no pixel size).
        title: over the figure, for example that the experiments are simulated.

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
