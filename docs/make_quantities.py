"""Draw what is measured: `python docs/make_quantities.py`.

Label maps are drawn, as for the tests, and measured; every line in the pictures is where the
measurement put it.
"""

from __future__ import annotations

import runpy
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Arc, Circle

from amseg_keras.classes import MELT_POOL
from amseg_keras.quantify import (
    Scale,
    fluctuation,
    measure,
    measure_keyhole,
    measure_melt_pool,
    measure_pores,
    melt_pool_boundary,
    substrate_surface,
)
from amseg_keras.quantify.geometry.melt_pool import melt_free_depth
from amseg_keras.report.colours import class_colours

HERE = Path(__file__).parent
DRAWN = runpy.run_path(str(HERE.parent / "tests" / "drawn_frames.py"))
Drawing, NAMES = DRAWN["Drawing"], DRAWN["NAMES"]
TILT_DEG = 4.0
# Lighter than the paper's colours, so that lines over them are seen.
COLOURS = ListedColormap(0.45 * class_colours(NAMES) / 255 + 0.55)
ARROW = {"arrowstyle": "<->", "shrinkA": 0, "shrinkB": 0, "linewidth": 1.2}


def show(axes: Axes, labels: np.ndarray) -> None:
    """The label map, without ticks."""
    axes.imshow(labels, COLOURS, vmin=0, vmax=len(NAMES) - 1, interpolation="nearest")
    axes.set_axis_off()


def length(axes: Axes, start: np.ndarray, end: np.ndarray, text: str, beside: tuple) -> None:
    """A dimension line between two points, with its text beside its middle."""
    axes.annotate("", end, start, arrowprops=ARROW, annotation_clip=False)
    axes.annotate(text, (np.add(start, end)) / 2, beside, textcoords="offset points", va="center")


def geometry() -> Figure:
    """Draw the quantities of one frame."""
    drawing = Drawing((170, 300), TILT_DEG, row=45.5)
    drawing.polygon(
        [(-6, -9), (26, -9), (26, 4), (10, 60), (-4, 74), (-18, 66), (-20, 46), (-6, 6)]
    )
    drawing.disc(-86, 62, 10).disc(-80, 68, 9)
    labels = drawing.labels
    surface = substrate_surface(labels, NAMES)
    keyhole = measure_keyhole(labels, NAMES, surface)
    pores = measure_pores(labels, NAMES, surface)
    along = surface.cosine * np.array([1, surface.slope])
    down = surface.cosine * np.array([-surface.slope, 1])

    figure = Figure((9, 5.2))
    axes = figure.add_axes((0, 0, 1, 1))
    show(axes, labels)
    ends = np.array([0, labels.shape[1] - 1])
    axes.plot(ends, surface.row(ends), "k", linewidth=1.4)
    axes.text(4, surface.row(4) - 5, "surface")
    axes.annotate(
        "scan direction", (215, 20), (150, 20), va="center", arrowprops={"arrowstyle": "->"}
    )

    tip = np.array([keyhole.tip_x_px, keyhole.tip_y_px])
    right = 104 * along
    length(
        axes,
        tip - keyhole.depth_px * down + right,
        tip + right,
        f"depth {keyhole.depth_px:.1f}",
        (8, 0),
    )
    axes.plot(*zip(tip, tip + right, strict=True), "k:", linewidth=1)
    axes.plot(*tip, "k.")
    axes.annotate("tip", tip, (-24, -4), textcoords="offset points")

    opening = np.array([keyhole.x_px, surface.row(keyhole.x_px)])
    half = keyhole.aperture_px / 2 * along
    above = -13 * down
    length(
        axes,
        opening - half + above,
        opening + half + above,
        f"aperture {keyhole.aperture_px:.1f}",
        (-38, 14),
    )
    corner = opening + half
    wall = np.deg2rad(keyhole.front_wall_angle_deg(1))
    tilt = np.rad2deg(np.arctan(surface.slope))
    foot = corner + keyhole.depth_px * (down - along / np.tan(wall))
    axes.plot(*zip(corner, foot, strict=True), "k--", linewidth=1)
    axes.add_patch(
        Arc(corner, 44, 44, angle=tilt + 180, theta1=-np.rad2deg(wall), theta2=0, linewidth=1.4)
    )
    axes.annotate(
        f"front-wall angle {np.rad2deg(wall):.1f}°",
        corner - 18 * along + 12 * down,
        (46, -14),
        textcoords="offset points",
        arrowprops={"arrowstyle": "-", "linewidth": 0.8},
    )
    in_keyhole = labels == NAMES.index("keyhole")
    levels = np.round(drawing.v).astype(int)
    spans = {
        level: np.ptp(drawing.u[in_keyhole & (levels == level)])
        for level in np.unique(levels[in_keyhole])
        if level > 0
    }
    level = max(spans, key=spans.__getitem__)
    row = drawing.u[in_keyhole & (levels == level)]
    length(
        axes,
        np.array(drawing.at(row.min() - 0.5, level)),
        np.array(drawing.at(row.max() + 0.5, level)),
        f"width {keyhole.width_px:.1f}",
        (-104, 0),
    )

    (pore,) = pores
    centre = np.array([pore.x_px, pore.y_px])
    axes.add_patch(Circle(centre, pore.equivalent_diameter_px / 2, fill=False, linestyle="--"))
    axes.plot(*centre, "k.")
    length(axes, centre - pore.depth_px * down, centre, f"pore depth {pore.depth_px:.1f}", (6, 0))
    axes.annotate(
        f"disc of equivalent\ndiameter {pore.equivalent_diameter_px:.1f}",
        centre,
        (-84, -52),
        textcoords="offset points",
    )
    free = melt_free_depth(labels, NAMES, surface, keyhole, pores)
    length(axes, tip, tip + free * down, f"melt-free depth {free:.1f}", (6, 0))
    return figure


