"""Laser power and scan speed of experiments with and without pores."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from amseg_keras.report.study.axis_labels import axis_label
from amseg_keras.report.study.groups import WITHOUT_KEYHOLE, draw_bubbles


def process_map(table: pd.DataFrame, title: str = "") -> Figure:
    """Power against speed; experiments that never had a keyhole are crosses.

    Args:
        table: from `experiments_table`, with `power_W` and `speed_mm_s`; experiments that lack
            one of them are left out.
        title: over the figure, for example that the experiments are simulated.

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
    # What is no keyhole experiment does not count as one without pores; unless it has some.
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
    # Beside the map: no corner of it is free of points for sure.
    figure.legend(
        handles=handles, loc="outside right upper", frameon=False, fontsize=9, labelspacing=0.9
    )
    if title:
        figure.suptitle(title, x=0.02, ha="left")
    return figure
