"""One moment of a shot: stage, melt track, voids and grains put together, with labels."""

from dataclasses import dataclass

import numpy as np

from amseg_keras.classes import CLASS_NAMES, IGNORE
from amseg_keras.simulate.grains import Airborne, add_grains, draw_airborne, ligament
from amseg_keras.simulate.radiograph import Component, log_intensity
from amseg_keras.simulate.ranges import Ranges, draw, draw_integer
from amseg_keras.simulate.stage import PIXEL_UM, Stage
from amseg_keras.simulate.voids import (
    PORE_WALL_PX,
    Keyhole,
    chord,
    draw_keyhole,
    fill,
    pore_outline,
)

BACKGROUND, POWDER, SUBSTRATE, KEYHOLE, PORE = range(len(CLASS_NAMES))

VISIBLE = 2.5
"""Matched-filter signal-to-noise below which a void cannot be seen and is labelled ignore."""
_CORRELATION_AREA = 8.0
"""Pixels of texture that count as one independent sample."""


@dataclass(frozen=True)
class Void:
    """A void's outline `(points, 2)` (column, row), its depth along the beam and wall width."""

    outline: np.ndarray
    depth_um: float
    wall_px: float


@dataclass(frozen=True)
class Track:
    """The melted track: its height changes in pixels and how much of the plate it fills.

    Attributes:
        bead: Height of the solidified track behind the laser.
        hump: Height of the melt bulge.
        hump_width: Its sigma.
        hump_behind: Its distance behind the laser.
        fill: Share of the plate's thickness that the raised melt has along the beam.
        bare: Share of the powder layer gone behind the laser.
    """

    bead: float
    hump: float
    hump_width: float
    hump_behind: float
    fill: float
    bare: float


@dataclass(frozen=True)
class Moment:
    """What moves: laser, keyhole, pores, grains."""

    laser_px: float
    direction: int
    track: Track
    keyhole: Void | None
    pores: tuple[Void, ...]
    airborne: Airborne
    ligament: np.ndarray | None


def draw_track(rng: np.random.Generator, process: str, ranges: Ranges) -> Track:
    """Draw the melted track; a third of them is hardly raised."""
    calm = rng.random() < 0.35
    return Track(
        bead=0.0 if calm else draw(rng, ranges.bead_height_px),
        hump=0.0 if calm else draw(rng, ranges.hump_height_px),
        hump_width=draw(rng, (2.5, 12)),
        hump_behind=draw(rng, (-4, 14)),
        fill=draw(rng, (0.1, 0.9)),
        bare=draw(rng, (0, 0.5)) if process == "lpbf" and rng.random() < 0.4 else 0.0,
    )


def void_depth(rng: np.random.Generator, stage: Stage, ranges: Ranges) -> float:
    """Depth along the beam (um) whose contrast is comparable to the texture's sigma."""
    contrast = draw(rng, ranges.void_sigmas) * stage.sigma + draw(rng, ranges.void_extra)
    return min(contrast / stage.beam.slope, stage.beam.plate_um)


def as_void(keyhole: Keyhole, stage: Stage, moment: tuple[float, int], depth_um: float) -> Void:
    """Place a keyhole under the laser; `moment` is its column and its direction."""
    laser_px, direction = moment
    row = stage.surface[int(np.clip(laser_px, 0, stage.shape[1] - 1))]
    return Void(keyhole.outline(laser_px, float(row), direction), depth_um, 2.5)


def draw_pore(
    rng: np.random.Generator, stage: Stage, ranges: Ranges, diameter: float | None = None
) -> Void:
    """A pore anywhere in the plate, most of them within 90 px of the surface."""
    if diameter is None:
        large = rng.random() < 0.125
        diameter = draw(rng, ranges.large_pore_px if large else ranges.pore_diameter_px)
    column = draw(rng, (0, stage.shape[1]))
    row = stage.surface[min(int(column), stage.shape[1] - 1)] + diameter / 2 + 1
    room = max(stage.shape[0] - row, 1)
    row += min(rng.exponential(30), room) if rng.random() < 0.75 else draw(rng, (0, room))
    outline = pore_outline(rng, (column, float(row)), diameter)
    return Void(outline, void_depth(rng, stage, ranges), draw(rng, PORE_WALL_PX))


def draw_moment(rng: np.random.Generator, stage: Stage, ranges: Ranges) -> Moment:
    """A moment on its own, for single frames."""
    laser_px = draw(rng, (0.04, 0.96)) * stage.shape[1]
    direction = int(rng.choice((-1, 1)))
    keyhole = None
    if rng.random() < 0.85:
        shape = draw_keyhole(rng, ranges, PIXEL_UM)
        keyhole = as_void(shape, stage, (laser_px, direction), void_depth(rng, stage, ranges))
    pores = tuple(draw_pore(rng, stage, ranges) for _ in range(rng.integers(0, 9)))
    if keyhole is not None:
        pores = tuple(pore for pore in pores if not _boxes_meet(pore.outline, keyhole.outline))
    if stage.process == "lpbf":
        count = draw_integer(rng, ranges.airborne)
    else:
        count = int(rng.integers(1, 8)) if rng.random() < 0.3 else 0
    smear = None
    if rng.random() < 0.2:
        foot = float(stage.powder_top[int(laser_px)]) + 3
        smear = ligament(rng, stage.shape, laser_px, foot)
    return Moment(
        laser_px=laser_px,
        direction=direction,
        track=draw_track(rng, stage.process, ranges),
        keyhole=keyhole,
        pores=pores,
        airborne=draw_airborne(rng, count, stage.powder_top - 2, laser_px),
        ligament=smear,
    )


