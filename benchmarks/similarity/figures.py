"""Frames side by side, and their curves over each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from amseg_keras.simulate import FACILITIES
from similarity import measures
from similarity.kinds import Kind
from similarity.measures import Measured, quantile
from similarity.recordings import KEYHOLE, LabelledStack

# Okabe and Ito's, told apart by the colour-blind.
_REAL, _REFERENCE, _RANDOMISED = "#000000", "#0072b2", "#e69f00"
_REGIONS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")

_WINDOW = (256, 512)
_DPI = 100
_LEFT, _TOP, _GAP, _CAPTION = 12, 30, 12, 22
_BAR = 100  # px


@dataclass(frozen=True)
class Compared:
    """One kind, real and simulated.

    Attributes:
        kind: Kind of the recording.
        pictures: One recording each: real, reference, randomised.
        real: Measured in the real recording.
        reference: Measured in each simulated recording of the reference ranges.
        randomised: Measured in each simulated recording of the domain-randomised ranges.
    """

    kind: Kind
    pictures: tuple[LabelledStack, LabelledStack, LabelledStack]
    real: Measured
    reference: list[Measured]
    randomised: list[Measured]


def draw_frames(compared: list[Compared], path: Path) -> None:
    """A row for each kind, a pixel of the picture for each pixel of a frame."""
    tallest = [max(picture.frames.shape[1] for picture in one.pictures) for one in compared]
    heights = [min(_WINDOW[0], height) for height in tallest]
    width = _LEFT + 3 * (_WINDOW[1] + _GAP)
    height = _TOP + sum(heights) + len(heights) * (_CAPTION + _GAP)
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)
    columns = ("real", "simulated: reference ranges", "simulated: domain-randomised ranges")
    for column, title in enumerate(columns):
        left = _LEFT + column * (_WINDOW[1] + _GAP)
        figure.text(left / width, 1 - 6 / height, title, va="top", fontsize=12, weight="bold")
    top = _TOP
    for one, tall in zip(compared, heights, strict=True):
        level = 1 - (top + _CAPTION / 2) / height
        figure.text(_LEFT / width, level, one.kind.title, va="center", fontsize=10)
        pixel = FACILITIES[one.kind.facility].pixel_size_um
        if pixel is not None:
            bar = [(_LEFT + 180 + end) / width for end in (0, _BAR)]
            figure.add_artist(Line2D(bar, [level, level], color="black", lw=2))
            text = f"{_BAR * pixel:.0f} µm ({pixel:g} µm per pixel)"
            figure.text(bar[1] + 8 / width, level, text, va="center", fontsize=9)
        top += _CAPTION
        for column, recording in enumerate(one.pictures):
            picture = _cut_out(recording)
            left = _LEFT + column * (_WINDOW[1] + _GAP)
            rows, wide = picture.shape
            box = (left / width, 1 - (top + rows) / height, wide / width, rows / height)
            axes = figure.add_axes(box)
            low, high = _grey_window(picture)
            axes.imshow(picture, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
            axes.set_axis_off()
        top += tall + _GAP
    figure.savefig(path, dpi=_DPI)


def draw_curves(compared: list[Compared], path: Path) -> None:
    """A row for each kind: histograms by region, power spectrum, edge profile."""
    figure = Figure(figsize=(14, 3.1 * len(compared) + 0.5), layout="constrained")
    grid = figure.subplots(len(compared), 3, squeeze=False)
    for row, one in zip(grid, compared, strict=True):
        _histograms(row[0], one)
        _spectra(row[1], one)
        _profiles(row[2], one)
        for axes in row:
            axes.spines[["top", "right"]].set_visible(False)
    figure.legend(
        handles=[
            Line2D([], [], color=_REAL, label="real"),
            Line2D([], [], color=_REFERENCE, ls="--", label="reference ranges (dashed everywhere)"),
            Patch(color=_REFERENCE, alpha=0.3, lw=0, label="reference ranges, 5 to 95 %"),
            Patch(color=_RANDOMISED, alpha=0.3, lw=0, label="domain-randomised ranges, 5 to 95 %"),
        ],
        loc="outside upper center",
        ncols=4,
        frameon=False,
    )
    figure.savefig(path, dpi=120)


def _histograms(axes: Axes, one: Compared) -> None:
    relative = one.kind.name in ("aps", "wall")
    edges = measures.RELATIVE_EDGES if relative else measures.GREY_EDGES
    middle = (edges[1:] + edges[:-1]) / 2
    for colour, (name, real) in zip(_REGIONS, one.real.histograms.items(), strict=False):
        every = np.array([found.histograms[name] for found in one.reference])
        shown = every[np.isfinite(every).all(axis=1)]
        axes.plot(middle, real / np.nanmax(real), color=colour, lw=1.2, label=name)
        if len(shown):
            axes.plot(middle, shown.mean(axis=0) / np.nanmax(real), color=colour, lw=1.2, ls="--")
    axes.set_ylim(0, 1.25)
    axes.set_xlabel("grey level / plate" if relative else "grey level (8 bit)")
    axes.set_ylabel("density / largest real")
    axes.set_title(one.kind.title, loc="left", fontsize=10, weight="bold")
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.02, 0.98), ncols=4, frameon=False, fontsize=8,
        handlelength=0.8, columnspacing=0.7, handletextpad=0.3, borderpad=0.2,
    )  # fmt: skip


def _spectra(axes: Axes, one: Compared) -> None:
    x = measures.FREQUENCIES
    _bands(axes, x, [f.spectrum for f in one.reference], [f.spectrum for f in one.randomised])
    axes.plot(x, one.real.spectrum, color=_REAL, lw=1.4)
    axes.set_yscale("log")
    axes.set_xlabel("spatial frequency (cycles / px)")
    axes.set_ylabel("power / mean² (px²)")
    name = next(target.name for target in one.kind.targets if target.name.endswith("2-4 px"))
    axes.set_title(f"texture of the {name.split()[0]}", loc="left", fontsize=10)


def _profiles(axes: Axes, one: Compared) -> None:
    x = measures.DISTANCES
    _bands(axes, x, [f.profile for f in one.reference], [f.profile for f in one.randomised])
    axes.plot(x, one.real.profile, color=_REAL, lw=1.4)
    axes.axvline(0, color="0.6", lw=0.8, zorder=0)
    axes.set_xlabel(f"distance inside the {one.kind.edge} (px)")
    axes.set_ylabel("grey level / outside plateau")
    axes.set_title(f"edge of the {one.kind.edge}", loc="left", fontsize=10)


def _bands(
    axes: Axes, x: np.ndarray, reference: list[np.ndarray], randomised: list[np.ndarray]
) -> None:
    for curves, colour in ((randomised, _RANDOMISED), (reference, _REFERENCE)):
        low, high = quantile(curves, 5), quantile(curves, 95)
        axes.fill_between(x, low, high, color=colour, alpha=0.3, lw=0)
    axes.plot(x, quantile(reference, 50), color=_REFERENCE, lw=1.4, ls="--")


def _cut_out(recording: LabelledStack) -> np.ndarray:
    """The frame with the largest keyhole, or the middle one; what is too large is cut about it."""
    keyholes = (recording.labels == KEYHOLE).sum(axis=(1, 2))
    number = int(keyholes.argmax()) if keyholes.any() else len(keyholes) // 2
    frame, labels = recording.frames[number], recording.labels[number]
    corner = []
    for axis, (whole, part) in enumerate(zip(frame.shape, _WINDOW, strict=True)):
        places = np.nonzero(labels == KEYHOLE)[axis]
        centre = int(places.mean()) if len(places) else whole // 2
        corner.append(int(np.clip(centre - part // 2, 0, max(whole - part, 0))))
    return frame[corner[0] : corner[0] + _WINDOW[0], corner[1] : corner[1] + _WINDOW[1]]


def _grey_window(picture: np.ndarray) -> tuple[float, float]:
    if picture.dtype == np.uint8:
        return 0.0, 255.0
    low, high = np.percentile(picture, (0.1, 99.9))
    return float(low), float(high)
