"""One moment of a melt-pool shot: stage, melt, voids and grains put together, with labels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from amseg_keras.simulate.absorption import Component, Fringe, log_of_paths, propagate
from amseg_keras.simulate.melt.plate import Band
from amseg_keras.simulate.melt.pool import Pool, Void, fill, path_of
from amseg_keras.simulate.melt.spatter import Airborne, Ligament, Plume, add_grains
from amseg_keras.simulate.melt.stage import Stage
from amseg_keras.simulate.melt.still import (
    BACKGROUND,
    KEYHOLE,
    PORE,
    LabelSet,
    Seen,
    Still,
    label_layers,
    moving_noise,
    powder_um,
    solid_um,
    visibility,
)
from amseg_keras.simulate.shot import LabelMaps, Liquid, Picture

Window = tuple[slice, slice]

_BRIGHTEST = np.float32(1.2)
"""Log intensity above which nothing shines: fringes reach 0.9."""


@dataclass(frozen=True)
class Track:
    """The melted track: its height changes in pixels and how much of the plate it fills.

    Attributes:
        bead: Height of the solidified track behind the laser at each column, float32 `(width,)`.
        hump: Height of the melt bulge.
        hump_width: Its sigma.
        hump_behind: Its distance behind the laser.
        fill: Share of the plate's thickness that the raised melt has along the beam.
        bare: Share of the powder layer gone behind the laser.
        blown: How far before the laser it is gone.
    """

    bead: np.ndarray
    hump: float
    hump_width: float
    hump_behind: float
    fill: float
    bare: float
    blown: float


@dataclass(frozen=True)
class Moment:
    """Where everything is in one frame.

    Attributes:
        frame: Its number.
        laser_px: Column of the laser; where it was last when it is off.
        start_px: Column at which it was switched on.
        direction: Direction of the scan, +1 or -1.
        melted: How far melting has come at a place, 0 before the laser to 1.
        track: The melted track.
        pool: Its liquid.
        grown: Share of its full length and of its full depth that the pool has.
        hump: Height of the melt bulge now, in pixels.
        keyhole: None where there is none.
        glow: The keyhole of the frame before, where the scintillator still glows.
        pores: Pores that move or are new.
        airborne: Grains and drops in the gas.
        ligaments: Tongues of melt, there or not.
        plume: Vapour above the keyhole; None where there is none.
    """

    frame: int
    laser_px: float
    start_px: float
    direction: int
    melted: float
    track: Track
    pool: Pool
    grown: tuple[float, float]
    hump: float
    keyhole: Void | None
    glow: tuple[Void, float] | None
    pores: tuple[Void, ...]
    airborne: tuple[Airborne, ...]
    ligaments: tuple[Ligament, ...]
    plume: Plume | None


@dataclass(frozen=True)
class Lines:
    """Surface that the melt has left, at each column, float32 `(width,)`.

    Attributes:
        melted: Row of the surface with bead and hump.
        top: Row of the top of the powder.
        passed: Where the laser has passed, 0 to 1.
        liquid: Depth of the liquid below the surface, 0 where there is none.
        frozen: Where metal has frozen again, 0 to 1.
    """

    melted: np.ndarray
    top: np.ndarray
    passed: np.ndarray
    liquid: np.ndarray
    frozen: np.ndarray


def compose(stage: Stage, still: Still, moment: Moment, labelled: bool = True) -> Picture:
    """Put a frame together.

    What stands still is there already; only what differs from it is added, in its window.

    Args:
        stage: What stands still.
        still: How the beam is left by it.
        moment: Where everything else is.
        labelled: Whether labels and liquid are wanted.
    """
    shape = stage.view.shape
    lines = _lines(stage, moment)
    crossed, fringe = still.crossed.copy(), still.fringe.copy()
    paths = (crossed, fringe)
    _add_melt(stage, still, moment, lines, paths)
    if stage.powder is not None and moment.track.bare:
        _add_bared(stage, lines, paths)
    if stage.band is not None and stage.band.melts:
        _add_melted_band(stage, stage.band, lines, paths)
    liquid = _add_liquid(stage, moment, lines, paths)
    _add_flying(stage, moment, paths)
    hollow = _add_voids(stage, still, moment, lines, paths)
    log = log_of_paths(stage.beam, crossed, fringe)
    _add_fresh(stage, moment, lines, log)
    if moment.plume is not None:
        moment.plume.darken(log, stage.ceiling, moment.laser_px)
    # In frames of a few dozen pixels the texture of a fresh track could add without bound.
    intensity = cv2.exp(np.minimum(log, _BRIGHTEST))
    if not labelled:
        return Picture(intensity)
    labels = _labels(stage, still, moment, lines)
    wet: np.ndarray = np.zeros(shape, np.uint8)
    if liquid is not None:
        window, mask = liquid
        wet[window] = mask & (hollow[window] <= 0)
    return Picture(intensity, labels, _liquid(stage, moment.pool.contrast, wet))


LEAST_LIQUID = 0.45
"""Smallest contrast of the liquid, over the noise of a pixel, at which its boundary can be seen.
The mean of eighty pixels along the boundary then stands four times above its noise; a pool is as
long as that."""


def _liquid(stage: Stage, contrast: float, mask: np.ndarray) -> Liquid:
    """Say whether the boundary of the liquid can be seen.

    In a single frame the contrast stands against texture and noise. In the difference from a
    background it stands against the noise and what drift leaves of the texture.
    """
    return Liquid(
        mask,
        in_frame=contrast >= LEAST_LIQUID * stage.sigma,
        in_motion=contrast >= LEAST_LIQUID * moving_noise(stage),
    )


# --- lines --------------------------------------------------------------------------------


def _lines(stage: Stage, moment: Moment) -> Lines:
    track, direction = moment.track, moment.direction
    columns = np.arange(stage.view.shape[1], dtype=np.float32)
    behind = direction * (moment.laser_px - columns)
    since_start = direction * (columns - moment.start_px)
    soft = 17.0 / stage.view.pixel_um
    begun = _sigmoid((since_start + moment.pool.front) / soft) * np.float32(moment.melted)
    passed = _sigmoid(behind / soft) * begun
    hump = moment.hump * np.exp(-0.5 * ((behind - track.hump_behind) / track.hump_width) ** 2)
    melted = stage.surface - track.bead * passed - hump
    gone = _sigmoid((behind + track.blown) / (2 * soft)) * begun
    liquid = moment.pool.bottom(columns, moment.laser_px, direction, moment.grown)
    if moment.keyhole is not None:
        liquid = np.maximum(liquid, _around(stage, moment.keyhole, moment.pool.shell))
    length = moment.pool.length * moment.grown[0]
    frozen = _sigmoid((behind - length) / soft) * begun
    if moment.start_px == moment.laser_px and moment.grown[1] < 1:
        # Under a laser that stood still the pool freezes where it was.
        full = moment.pool.bottom(columns, moment.laser_px, direction, (1.0, 1.0))
        frozen = np.maximum(frozen, (full > 0) * (liquid <= 0) * np.float32(moment.melted))
    top = stage.surface - (stage.surface - stage.ceiling) * (1 - track.bare * gone)
    return Lines(
        melted=np.asarray(melted, np.float32),
        top=np.asarray(top, np.float32),
        passed=np.asarray(passed, np.float32),
        liquid=np.asarray(liquid, np.float32),
        frozen=np.asarray(frozen, np.float32),
    )


def _around(stage: Stage, keyhole: Void, shell: float) -> np.ndarray:
    """Depth below the surface to which liquid stands around a keyhole, at each column, or 0."""
    (rows, columns), mask = fill(keyhole.outline, stage.view.shape)
    depth: np.ndarray = np.zeros((1, stage.view.shape[1]), np.float32)
    if not mask.any():
        return np.asarray(depth[0])
    lowest = rows.start + mask.shape[0] - mask[::-1].argmax(axis=0)
    below = np.maximum(lowest - stage.surface[columns], 0) + np.float32(shell)
    depth[0, columns] = np.where(mask.any(axis=0), below, 0)
    size = 2 * round(shell) + 1
    grown = cv2.GaussianBlur(cv2.dilate(depth, np.ones((1, size))), (0, 1), shell / 2 + 0.5)
    return np.asarray(grown[0], np.float32)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(np.minimum(np.maximum(-x, -30), 30))))


# --- what is added ------------------------------------------------------------------------


def _add(
    paths: tuple[np.ndarray, np.ndarray], window: Window, thickness: np.ndarray, fringe: Fringe
) -> None:
    """Propagate a component in its window, which must have room for the blur, and add it."""
    if not thickness.size:
        return  # all of it lies outside of the frame
    layer = propagate(Component(thickness, fringe.softening, fringe.strength))
    crossed, fringes = paths
    crossed[window] += layer.crossed
    fringes[window] += layer.fringe


def _room(fringe: Fringe) -> int:
    return int(np.ceil(4 * fringe.softening)) + 2


def _window(stage: Stage, rows: tuple[float, float], columns: tuple[float, float]) -> Window:
    height, width = stage.view.shape
    top, bottom = (min(max(round(row), 0), height) for row in rows)
    left, right = (min(max(round(column), 0), width) for column in columns)
    return slice(top, max(bottom, top)), slice(left, max(right, left))


def _extent(there: np.ndarray) -> tuple[int, int]:
    at = np.flatnonzero(there)
    return (int(at[0]), int(at[-1]) + 1) if at.size else (0, 0)


def _add_melt(
    stage: Stage,
    still: Still,
    moment: Moment,
    lines: Lines,
    paths: tuple[np.ndarray, np.ndarray],
) -> None:
    """Add the plate's new surface less the old one."""
    changed = np.abs(lines.melted - stage.surface) > 0.01
    if not changed.any():
        return
    room = _room(stage.plate_fringe) + 4
    left, right = _extent(changed)
    both = np.stack((lines.melted[left:right], stage.surface[left:right]))
    rows = (float(both.min()) - room, float(both.max()) + room)
    window = _window(stage, rows, (left - room, right + room))
    now = solid_um(stage, lines.melted, moment.track.fill, window)
    _add(paths, window, now - still.solid[window], stage.plate_fringe)


