"""Pictures of what a network looks at and of how sure it is, over the frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import AbstractPathEffect, withStroke

from amseg_keras.atomic import complete_or_absent

OPACITY = 0.5
"""Of the colours over the frame."""

PANEL = (1200, 900)
"""Widest and highest panel in pixels: small frames are enlarged, large ones fit a screen."""

LOW_MARGIN_COLOUR = "#e69f00"
UNSTABLE_COLOUR = "#56b4e9"
BOTH_COLOUR = "#d55e00"
"""Okabe and Ito's, told apart by the colour-blind."""

_NARROWEST = 560
_DPI = 100
_TITLE, _LEGEND, _BAR, _EDGE = 34, 34, 96, 10


def draw_grad_cam(
    grey: np.ndarray, heat: np.ndarray, found: np.ndarray, class_name: str, title: str, path: Path
) -> None:
    """Lay a Grad-CAM map over its frame, from blue to red as in the paper, with the class's edge.

    Args:
        grey: the frame, `(height, width)`, 0 black to 1 white.
        heat: the map `(height, width)`, 0 to 1.
        found: where the network finds the class, bool `(height, width)`; outlined in white.
        class_name: for the legend.
        title: of the picture.
        path: PNG to write.
    """
    page = _Page(grey.shape, panels=1)
    axes = page.panel(0, title)
    axes.imshow(grey, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    colours = axes.imshow(heat, cmap="jet", vmin=0, vmax=1, alpha=OPACITY, interpolation="nearest")
    _outline(axes, found)
    page.colour_bar(0, colours, "relative to the highest value", [0, 0.5, 1])
    if found.any():
        edge = Line2D([], [], color="white", linewidth=1.5, path_effects=_HALO)
        page.legend([edge], [f"{class_name}, as segmented"])
    else:
        page.legend([Line2D([], [], linestyle="none")], [f"no {class_name} found in this frame"])
    page.save(path)


def draw_confidence(
    grey: np.ndarray,
    confidence: np.ndarray,
    low_margin: np.ndarray,
    unstable: np.ndarray,
    title: str,
    path: Path,
) -> None:
    """Show how sure the network is, and below (or beside) it the pixels that are in doubt.

    Args:
        grey: the frame, `(height, width)`, 0 black to 1 white.
        confidence: probability of the chosen class, `(height, width)`.
        low_margin: pixels with two classes nearly equal, bool `(height, width)`.
        unstable: pixels whose label changes when the frame moves, bool `(height, width)`.
        title: of the picture.
        path: PNG to write.
    """
    page = _Page(grey.shape, panels=2)
    axes = page.panel(0, title)
    colours = axes.imshow(confidence, cmap="viridis", vmin=0.2, vmax=1, interpolation="nearest")
    page.colour_bar(0, colours, "probability of the label", [0.2, 0.4, 0.6, 0.8, 1])
    axes = page.panel(1, "Pixels in doubt (at the frame's edge they do not count)")
    # Paler than it is, so that single pixels are seen on it.
    axes.imshow(0.5 + grey / 2, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    doubts = {
        "two classes nearly equal": (LOW_MARGIN_COLOUR, low_margin & ~unstable),
        "label changes with a small shift": (UNSTABLE_COLOUR, unstable & ~low_margin),
        "both": (BOTH_COLOUR, low_margin & unstable),
    }
    for colour, where in doubts.values():
        axes.imshow(_coloured(where, colour), interpolation="nearest")
    page.legend([Patch(color=colour) for colour, _ in doubts.values()], list(doubts))
    page.save(path)


_HALO: list[AbstractPathEffect] = [withStroke(linewidth=3, foreground="black")]


class _Page:
    """A figure whose panels have whole pixels of the frame, one below the other or side by side."""

    def __init__(self, shape: tuple[int, ...], panels: int) -> None:
        height, width = shape
        times = min(PANEL[0] / width, PANEL[1] / height)
        times = float(int(times)) if times >= 1 else times
        self.size = round(width * times), round(height * times)
        self.beside = height > width
        across, down = (panels, 1) if self.beside else (1, panels)
        cell = max(self.size[0] + _BAR, _NARROWEST if across == 1 else 0), self.size[1] + _TITLE
        self.cell = cell
        self.pixels = across * cell[0] + 2 * _EDGE, down * cell[1] + _LEGEND + _EDGE
        # A figure of its own, not pyplot's: that works in threads and without a display.
        self.figure = Figure(figsize=(self.pixels[0] / _DPI, self.pixels[1] / _DPI), dpi=_DPI)

    def panel(self, number: int, title: str) -> Axes:
        axes = self._axes(*self._corner(number), *self.size)
        axes.set_axis_off()
        axes.set_title(title, loc="left", fontsize=11, pad=7, parse_math=False)
        return axes

    def colour_bar(
        self, number: int, colours: ScalarMappable, label: str, ticks: list[float]
    ) -> None:
        left, top = self._corner(number)
        axes = self._axes(left + self.size[0] + 12, top, 14, self.size[1])
        self.figure.colorbar(colours, cax=axes, ticks=ticks)
        axes.set_ylabel(label, fontsize=9)
        axes.tick_params(labelsize=9)

    def legend(self, handles: list[Any], texts: list[str]) -> None:
        legend = self.figure.legend(
            handles, texts, loc="lower left", ncols=len(texts), fontsize=9, frameon=False,
            bbox_to_anchor=(_EDGE / self.pixels[0], 0), borderaxespad=0.3, borderpad=0.3,
        )  # fmt: skip
        for text in legend.get_texts():
            text.set_parse_math(False)

    def save(self, path: Path) -> None:
        with complete_or_absent(path) as temporary:
            self.figure.savefig(temporary, dpi=_DPI)

    def _corner(self, number: int) -> tuple[int, int]:
        """Left and top of a panel, in pixels from the top left of the page."""
        across, down = (number, 0) if self.beside else (0, number)
        return _EDGE + across * self.cell[0], _TITLE + down * self.cell[1]

    def _axes(self, left: float, top: float, width: float, height: float) -> Axes:
        page_width, page_height = self.pixels
        return self.figure.add_axes(
            (
                left / page_width,
                1 - (top + height) / page_height,
                width / page_width,
                height / page_height,
            )
        )


def _outline(axes: Axes, found: np.ndarray) -> None:
    # A contour needs both values; a class that is everywhere or nowhere has no edge.
    if found.any() and not found.all():
        lines = axes.contour(found, [0.5], colors="white", linewidths=1.2)
        lines.set_path_effects(_HALO)


def _coloured(where: np.ndarray, colour: str) -> np.ndarray:
    """A colour where something is, nothing elsewhere, red, green, blue, opacity."""
    picture = np.zeros((*where.shape, 4))
    picture[where] = to_rgba(colour)
    return picture
