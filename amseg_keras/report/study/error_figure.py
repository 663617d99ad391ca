"""Box plots of quantification errors by material (the paper's Figure 6b-d)."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from amseg_keras.quantify.study.errors import QUANTITIES
from amseg_keras.report.study.axis_labels import axis_label

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