def _add_bared(stage: Stage, lines: Lines, paths: tuple[np.ndarray, np.ndarray]) -> None:
    """Powder that is gone, with a minus."""
    assert stage.powder is not None
    room = _room(stage.powder.fringe) + int(60 / stage.view.pixel_um)
    left, right = _extent(lines.top - stage.ceiling > 0.02)
    if left == right:
        return
    there = slice(left, right)
    rows = (float(stage.ceiling[there].min()) - room, float(lines.top[there].max()) + room)
    window = _window(stage, rows, (left - room, right + room))
    gone = powder_um(stage, stage.powder, np.minimum(lines.top, stage.surface), window)
    _add(paths, window, -gone, stage.powder.fringe)


def _add_melted_band(
    stage: Stage, band: Band, lines: Lines, paths: tuple[np.ndarray, np.ndarray]
) -> None:
    """Loose metal that has become dense behind the laser."""
    left, right = _extent(lines.passed > 0.01)
    room = _room(stage.void_fringe)
    rows = (float(stage.surface.min()) - room, float(band.bottom + room))
    window = _window(stage, rows, (left - room, right + room))
    if left < right and band.bottom:
        _add(paths, window, band.path[window] * lines.passed[window[1]], stage.void_fringe)


def _add_liquid(
    stage: Stage, moment: Moment, lines: Lines, paths: tuple[np.ndarray, np.ndarray]
) -> tuple[Window, np.ndarray] | None:
    """Metal that is less dense; its window and its mask."""
    wet = lines.liquid > 0.3
    if not wet.any():
        return None
    left, right = _extent(wet)
    bottom = stage.surface + lines.liquid
    room = _room(stage.void_fringe) + 2
    rows = (float(lines.melted[left:right].min()) - room, float(bottom[left:right].max()) + room)
    window = _window(stage, rows, (left - room, right + room))
    at = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None]
    lower, upper = bottom[window[1]], lines.melted[window[1]]
    share = np.clip(at - upper + 0.5, 0, 1) * wet[window[1]]
    within = share * (lower > at)
    rise = np.clip((lower - at + 0.5) / np.float32(moment.pool.edge), 0, 1)
    # A chord of a circle.
    share *= cv2.sqrt(rise * (2 - rise))
    lacking = np.float32(-moment.pool.brightness / stage.beam.slope)
    _add(paths, window, lacking * share, stage.void_fringe)
    return window, within > 0.5


