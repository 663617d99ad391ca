"""Correlation maps: experiments with and without pores in a plane (the paper's Figure 7c, d)."""

from __future__ import annotations

from operator import attrgetter

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse

from amseg_keras.quantify.study import CovarianceEllipse, DividingLine, Plane
from amseg_keras.report.study.axis_labels import axis_label
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
