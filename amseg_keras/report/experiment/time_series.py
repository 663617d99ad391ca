"""Draw one experiment: its quantities over time, their distribution and their spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import ConnectionPatch
from matplotlib.ticker import MaxNLocator

from amseg_keras.quantify.dynamics.fluctuation import oscillation_spectrum
from amseg_keras.quantify.intervals import HIGH, LOW
from amseg_keras.quantify.quantities import Quantities
from amseg_keras.quantify.scale import Scale, column_with_unit
from amseg_keras.report.experiment.film_strip import StripPicture, Window
from amseg_keras.report.experiment.look import (
    KEYHOLE,
    MELT,
    PORE,
    SOFT,
    TEXT,
    WHITE,
    TimeAxis,
    axis_label,
    plain_axes,
    unit_of,
)


@dataclass(frozen=True)
class Panel:
    """A plot over time."""

    class_name: str
    quantity: str
    colour: str


_PANELS = (
    Panel("keyhole", "keyhole_area", KEYHOLE),
    Panel("keyhole", "keyhole_depth", KEYHOLE),
    Panel("melt pool", "melt_pool_depth", MELT),
    Panel("melt pool", "melt_pool_length", MELT),
    Panel("pore", "pore_area", PORE),
)

_WIDTH = 9.0
"""Width of a figure in inches; on the width of a page, 9 pt become 7 pt."""

_LEFT, _RIGHT = 0.115, 0.985
"""Edges of the panels, as fractions of the figure's width."""

_LABEL = -0.08
"""End of the label of a panel, as a fraction of the panel's width."""

# Heights in inches.
_TITLE = 0.24
_STRIP = 1.5
_HEAD = 0.5
_PANEL = 1.3
_GAP = 0.14
_FOOT = 0.55

_FILL = 0.93
"""Fraction of its part of the axis that a picture takes."""

_BAR = 0.4
"""Longest scale bar, as a fraction of a picture's width."""

_BRIGHT = "#fefefe"
"""White that does not become the background of the page."""

_BAND = 0.28
"""Opacity of the band between the ends of the 90 % intervals."""

_MARKED = 150
"""Most frames that are marked by points."""

_LONG = 3000
"""Most frames whose area below a curve is drawn as vectors, which may be megabytes."""

_LINES = 60
"""Most moments with a line through all panels; more lines would hide the curves."""


def time_series_figure(
    quantities: Quantities,
    class_names: Sequence[str],
    axis: TimeAxis,
    strip: Sequence[tuple[StripPicture, Window]] = (),
) -> Figure:
    """Draw keyhole, melt pool and pores over time, with frames above them.

    A line leads from each frame to its moment. Dotted lines mark moments at which a pore formed.

    Args:
        quantities: Quantities of the experiment. Unreadable frames leave gaps in the curves.
        class_names: Classes of the labels. Other classes have no panels.
        strip: Pictures, and the part of each that is shown.

    Returns:
        The figure, to be written by `save_figure` or put into a page by `inline_svg`.
    """
    panels = panels_of(class_names)
    slot = _WIDTH * (_RIGHT - _LEFT) / max(len(strip), 1)
    picture = (0.0, 0.0)
    if strip:
        shown = strip[0][1]
        scale = min(_FILL * slot / shown.width, _STRIP / shown.height)
        picture = shown.width * scale, shown.height * scale
    top = picture[1] + _HEAD if strip else _GAP
    height = top + len(panels) * (_PANEL + _GAP) + _FOOT
    figure = Figure(figsize=(_WIDTH, height))
    rows: list[Axes] = []
    for number, panel in enumerate(panels):
        bottom = height - top - number * (_PANEL + _GAP) - _PANEL
        axes = figure.add_axes((_LEFT, bottom / height, _RIGHT - _LEFT, _PANEL / height))
        column = column_with_unit(quantities.frames, panel.quantity)
        draw_quantity(axes, quantities.frames, column, panel.colour, axis)
        label = axis_label(column, quantities.scale.pixel_size_assumed)
        axes.set_ylabel(_in_two_lines(label))
        axes.tick_params(labelbottom=number == len(panels) - 1)
        rows.append(axes)
    if rows:
        rows[-1].set_xlabel(axis.label)
        for axes in rows:
            axes.yaxis.set_label_coords(_LABEL, 0.5)
        if handles := mark_formed(rows, quantities.events, axis):
            figure.legend(
                handles=handles, loc="lower right", bbox_to_anchor=(_RIGHT, 0), ncols=2,
                frameon=False, fontsize=9, labelcolor=TEXT, borderaxespad=0.2, handletextpad=0.2,
            )  # fmt: skip
        _draw_strip(rows[0], strip, picture, axis)
        if strip and quantities.scale.pixel_size_um is not None:
            _draw_scale_bar(figure.axes[len(rows)], strip[0][1], quantities.scale)
    return figure