def _add_flying(stage: Stage, moment: Moment, paths: tuple[np.ndarray, np.ndarray]) -> None:
    """Grains, drops and ligaments, um of plate."""
    height, width = stage.view.shape
    # All of it is above the surface, but for what it is blurred by.
    bottom = min(int(stage.ceiling.max()) + 12 + _room(stage.grain_fringe), height)
    flying: np.ndarray = np.zeros((max(bottom, 1), width), np.float32)
    for grains in moment.airborne:
        add_grains(flying, grains, stage.view.pixel_um * stage.grain_factor)
    foot = float(stage.ceiling[int(np.clip(moment.laser_px, 0, width - 1))]) + 3
    for ligament in moment.ligaments:
        smear = ligament.thickness(moment.frame, flying.shape, foot)
        if smear is not None:
            flying += smear * np.float32(0.15 * stage.beam.plate_um)
    if flying.any():
        _add(paths, (slice(0, len(flying)), slice(0, width)), flying, stage.grain_fringe)


def _add_voids(
    stage: Stage,
    still: Still,
    moment: Moment,
    lines: Lines,
    paths: tuple[np.ndarray, np.ndarray],
) -> np.ndarray:
    """Keyhole and pores, less those that are there all the time; all paths in voids in um."""
    hollow: np.ndarray = np.zeros(stage.view.shape, np.float32)
    keyholes = []
    if moment.keyhole is not None:
        keyholes.append((moment.keyhole, 1.0 if moment.glow is None else 1 - moment.glow[1]))
    if moment.glow is not None:
        keyholes.append(moment.glow)
    outlines = [void.outline for void in (*moment.pores, *(void for void, _ in keyholes))]
    if not outlines:
        return hollow
    for void, share in keyholes:
        inner, mask = fill(void.outline, stage.view.shape)
        hollow[inner] += np.float32(share) * path_of(void, mask)
    for void in moment.pores:
        inner, mask = fill(void.outline, stage.view.shape)
        hollow[inner] = np.maximum(hollow[inner], path_of(void, mask))
    room = _room(stage.void_fringe)
    points = np.concatenate(outlines)
    (left, upper), (right, bottom) = points.min(axis=0), points.max(axis=0)
    # Keyholes reach above any melt hump; nothing is carved there.
    upper = max(upper, float(min(lines.melted.min(), stage.surface.min())))
    window = _window(stage, (upper - room, bottom + room), (left - room, right + room))
    if 0 in hollow[window].shape:
        return hollow
    solid = solid_um(stage, lines.melted, moment.track.fill, window)
    old = still.hollow[window]
    change = np.minimum(np.maximum(hollow[window], old), solid) - old
    _add(paths, window, -change, stage.void_fringe)
    return hollow


