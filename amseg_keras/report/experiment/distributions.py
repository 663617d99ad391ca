"""How a keyhole's area is distributed, and how its depth oscillates."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from amseg_keras.quantify.dynamics.fluctuation import oscillation_spectrum
from amseg_keras.quantify.quantities import Quantities
from amseg_keras.quantify.scale import column_with_unit
from amseg_keras.report.experiment.look import KEYHOLE, TEXT, WHITE, axis_label, plain_axes, unit_of
from amseg_keras.report.experiment.time_series import over_time

LEAST_FRAMES = 20
"""Frames with a keyhole below which a histogram would be one of chance."""

_FAST = 2000.0
"""Frame rate in Hz from which on frequencies are in kHz."""

_SIZE = (5.2, 3.4)
"""In inches: two of them beside each other are as wide as a page."""


def area_histogram_figure(quantities: Quantities) -> Figure | None:
    """Histogram of the keyhole's area over the frames with a keyhole (as the paper's Figure 7a).

    Returns:
        None where fewer than 20 frames have a keyhole.
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
    """Power spectrum of the keyhole's depth.

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