def panels_of(class_names: Sequence[str]) -> list[Panel]:
    """List the plots for labels of these classes, from the top."""
    return [panel for panel in _PANELS if panel.class_name in class_names]


def draw_quantity(
    axes: Axes, frames: pd.DataFrame, column: str, colour: str, axis: TimeAxis
) -> None:
    """Draw one quantity over time, with the band of its 90 % intervals where they are known.

    Args:
        column: Name of the quantity in `frames`.
    """
    values = over_time(frames, column, axis.frames)
    moments = axis.at(np.arange(axis.frames))
    # A frame between two unreadable ones has no line.
    marker = "." if axis.frames <= _MARKED else ""
    axes.plot(moments, values, color=colour, linewidth=1.3, marker=marker, markersize=4)
    below = axes.fill_between(moments, 0, values, color=colour, alpha=0.12, linewidth=0)
    below.set_rasterized(axis.frames > _LONG)
    highest = float(np.nan_to_num(values).max(initial=0))
    if LOW + column in frames:
        low, high = (over_time(frames, end + column, axis.frames) for end in (LOW, HIGH))
        band = axes.fill_between(moments, low, high, color=colour, alpha=_BAND, linewidth=0)
        band.set_rasterized(axis.frames > _LONG)
        highest = max(highest, float(np.nan_to_num(high).max(initial=0)))
    axes.set(xlim=axis.limits, ylim=(0, 1.2 * highest or 1))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    if not highest:
        axes.set_yticks([0])
        axes.text(0.5, 0.5, "none", transform=axes.transAxes, color=SOFT, ha="center")
    axes.yaxis.set_major_formatter("{x:,g}")
    plain_axes(axes)


def over_time(frames: pd.DataFrame, column: str, count: int) -> np.ndarray:
    """Return a column with a value for every frame, NaN for unreadable frames.

    Example:
        >>> over_time(pd.DataFrame({"frame": [0, 2], "pore_area_px": [5, 7]}), "pore_area_px", 3)
        array([ 5., nan,  7.])
    """
    values = np.full(count, np.nan)
    values[frames["frame"].to_numpy(int)] = frames[column].to_numpy(float)
    return values


def mark_formed(rows: Sequence[Axes], events: pd.DataFrame, axis: TimeAxis) -> list[Line2D]:
    """Mark the moments at which pores were formed, at the top of the last plot.

    Returns:
        Handles for a legend, none if no pore was formed.
    """
    formed = events[events["event"] == "pore formed"]
    if formed.empty or not rows:
        return []
    moments = axis.at(formed["frame"].unique())
    if len(moments) <= _LINES:
        for axes in rows:
            axes.vlines(
                moments, 0, 1, SOFT, ":", transform=axes.get_xaxis_transform(), linewidth=0.8,
                zorder=1,
            )  # fmt: skip
    at_keyhole = formed["from_keyhole"].astype(bool)
    handles = []
    for group, face, text in (
        (formed[at_keyhole], PORE, "pore formed at the keyhole"),
        (formed[~at_keyhole], WHITE, "pore formed elsewhere"),
    ):
        if not group.empty:
            handles += rows[-1].plot(
                axis.at(group["frame"].to_numpy()), np.full(len(group), 0.95), "v", color=PORE,
                markerfacecolor=face, markersize=5.5, label=text, zorder=5,
                transform=rows[-1].get_xaxis_transform(),
            )  # fmt: skip
    return handles


def _in_two_lines(label: str) -> str:
    return label.replace(" (", "\n(")


def _draw_strip(
    below: Axes,
    strip: Sequence[tuple[StripPicture, Window]],
    size: tuple[float, float],
    axis: TimeAxis,
) -> None:
    """Draw the pictures, of a size in inches, above their moments on the axes below."""
    figure = below.get_figure(root=True)
    assert figure is not None
    _, height = figure.get_size_inches()
    wide, high = size[0] / _WIDTH, size[1] / height
    bottom = 1 - _TITLE / height - high
    start, end = axis.limits
    moments = np.array([float(axis.at(one.frame)) for one, _ in strip])
    middles = _LEFT + (moments - start) / (end - start) * (_RIGHT - _LEFT)
    lefts = _apart(middles - wide / 2, wide / _FILL, _RIGHT - wide)
    for (one, window), moment, middle, left in zip(strip, moments, middles, lefts, strict=True):
        axes = figure.add_axes((left, bottom, wide, high))
        # As it is, so that vector files hold every pixel.
        axes.imshow(window.cut(one.picture), interpolation="none", aspect="auto")
        axes.set(xticks=[], yticks=[])
        axes.set_title(axis.text(one.frame), fontsize=9, pad=3, color=TEXT)
        axes.spines[:].set(color=SOFT, linewidth=0.6)
        foot = (float(np.clip((middle - left) / wide, 0, 1)), 0.0)
        figure.add_artist(
            ConnectionPatch(
                foot, (moment, 1), axes.transAxes, below.get_xaxis_transform(), color=SOFT,
                linewidth=0.8,
            )
        )  # fmt: skip