def melt_pool() -> Figure:
    """Draw the measured lengths of the melt pool."""
    names = [*NAMES, MELT_POOL]
    drawing = Drawing((150, 300), TILT_DEG, row=45.5)
    along = np.linspace(0, np.pi, 60)
    reach = np.where(np.cos(along) > 0, 34, 118)
    ragged = 1 + 0.04 * np.sin(23 * along)
    pool = [
        (20 + r * np.cos(a), 52 * np.sin(a) * g)
        for r, a, g in zip(reach, along, ragged, strict=True)
    ]
    drawing.polygon(pool, label=len(NAMES))
    drawing.polygon([(12, -9), (32, -9), (32, 4), (22, 36), (12, 36), (14, 6)])
    labels = drawing.labels
    surface = substrate_surface(labels, names)
    found = measure_melt_pool(labels, names, surface)
    curve = melt_pool_boundary(labels, names)
    axis, down = (
        surface.cosine * np.array([1, surface.slope]),
        surface.cosine * np.array([-surface.slope, 1]),
    )

    figure = Figure((9, 4.5))
    axes = figure.add_axes((0, 0, 1, 1))
    colours = ListedColormap(0.45 * class_colours(names) / 255 + 0.55)
    axes.imshow(labels, colours, vmin=0, vmax=len(names) - 1, interpolation="nearest")
    axes.set_axis_off()
    ends = np.array([0, labels.shape[1] - 1])
    axes.plot(ends, surface.row(ends), "k", linewidth=1.4)
    axes.text(4, surface.row(4) - 5, "surface")
    axes.annotate(
        "scan direction", (246, 24), (180, 24), va="center", arrowprops={"arrowstyle": "->"}
    )
    axes.plot(curve.x_px, curve.y_px, color="#a34700", linewidth=2)
    axes.annotate(
        "boundary", (curve.x_px[12], curve.y_px[12]), (-72, -16), textcoords="offset points"
    )
    left = np.array([found.left_x_px, surface.row(found.left_x_px)])
    right = np.array([found.right_x_px, surface.row(found.right_x_px)])
    axes.annotate(
        "solidification front (tail)",
        left,
        (-84, 34),
        textcoords="offset points",
        arrowprops={"arrowstyle": "->"},
    )
    length(
        axes,
        left - 13 * down,
        right - 13 * down,
        f"width at the surface {found.surface_width_px:.1f}",
        (-60, 14),
    )
    foot = found.depth_px * down
    length(
        axes,
        left + foot + 16 * down,
        right + foot + 16 * down,
        f"length {found.length_px:.1f}",
        (-30, -14),
    )
    end = right + 12 * axis
    length(axes, end, end + foot, f"depth {found.depth_px:.1f}", (8, 0))
    deepest = int(np.argmax(surface.depth(curve.x_px, curve.y_px)))
    lowest = np.array([curve.x_px[deepest], curve.y_px[deepest]])
    axes.plot(*zip(lowest, end + foot, strict=True), "k:", linewidth=1)
    return figure


