"""One moment of a melt-pool shot: stage, melt, voids and grains put together, with labels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from amseg_keras.classes import CLASS_NAMES, IGNORE
from amseg_keras.simulate.physics.radiograph import Component, log_intensity
from amseg_keras.simulate.scenes.melt.powder import PowderLayer
from amseg_keras.simulate.scenes.melt.spatter import Airborne, Ligament, add_grains
from amseg_keras.simulate.scenes.melt.stage import Stage
from amseg_keras.simulate.scenes.melt.voids import chord, fill

BACKGROUND, POWDER, SUBSTRATE, KEYHOLE, PORE = range(len(CLASS_NAMES))

VISIBLE = 3.0
"""Matched-filter signal-to-noise below which a void cannot be seen and is labelled ignore."""

THINNEST_LAYER = 4
"""Rows below which a powder layer cannot be told from the plate's edge."""

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
    """Where everything is in one frame.

    Attributes:
        frame: Its number.
        laser_px: Column of the laser.
        start_px: Column at which it was switched on.
        direction: Of the scan, +1 or -1.
        track: The melted track.
        hump: Height of the melt bulge now, in pixels.
        keyhole: None where there is none.
        pores: Those that are there.
        airborne: Grains and drops in the gas.
        ligaments: Tongues of melt, there or not.
    """

    frame: int
    laser_px: float
    start_px: float
    direction: int
    track: Track
    hump: float
    keyhole: Void | None
    pores: tuple[Void, ...]
    airborne: tuple[Airborne, ...]
    ligaments: tuple[Ligament, ...]


@dataclass(frozen=True)
class Solid:
    """What voids are taken out of; all `(height, width)`, the last two changed in place.

    Attributes:
        body: Where there is solid, bool.
        hollow: Path through voids in um, float32.
        labels: Class ids, uint8.
    """

    body: np.ndarray
    hollow: np.ndarray
    labels: np.ndarray


def compose(stage: Stage, moment: Moment) -> tuple[np.ndarray, np.ndarray]:
    """Intensity (float32, fraction of the open beam) and labels (uint8), `(height, width)`."""
    shape = stage.view.shape
    rows = np.arange(shape[0], dtype=np.float32)[:, None]
    columns = np.arange(shape[1], dtype=np.float32)
    melted, passed = _melt_line(stage, moment, columns)
    top = stage.surface - (stage.surface - stage.ceiling) * (1 - moment.track.bare * passed)
    lower = np.maximum(melted, stage.surface)

    # --- solid: the plate below both lines, the raised melt between them --------
    solid = np.clip(rows - lower + 0.5, 0, 1)
    raised = np.clip(rows - melted + 0.5, 0, 1) - solid
    plate_um = np.float32(stage.beam.plate_um)
    solid_um = plate_um * stage.plate.thickness * (solid + np.float32(moment.track.fill) * raised)
    if stage.lip:
        line = np.exp(-(((rows - lower - 1) / 1.3) ** 2)) * (rows >= lower - 0.5)
        solid_um += np.float32(stage.lip) * plate_um * line
    labels = _label_layers(stage, moment.track.fill, rows, top, melted, lower)

    # --- voids ------------------------------------------------------------------
    hollow: np.ndarray = np.zeros(shape, np.float32)
    body = labels == SUBSTRATE if stage.powder is None else rows >= lower
    _carve_all(stage, moment, Solid(body, hollow, labels))
    hollow = np.minimum(hollow, solid_um)
    if stage.clipped:
        # What bulges out of the plate stands in the dark.
        labels[(rows < stage.surface) & (labels != BACKGROUND)] = IGNORE

    # --- powder and things in the gas --------------------------------------------
    components = [
        Component(solid_um, stage.plate_fringe.softening, stage.plate_fringe.strength),
        Component(-hollow, stage.void_fringe.softening, stage.void_fringe.strength),
        Component(
            _in_flight(stage, moment), stage.grain_fringe.softening, stage.grain_fringe.strength
        ),
    ]
    if stage.powder is not None:
        layer = _powder(stage, stage.powder, rows, top)
        fringe = stage.powder.fringe
        components.append(Component(layer, fringe.softening, fringe.strength))
    log = log_intensity(stage.beam, [*components, stage.faces])
    if stage.divided:
        log += np.float32(stage.divided * stage.beam.slope * stage.beam.plate_um) * solid
    return cv2.exp(log), labels