def _add_fresh(stage: Stage, moment: Moment, lines: Lines, log: np.ndarray) -> None:
    """Texture of the frozen track."""
    pool = moment.pool
    if not (lines.frozen > 0.01).any():
        return
    left, right = _extent(lines.frozen > 0.003)
    rows = (
        float(lines.melted[left:right].min()),
        float(stage.surface[left:right].max()) + 1.6 * pool.fresh_depth,
    )
    window = _window(stage, rows, (left, right))
    at = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None]
    columns = window[1]
    lower = stage.surface[columns] + pool.fresh_depth * pool.ragged[columns]
    # Sharp enough to be a line, as the edge of a track is.
    share = np.clip((lower - at) / 3 + 0.5, 0, 1) * (at >= lines.melted[columns])
    log[window] += share * lines.frozen[columns] * pool.fresh[window]


# --- labels -------------------------------------------------------------------------------


def _labels(stage: Stage, still: Still, moment: Moment, lines: Lines) -> LabelMaps:
    """Label the classes of the frame."""
    base, body = label_layers(stage, moment.track.fill, lines.top, lines.melted)
    maps = LabelSet(base.copy(), base.copy(), base)
    still.label(maps, body)
    keyhole: np.ndarray = np.zeros(stage.view.shape, bool)
    opened = Seen(False, False)
    if moment.keyhole is not None:
        window, mask = fill(moment.keyhole.outline, stage.view.shape)
        mask &= body[window]
        keyhole[window] = mask
        opened = visibility(stage, moment.keyhole, mask)
        maps.paint(window, mask, KEYHOLE, opened)
        still.join(maps, keyhole, body, opened)
    for pore in moment.pores:
        window, mask = fill(pore.outline, stage.view.shape)
        mask &= body[window]
        seen = visibility(stage, pore, mask)
        if (keyhole[window] & mask).any():
            maps.paint(window, mask & ~keyhole[window], KEYHOLE, seen.together(opened))
        else:
            maps.paint(window, mask, PORE, seen)
    if stage.clip is not None:
        # Hand-made labels call everything gas that stands in the dark above the edge of the beam.
        dark = np.arange(len(base))[:, None] < stage.clip
        for one in maps.every:
            one[dark] = BACKGROUND
    return LabelMaps(maps.frame, maps.motion, maps.divided)
