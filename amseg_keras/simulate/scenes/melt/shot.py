"""A laser melts a track: the moving parts of a melt-pool shot, rendered frame by frame."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from amseg_keras.simulate.physics.detector import Detector
from amseg_keras.simulate.process.experiments import Experiment, Laser, draw_laser
from amseg_keras.simulate.process.keyhole_motion import KeyholeMotion, move_keyhole
from amseg_keras.simulate.process.pores import Bubble, Pore, of_earlier_track, pinched_off
from amseg_keras.simulate.ranges.base import Range, draw, draw_integer, draw_log
from amseg_keras.simulate.ranges.melt import MeltRanges
from amseg_keras.simulate.scenes.melt.frame import Moment, Track, Void, compose
from amseg_keras.simulate.scenes.melt.spatter import (
    Airborne,
    Ligament,
    draw_ligaments,
    draw_spatter,
    draw_swarm,
)
from amseg_keras.simulate.scenes.melt.stage import Stage, draw_stage
from amseg_keras.simulate.scenes.melt.voids import Keyhole, draw_keyhole, pore_outline
from amseg_keras.simulate.shot import View

SHALLOWEST_UM = 40.0
"""Depth of a keyhole that can pinch off: a dent has no tip to leave behind."""


@dataclass(frozen=True)
class Scan:
    """The laser's way over the view, and the keyhole under it.

    Attributes:
        laser: Power, speed, spot.
        start_px: Column in which it is switched on, in frame 0.
        step_px: Columns that it goes in a frame, signed.
        keyhole: The mean shape of the keyhole.
        motion: How that moves in time; its length is that of the scan.
    """

    laser: Laser
    start_px: float
    step_px: float
    keyhole: Keyhole
    motion: KeyholeMotion

    @property
    def frames(self) -> int:
        """Frames until the laser leaves the view."""
        return len(self.motion.depth)

    @property
    def columns(self) -> np.ndarray:
        """Column of the laser in each frame."""
        return self.start_px + self.step_px * np.arange(self.frames)


@dataclass(frozen=True)
class MeltShot:
    """One scan of the laser over a plate, with or without powder; a `Shot`.

    Attributes:
        stage: What stands still.
        scan: Laser and keyhole.
        keyhole_path_um: Depth of the keyhole along the beam.
        pores: All that there are at any time.
        pore_wall_px: Limits of the width of their walls.
        track: What the melt does to the surface.
        airborne: Grains that hang in the gas, and those thrown out.
        ligaments: Tongues of melt.
        parameters: As in `Shot`.
    """

    stage: Stage
    scan: Scan
    keyhole_path_um: float
    pores: tuple[Pore, ...]
    pore_wall_px: Range
    track: Track
    airborne: tuple[Airborne, ...]
    ligaments: tuple[Ligament, ...]
    parameters: dict[str, Any]

    @property
    def detector(self) -> Detector:
        """Beam and camera."""
        return self.stage.detector

    @property
    def frames(self) -> int:
        """Frames until the laser leaves the view."""
        return self.scan.frames

    def laser_px(self, frame: int) -> float:
        """Column of the laser."""
        return self.scan.start_px + frame * self.scan.step_px

    def render(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Intensity and labels of a frame, see `Shot.render`."""
        return compose(self.stage, self.moment(frame))

    def moment(self, frame: int) -> Moment:
        """Where everything is in a frame."""
        pixel_um = self.stage.view.pixel_um
        laser_px = self.laser_px(frame)
        keyhole = None
        hump = 0.0
        if frame < self.frames:
            hump = self.track.hump * max(1 + 0.4 * float(self.scan.motion.swing[frame]), 0.2)
            keyhole = self._keyhole(frame, laser_px)
        pores = tuple(
            void for pore in self.pores if (void := self._pore(pore, frame, pixel_um)) is not None
        )
        return Moment(
            frame=frame,
            laser_px=laser_px,
            # Where it was switched on; nothing is melted before that.
            start_px=self.scan.start_px,
            direction=self.scan.laser.direction,
            track=self.track,
            hump=hump,
            keyhole=keyhole,
            pores=pores,
            airborne=tuple(grains.at(frame) for grains in self.airborne),
            ligaments=self.ligaments,
        )

    def _keyhole(self, frame: int, laser_px: float) -> Void | None:
        motion = self.scan.motion
        swing = float(np.clip(motion.swing[frame] * motion.fluctuation / 0.2, -1.5, 1.5))
        state = self.scan.keyhole.breathing(
            depth=float(motion.depth[frame]),
            bulb=1 + 0.5 * swing,
            tail=max(1 + 0.5 * swing, 0.2),
            phase=float(motion.phase[frame]),
        )
        if state.depth < 0.7:
            return None
        surface_row = self.stage.plate.surface_at(laser_px)
        outline = state.outline(laser_px, surface_row, self.scan.laser.direction)
        return Void(outline, self.keyhole_path_um, 2.5)

    def _pore(self, pore: Pore, frame: int, pixel_um: float) -> Void | None:
        here = pore.at(frame)
        if here is None:
            return None
        column_um, depth_um, diameter_um = here
        column = column_um / pixel_um
        if not -60 < column < self.stage.view.shape[1] + 60:
            return None
        rng = np.random.default_rng(pore.shape)
        row = self.stage.plate.surface_at(column) + depth_um / pixel_um
        outline = pore_outline(rng, (column, row), max(diameter_um / pixel_um, 0.5))
        return Void(outline, pore.depth_um, draw(rng, self.pore_wall_px))