def _melt_line(stage: Stage, moment: Moment, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row of the surface with bead and hump, and where the laser has passed (0 to 1)."""
    track = moment.track
    behind = moment.direction * (moment.laser_px - columns)
    since_start = moment.direction * (columns - moment.start_px)
    soft = 17.0 / stage.view.pixel_um
    passed = _sigmoid(behind / soft) * _sigmoid(since_start / soft)
    hump = moment.hump * np.exp(-0.5 * ((behind - track.hump_behind) / track.hump_width) ** 2)
    return (stage.surface - track.bead * passed - hump).astype(np.float32), passed


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x, -30, 30)))


def _label_layers(
    stage: Stage,
    fill_share: float,
    rows: np.ndarray,
    top: np.ndarray,
    melted: np.ndarray,
    lower: np.ndarray,
) -> np.ndarray:
    """Background, powder and substrate; ignored where nobody could tell them apart."""
    labels: np.ndarray = np.zeros(stage.view.shape, np.uint8)
    in_layer = (rows >= top) & (rows < lower)
    labels[in_layer] = POWDER
    labels[in_layer & (stage.surface - top < THINNEST_LAYER)] = IGNORE
    bulge = (rows >= melted) & (rows < stage.surface)
    # A faint bulge is neither plate nor gas, a strong one in powder neither plate nor powder.
    if stage.powder is not None:
        labels[bulge & (rows < top)] = IGNORE
        labels[bulge & in_layer] = POWDER if fill_share < 0.5 else IGNORE
    else:
        labels[bulge] = SUBSTRATE if fill_share > 0.35 else IGNORE
    labels[rows >= lower] = SUBSTRATE
    return labels


def _in_flight(stage: Stage, moment: Moment) -> np.ndarray:
    """Grains, drops and ligaments, um of plate."""
    flying: np.ndarray = np.zeros(stage.view.shape, np.float32)
    for grains in moment.airborne:
        add_grains(flying, grains, stage.view.pixel_um * stage.grain_factor)
    foot = float(stage.ceiling[int(np.clip(moment.laser_px, 0, stage.view.shape[1] - 1))]) + 3
    for ligament in moment.ligaments:
        smear = ligament.thickness(moment.frame, stage.view.shape, foot)
        if smear is not None:
            flying += smear * np.float32(0.15 * stage.beam.plate_um)
    return flying


def _powder(stage: Stage, powder: PowderLayer, rows: np.ndarray, top: np.ndarray) -> np.ndarray:
    """Thickness of the layer: the grains whose centres lie between its top and the plate."""
    layer: np.ndarray = np.zeros(stage.view.shape, np.float32)
    reach = int(60 / stage.view.pixel_um)
    first = max(int(top.min()) - reach, 0)
    last = min(int(stage.surface.max()) + reach, stage.view.shape[0])
    band = slice(first, last)
    columns = np.arange(stage.view.shape[1])
    for sheet in powder.sheets:
        centre = rows[band] + sheet.centre_below[band]
        # The line at the grain's own centre decides, or grains would be cut by columns.
        at = np.clip(columns + sheet.centre_right[band], 0, stage.view.shape[1] - 1)
        layer[band] += sheet.thickness[band] * ((centre > top[at]) & (centre < stage.surface[at]))
    return np.float32(powder.gain) * layer


def _carve_all(stage: Stage, moment: Moment, solid: Solid) -> None:
    """Take keyhole and pores out of the solid.

    A pore that overlaps the keyhole has not parted from it: both are one void that opens at the
    surface.
    """
    keyhole: np.ndarray = np.zeros(stage.view.shape, bool)
    if moment.keyhole is not None:
        window, mask = fill(moment.keyhole.outline, stage.view.shape)
        keyhole[window] = mask & solid.body[window]
        _carve(stage, moment.keyhole, (window, mask), solid, KEYHOLE)
    for pore in moment.pores:
        window, mask = fill(pore.outline, stage.view.shape)
        joined = bool((keyhole[window] & mask).any())
        _carve(stage, pore, (window, mask), solid, KEYHOLE if joined else PORE)


def _carve(
    stage: Stage,
    void: Void,
    place: tuple[tuple[slice, slice], np.ndarray],
    solid: Solid,
    label: int,
) -> None:
    """Take one void out where it can be seen; ignore it where nobody could."""
    window, mask = place
    if not mask.any():
        return
    path = chord(mask, void.wall_px) * np.float32(void.depth_um)
    mask = mask & solid.body[window]
    solid.hollow[window] = np.maximum(solid.hollow[window], path)
    signal = stage.beam.slope * path * mask
    visibility = np.sqrt(float((signal * signal).sum()) / _CORRELATION_AREA) / stage.sigma
    solid.labels[window][mask] = label if visibility >= VISIBLE else IGNORE
