"""What the figures of an experiment have in common."""

from __future__ import annotations

from matplotlib import font_manager
from matplotlib.axes import Axes

from amseg_keras.report.colours import PAPER_COLOURS
from amseg_keras.report.study.axis_labels import axis_label

KEYHOLE = f"#{bytes(PAPER_COLOURS['keyhole']).hex()}"
PORE = f"#{bytes(PAPER_COLOURS['pore']).hex()}"
TEXT = "#1c2430"
SOFT = "#7a8590"
GRID = "#dfe3e8"

WHITE = "#ffffff"

PAGE_COLOURS = {
    WHITE: "var(--back)",
    KEYHOLE: "var(--keyhole)",
    PORE: "var(--pore)",
    TEXT: "var(--text)",
    SOFT: "var(--soft)",
    GRID: "var(--line)",
}
"""What the colours of a figure become in a page, which may be dark."""


def plain_axes(axes: Axes) -> None:
    """Axes without a frame around them, with faint lines to read values by."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(SOFT)
    axes.tick_params(colors=TEXT, labelsize=9)
    axes.xaxis.label.set(color=TEXT, fontsize=9.5)
    axes.yaxis.label.set(color=TEXT, fontsize=9.5)
    axes.grid(axis="y", color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)


def font_file() -> str:
    """The font of the figures, for texts that are not drawn by matplotlib."""
    return font_manager.findfont("DejaVu Sans")


def unit_of(column: str, assumed: bool = False) -> str:
    """Unit of a column as a reader sees it; "" where it has none.

    Args:
        column: Name of the column.
        assumed: As of `axis_label`.

    Example:
        >>> unit_of("keyhole_area_um2"), unit_of("pore_area_px"), unit_of("porosity")
        ('µm²', 'px²', '')
    """
    return axis_label(column, assumed).partition(" (")[2].rstrip(")")