def tracking() -> Figure:
    """Pores through time: born at the keyhole, drifting, frozen; one that was there before."""
    frames = 30
    stack = []
    for frame in range(frames):
        drawing = Drawing((90, 220), row=20.5)
        drawing.polygon(
            [(u - 60 + 4 * frame, v) for u, v in ((-6, -5), (6, -5), (3, 38), (-5, 38))]
        )
        drawing.disc(70, 52, 5)
        if frame >= 8:
            drawing.disc(-36 - 1.5 * min(frame - 8, 10), 42, 3 + 0.3 * min(frame - 8, 6))
        stack.append(drawing.labels)
    found = measure(np.stack(stack), NAMES, Scale())
    shown = (4, 10, 14, 29)
    figure = Figure((9, 4.2), layout="constrained")
    for axes, frame in zip(figure.subplots(2, 2).flat, shown, strict=True):
        show(axes, stack[frame])
        axes.set_title(f"frame {frame}", loc="left", fontsize=10)
        for number, path in found.pores[found.pores["frame"] <= frame].groupby("track"):
            axes.plot(path["x_px"], path["y_px"], "k", linewidth=1)
            last, track = path.iloc[-1], found.tracks.iloc[number]
            if track["first_frame"] == 0:
                text = "formed before"
            elif frame < track["frozen_frame"]:
                text = "formed at the keyhole, drifting"
            else:
                text = f"frozen since frame {track['frozen_frame']:.0f}"
            axes.annotate(
                text,
                (last["x_px"], last["y_px"] + 6),
                (0, -12),
                textcoords="offset points",
                ha="center",
                fontsize=9,
            )
    return figure


def deviations() -> Figure:
    """Fluctuation of an area."""
    frame = np.arange(40)
    area = 400 + 90 * np.sin(0.9 * frame) * np.exp(-((frame - 20) ** 2) / 300)
    found = fluctuation(area)
    figure = Figure((9, 3), layout="constrained")
    axes = figure.add_subplot(xlabel="frame", ylabel="keyhole area")
    axes.vlines(frame, area.mean(), area, "0.6")
    axes.plot(frame, area, "o-", color="#541352", markersize=4)
    axes.axhline(area.mean(), color="k", linewidth=1)
    axes.text(40, area.mean() + 4, "mean")
    largest = int(found.delta_i.argmax())
    axes.annotate(
        f"largest deviation: delta_max = {found.delta_max:.3f} of the mean",
        (largest, area[largest]),
        (14, 0),
        textcoords="offset points",
        va="center",
    )
    axes.set_title(f"mean length of the grey lines: delta_avg = {found.delta_avg:.3f} of the mean")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


PICTURES = {
    "geometry": geometry,
    "melt_pool": melt_pool,
    "tracking": tracking,
    "fluctuation": deviations,
}

with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "amseg", "font.size": 11}):
    for name, draw in PICTURES.items():
        draw().savefig(HERE / "drawings" / f"{name}.svg", metadata={"Date": None})