def draw_melt_shot(
    rng: np.random.Generator, view: View, experiment: Experiment, ranges: MeltRanges
) -> MeltShot:
    """Draw a scan over the whole view, from where the laser is switched on to where it leaves."""
    stage = draw_stage(rng, view, experiment, ranges)
    cycles = draw(rng, ranges.keyhole_frequency_hz) / view.frame_rate_hz
    scan = _draw_scan(rng, view, experiment, cycles, ranges)
    # The pores of a plate are alike: what its alloy and thickness hide, it hides of each.
    pore_um = void_depth(rng, stage, ranges.pore_sigmas, ranges.pore_extra)
    pores = _earlier_pores(rng, stage, pore_um, ranges) + _bubbles(rng, view, scan, pore_um, ranges)
    return MeltShot(
        stage=stage,
        scan=scan,
        keyhole_path_um=void_depth(rng, stage, ranges.keyhole_sigmas, ranges.keyhole_extra),
        pores=pores,
        pore_wall_px=ranges.pore_wall_px,
        track=_draw_track(rng, experiment, view.pixel_um, ranges),
        airborne=_draw_airborne(rng, stage, scan, ranges),
        ligaments=draw_ligaments(rng, scan.columns, view.frame_rate_hz, view.pixel_um),
        parameters=_parameters(stage, scan, pores)
        | {"keyhole_frequency_hz": cycles * view.frame_rate_hz},
    )


def _draw_scan(
    rng: np.random.Generator,
    view: View,
    experiment: Experiment,
    cycles_per_frame: float,
    ranges: MeltRanges,
) -> Scan:
    laser = draw_laser(rng, experiment, ranges.spot_radius_um, ranges.keyhole_depth_um)
    width = view.shape[1]
    step = laser.direction * laser.speed_mm_s * 1e3 / view.frame_rate_hz / view.pixel_um
    from_edge = draw(rng, (0.03, 0.3)) * width
    frames = max(int(0.97 * (width - from_edge) / abs(step)), 1)
    return Scan(
        laser=laser,
        start_px=from_edge if laser.direction > 0 else width - from_edge,
        step_px=step,
        keyhole=draw_keyhole(rng, laser, view.pixel_um, ranges),
        motion=move_keyhole(rng, frames, laser.keyhole_number, cycles_per_frame),
    )


def void_depth(rng: np.random.Generator, stage: Stage, sigmas: Range, extra: Range) -> float:
    """Depth along the beam (um) whose contrast is comparable to the texture's sigma."""
    contrast = draw_log(rng, sigmas) * stage.sigma + draw(rng, extra)
    return min(contrast / stage.beam.slope, stage.beam.plate_um)


def _bubbles(
    rng: np.random.Generator, view: View, scan: Scan, pore_um: float, ranges: MeltRanges
) -> tuple[Pore, ...]:
    """A pore for each time that the keyhole pinches off."""
    pixel_um, keyhole, motion = view.pixel_um, scan.keyhole, scan.motion
    if keyhole.depth * pixel_um < SHALLOWEST_UM:
        return ()
    melt_frames = draw(rng, ranges.melt_length_um) / abs(scan.step_px * pixel_um)
    columns = scan.columns
    pores = []
    for frame in motion.pinch_offs:
        state = keyhole.breathing(float(motion.depth[frame]), 1.0, 1.0, float(motion.phase[frame]))
        column, depth = state.tip(columns[frame], 0.0, scan.laser.direction)
        bubble = Bubble(
            place_um=(column * pixel_um, depth * pixel_um),
            diameter_um=draw(rng, ranges.bubble_width) * (keyhole.waist + keyhole.bulb) * pixel_um,
            depth_um=pore_um * draw(rng, (0.7, 1.3)),
        )
        pores.append(pinched_off(rng, frame + 1, bubble, scan.step_px * pixel_um, melt_frames))
    return tuple(pores)