def compose(stage: Stage, moment: Moment) -> tuple[np.ndarray, np.ndarray]:
    """Log intensity (float32) and labels (uint8), both `(height, width)`."""
    rows = np.arange(stage.shape[0], dtype=np.float32)[:, None]
    columns = np.arange(stage.shape[1], dtype=np.float32)
    behind = moment.direction * (moment.laser_px - columns)
    passed = 1 / (1 + np.exp(-np.clip(behind / 4, -30, 30)))
    track = moment.track
    hump = track.hump * np.exp(-0.5 * ((behind - track.hump_behind) / track.hump_width) ** 2)
    melted = (stage.surface - track.bead * passed - hump).astype(np.float32)
    top = stage.surface - (stage.surface - stage.powder_top) * (1 - track.bare * passed)
    lower = np.maximum(melted, stage.surface)

    # --- solid: the plate below both lines, the raised melt between them --------
    solid = np.clip(rows - lower + 0.5, 0, 1)
    raised = np.clip(rows - melted + 0.5, 0, 1) - solid
    plate_um = np.float32(stage.beam.plate_um)
    solid_um = plate_um * stage.plate * (solid + np.float32(track.fill) * raised)

    # --- labels ---------------------------------------------------------------
    labels = np.zeros(stage.shape, np.uint8)
    in_layer = (rows >= top) & (rows < lower)
    labels[in_layer] = POWDER
    labels[in_layer & (stage.surface - top < 4)] = IGNORE
    bulge = (rows >= melted) & (rows < stage.surface)
    # A faint bulge is neither plate nor gas, a strong one in powder neither plate nor powder.
    if stage.process == "lpbf":
        labels[bulge & (rows < top)] = IGNORE
        labels[bulge & in_layer] = POWDER if track.fill < 0.5 else IGNORE
    else:
        labels[bulge] = SUBSTRATE if track.fill > 0.35 else IGNORE
    plate = rows >= lower
    labels[plate] = SUBSTRATE

    # --- voids ------------------------------------------------------------------
    hollow = np.zeros(stage.shape, np.float32)
    body = labels == SUBSTRATE if stage.process == "welding" else plate
    keyhole_mask = np.zeros(stage.shape, bool)
    if moment.keyhole is not None:
        keyhole_mask = _carve(stage, moment.keyhole, body, hollow, labels, KEYHOLE)
    for pore in moment.pores:
        _carve(stage, pore, body, hollow, labels, PORE, keyhole_mask)

    hollow = np.minimum(hollow, solid_um)

    # --- powder and things in the gas --------------------------------------------
    grain = np.zeros(stage.shape, np.float32)
    add_grains(grain, moment.airborne, PIXEL_UM * stage.grain_factor)
    if moment.ligament is not None:
        grain += moment.ligament * plate_um * np.float32(0.15)
    components = [
        Component(solid_um, stage.fringes.plate[1], stage.fringes.plate[0]),
        Component(-hollow, stage.fringes.void[1], stage.fringes.void[0]),
        Component(grain, stage.fringes.grain[1], stage.fringes.grain[0]),
        *stage.faces,
    ]
    if stage.sheets:
        layer = _powder(stage, rows, top)
        components.append(Component(layer, stage.fringes.powder[1], stage.fringes.powder[0]))
    log = log_intensity(stage.beam, components)
    if stage.divided:
        log += np.float32(stage.divided * stage.beam.slope * stage.beam.plate_um) * solid
    return log, labels


def _boxes_meet(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether the bounding boxes of two outlines come within 3 px of each other."""
    gap = np.maximum(first.min(axis=0) - second.max(axis=0), second.min(axis=0) - first.max(axis=0))
    return bool((gap < 3).all())


def _powder(stage: Stage, rows: np.ndarray, top: np.ndarray) -> np.ndarray:
    """Thickness of the layer: the grains whose centres lie between its top and the plate."""
    layer = np.zeros(stage.shape, np.float32)
    first = max(int(top.min()) - 12, 0)
    last = min(int(stage.surface.max()) + 12, stage.shape[0])
    band = slice(first, last)
    columns = np.arange(stage.shape[1])
    for sheet in stage.sheets:
        centre = rows[band] + sheet.centre_below[band]
        # The line at the grain's own centre decides, or grains would be cut by columns.
        at = np.clip(columns + sheet.centre_right[band], 0, stage.shape[1] - 1)
        layer[band] += sheet.thickness[band] * ((centre > top[at]) & (centre < stage.surface[at]))
    return np.float32(stage.powder_gain) * layer


def _carve(
    stage: Stage,
    void: Void,
    body: np.ndarray,
    hollow: np.ndarray,
    labels: np.ndarray,
    label: int,
    keyhole: np.ndarray | None = None,
) -> np.ndarray:
    """Take a void out of the body: its path into `hollow`, its class into `labels`; its mask."""
    whole = np.zeros(stage.shape, bool)
    window, mask = fill(void.outline, stage.shape)
    if not mask.any():
        return whole
    path = chord(mask, void.wall_px) * np.float32(void.depth_um)
    mask = mask & body[window]
    hollow[window] = np.maximum(hollow[window], path)
    signal = stage.beam.slope * path * mask
    visibility = np.sqrt(float((signal * signal).sum()) / _CORRELATION_AREA) / stage.sigma
    if keyhole is not None and (keyhole[window] & mask).any():
        # Joined to the keyhole: one void, and it opens at the surface.
        label = KEYHOLE
    labels[window][mask] = label if visibility >= VISIBLE else IGNORE
    whole[window] = mask
    return whole