def _apart(lefts: np.ndarray, step: float, last: float) -> list[float]:
    """Move pictures no more than is needed for none to lie on the next, or beyond an edge."""
    apart: list[float] = []
    for left in lefts:
        apart.append(max(float(left), apart[-1] + step if apart else _LEFT))
    for number in reversed(range(len(apart))):
        apart[number] = min(apart[number], last)
        last = apart[number] - step
    return apart


def _draw_scale_bar(axes: Axes, window: Window, scale: Scale) -> None:
    """Draw a round length, about a third of the picture, at its lower left."""
    assert scale.pixel_size_um is not None
    longest = _BAR * window.width * scale.pixel_size_um
    digit = 10.0 ** np.floor(np.log10(longest))
    length = max(factor * digit for factor in (1, 2, 5) if factor * digit <= longest)
    left, low = 0.06 * window.width, 0.93 * window.height
    right = left + length / scale.pixel_size_um
    said = ", assumed" if scale.pixel_size_assumed else ""
    axes.plot((left, right), (low, low), color=_BRIGHT, linewidth=2.5, solid_capstyle="butt")
    axes.text(
        left, low - 0.04 * window.height, f"{length:g} µm{said}", color=_BRIGHT, fontsize=8,
        va="bottom",
    )  # fmt: skip


LEAST_FRAMES = 20
"""Least frames with a keyhole for a histogram."""

_FAST = 2000.0
"""Lowest frame rate in Hz for frequencies in kHz."""

_SIZE = (5.2, 3.4)
"""Size in inches; two figures side by side are as wide as a page."""


def area_histogram_figure(quantities: Quantities) -> Figure | None:
    """Draw a histogram of the keyhole's area in frames with one (the paper's Figure 7a).

    Returns:
        None if fewer than 20 frames have a keyhole.
    """
    column = column_with_unit(quantities.frames, "keyhole_area")
    areas = quantities.frames[column].to_numpy(float)
    areas = areas[np.isfinite(areas) & (areas > 0)]
    if len(areas) < LEAST_FRAMES:
        return None
    assumed = quantities.scale.pixel_size_assumed
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    edges = np.histogram_bin_edges(areas, "fd" if np.ptp(areas) > 0 else 1)
    # Freedman and Diaconis' width, within what can be seen.
    bins = int(np.clip(len(edges) - 1, 8, 40))
    axes.hist(areas, bins, color=KEYHOLE, alpha=0.75, edgecolor=WHITE, linewidth=0.6)
    for value, line, name in ((np.median(areas), "--", "median"), (areas.mean(), ":", "mean")):
        axes.axvline(
            value,
            color=TEXT,
            linestyle=line,
            linewidth=1.3,
            label=f"{name} {value:,.0f} {unit_of(column, assumed)}",
        )
    axes.legend(frameon=False, fontsize=9, labelcolor=TEXT)
    axes.set(xlabel=axis_label(column, assumed), ylabel="frames")
    axes.xaxis.set_major_formatter("{x:,g}")
    plain_axes(axes)
    return figure


def spectrum_figure(quantities: Quantities) -> Figure | None:
    """Draw the power spectrum of the keyhole's depth.

    Returns:
        None without a frame rate, or with too few frames for a spectrum.
    """
    rate = quantities.scale.frame_rate_hz
    if rate is None:
        return None
    column = column_with_unit(quantities.frames, "keyhole_depth")
    depth = over_time(quantities.frames, column, int(quantities.frames["frame"].max()) + 1)
    spectrum = oscillation_spectrum(depth, rate)
    if not len(spectrum.frequency_hz):
        return None
    said = ", assumed" if quantities.scale.pixel_size_assumed else ""
    unit, factor = ("kHz", 1e-3) if rate >= _FAST else ("Hz", 1.0)
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    axes.semilogy(spectrum.frequency_hz * factor, spectrum.power, color=KEYHOLE, linewidth=1.3)
    if spectrum.peak_hz is not None:
        peak = spectrum.peak_hz * factor
        axes.axvline(peak, color=TEXT, linestyle="--", label=f"peak at {peak:.3g} {unit}")
        axes.legend(frameon=False, fontsize=9, labelcolor=TEXT)
    axes.set(
        xlim=(0, spectrum.frequency_hz[-1] * factor),
        xlabel=f"frequency ({unit})",
        ylabel=f"power of the depth ({unit_of(column)}²/Hz{said})",
    )
    plain_axes(axes)
    return figure