def _earlier_pores(
    rng: np.random.Generator, stage: Stage, pore_um: float, ranges: MeltRanges
) -> tuple[Pore, ...]:
    """Pores of earlier tracks anywhere in the plate, most of them not far below the surface."""
    height_um, width_um = (side * stage.view.pixel_um for side in stage.view.shape)
    share = height_um * width_um / (1024 * 2048)
    count = round(draw_integer(rng, ranges.earlier_pores) * max(share, 0.5))
    deepest = max(height_um - float(stage.surface.max()) * stage.view.pixel_um, 20.0)
    pores = []
    for _ in range(count):
        large = rng.random() < 0.125
        diameter = draw(rng, ranges.large_pore_um if large else ranges.earlier_pore_um)
        depth = diameter / 2 + 4
        depth += (
            min(rng.exponential(130), deepest) if rng.random() < 0.75 else draw(rng, (0, deepest))
        )
        place = (draw(rng, (0, width_um)), depth)
        bubble = Bubble(place, diameter, pore_um * draw(rng, (0.7, 1.3)))
        pores.append(of_earlier_track(rng, bubble))
    return tuple(pores)


def _draw_track(
    rng: np.random.Generator, experiment: Experiment, pixel_um: float, ranges: MeltRanges
) -> Track:
    """Draw the melted track; a third of them is hardly raised."""
    calm = rng.random() < 0.35
    return Track(
        bead=0.0 if calm else draw(rng, ranges.bead_height_um) / pixel_um,
        hump=0.0 if calm else draw(rng, ranges.hump_height_um) / pixel_um,
        hump_width=draw(rng, (11, 52)) / pixel_um,
        hump_behind=draw(rng, (-17, 60)) / pixel_um,
        fill=draw(rng, (0.1, 0.9)),
        bare=draw(rng, (0, 0.5)) if experiment.process == "lpbf" and rng.random() < 0.4 else 0.0,
    )


def _draw_airborne(
    rng: np.random.Generator, stage: Stage, scan: Scan, ranges: MeltRanges
) -> tuple[Airborne, ...]:
    columns = scan.columns
    lpbf = stage.powder is not None
    pixel_um = stage.view.pixel_um
    ceiling = stage.ceiling - 2
    if lpbf:
        count = draw_integer(rng, ranges.swarm)
    else:
        count = int(rng.integers(0, 6)) if rng.random() < 0.3 else 0
    swarm = draw_swarm(rng, count, ceiling, float(columns[len(columns) // 2]), pixel_um)
    per_frame = draw(rng, ranges.spatter_per_ms) * 1e3 / stage.view.frame_rate_hz
    rows = ceiling[np.clip(columns.astype(int), 0, len(ceiling) - 1)]
    track = np.stack((columns, rows), axis=1)
    rate = per_frame if lpbf else 0.25 * per_frame
    return swarm, draw_spatter(rng, rate, track, scan.laser.direction, pixel_um)


def _parameters(stage: Stage, scan: Scan, pores: tuple[Pore, ...]) -> dict[str, Any]:
    """What `dataset.json` says of the shot."""
    laser = scan.laser
    depth_um = scan.keyhole.depth * stage.view.pixel_um
    return {
        "process": stage.experiment.process,
        "material": stage.experiment.material,
        "plate": stage.experiment.plate,
        "power_W": laser.power_W,
        "speed_mm_s": laser.speed_mm_s,
        "spot_radius_um": laser.spot_radius_um,
        "scan_direction": laser.direction,
        "keyhole_number": laser.keyhole_number,
        "mode": "keyhole" if depth_um > 0 else "conduction",
        "mean_keyhole_depth_um": depth_um,
        "keyhole_fluctuation": scan.motion.fluctuation,
        "pinched_off_pores": sum(pore.born > -np.inf for pore in pores),
    }
