"""A laser melts a track: the moving parts of a melt-pool shot, rendered frame by frame."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from amseg_keras.simulate.detector import Detector, uneven_field
from amseg_keras.simulate.melt.frame import Moment, Track, compose
from amseg_keras.simulate.melt.pool import (
    Keyhole,
    Pool,
    Void,
    draw_keyhole,
    draw_pool,
    pore_outline,
)
from amseg_keras.simulate.melt.spatter import (
    Airborne,
    Ligament,
    Plume,
    draw_ligaments,
    draw_plume,
    draw_spatter,
    draw_swarm,
)
from amseg_keras.simulate.melt.stage import Stage, draw_stage
from amseg_keras.simulate.melt.still import Still, draw_still
from amseg_keras.simulate.process import (
    Bubble,
    Experiment,
    KeyholeMotion,
    Laser,
    Pore,
    draw_laser,
    move_keyhole,
    of_earlier_track,
    pinched_off,
)
from amseg_keras.simulate.ranges import Range, draw, draw_integer, draw_log
from amseg_keras.simulate.ranges.melt import MeltRanges
from amseg_keras.simulate.shot import Picture, View

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
        motion: Motion of the keyhole in time, as long as the scan.
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
        track: Changes of the surface by the melt.
        pool: The liquid, and what it freezes to.
        airborne: Grains that hang in the gas, and those thrown out.
        ligaments: Tongues of melt.
        plume: Vapour above the keyhole; None where there is none.
        afterglow: Share of a frame's light that the next one has too.
        parameters: As in `Shot`.
        window: First frame and end of the recording that sees it.
    """

    stage: Stage
    scan: Scan
    keyhole_path_um: float
    pores: tuple[Pore, ...]
    pore_wall_px: Range
    track: Track
    pool: Pool
    airborne: tuple[Airborne, ...]
    ligaments: tuple[Ligament, ...]
    plume: Plume | None
    afterglow: float
    parameters: dict[str, Any]
    window: tuple[int, int]

    @property
    def detector(self) -> Detector:
        """Beam and camera."""
        return self.stage.detector

    @property
    def frames(self) -> int:
        """Frames until the laser leaves the view."""
        return self.scan.frames

    @cached_property
    def still(self) -> Still:
        """Matter in the beam, the same in every frame."""
        old = [self._outlined(pore, 0, moves=False) for pore in self.pores if _is_old(pore)]
        return draw_still(self.stage, [void for void in old if void is not None])

    def laser_px(self, frame: int) -> float:
        """Column of the laser."""
        return self.scan.start_px + frame * self.scan.step_px

    def seen(self, first: int, end: int) -> "MeltShot":
        """See `Shot.seen`."""
        return replace(self, window=(first, end))

    def render(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Intensity and labels of a frame, see `Shot.render`."""
        picture = self.picture(frame)
        assert picture.labels is not None
        return picture.intensity, picture.labels.frame

    def picture(self, frame: int, labelled: bool = True) -> Picture:
        """See `Shot.picture`."""
        return compose(self.stage, self.still, self.moment(frame), labelled)

    def moment(self, frame: int) -> Moment:
        """Place everything in a frame."""
        laser_px = self.laser_px(frame)
        on = 0 <= frame < self.frames
        keyhole, hump, plume, glow = None, 0.0, None, None
        if on:
            hump = self.track.hump * max(1 + 0.4 * float(self.scan.motion.swing[frame]), 0.2)
            keyhole = self._keyhole(frame, laser_px)
            plume = self._plume(frame)
        if self.afterglow and 0 <= frame - 1 < self.frames:
            before = self._keyhole(frame - 1, self.laser_px(frame - 1))
            glow = None if before is None else (before, self.afterglow)
        pores = tuple(
            void
            for pore in self.pores
            if not _is_old(pore)
            and (void := self._outlined(pore, frame, self._moves(pore, frame))) is not None
        )
        return Moment(
            frame=frame,
            laser_px=laser_px,
            # Where it was switched on; nothing is melted before that.
            start_px=self.scan.start_px,
            direction=self.scan.laser.direction,
            melted=self._melted(frame),
            track=self.track,
            pool=self.pool,
            grown=self._grown(frame),
            hump=hump,
            keyhole=keyhole,
            glow=glow,
            pores=pores,
            airborne=tuple(grains.at(frame) for grains in self.airborne),
            ligaments=self.ligaments,
            plume=plume,
        )

    def _melted(self, frame: int) -> float:
        """Compute the share of its effect on the surface that the laser has had where it stands."""
        if frame < 0:
            return 0.0
        return min((frame + 1) / 4, 1.0)

    def _grown(self, frame: int) -> tuple[float, float]:
        """Compute the share of full length and depth that the pool has: it forms and freezes."""
        if frame < 0:
            return 0.0, 0.0
        way = abs(self.scan.step_px) * min(frame, self.frames)
        length = min((way + self.pool.front) / self.pool.length, 1.0)
        depth = 1 - float(np.exp(-(min(frame, self.frames) + 1) / max(self.pool.cooling, 1.0)))
        off = max(frame - self.frames + 1, 0)
        left = float(np.sqrt(max(1 - off / self.pool.cooling, 0.0))) if off else 1.0
        return length * left, depth * left

    def _moves(self, pore: Pore, frame: int) -> bool:
        """Tell whether a pore still drifts, or is there for less than half of the recording."""
        first, end = self.window
        there = min(pore.gone, end) - max(pore.born, first)
        return frame < pore.frozen or there < 0.45 * (end - first)

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
        first, end = self.window
        on = min(self.frames, end) - max(0, first)
        crossed = abs(self.scan.step_px) * on > 2 * self.scan.keyhole.aperture
        return Void(outline, self.keyhole_path_um, 2.5, crossed or on < 0.45 * (end - first))

    def _plume(self, frame: int) -> Plume | None:
        if self.plume is None or self.scan.motion.depth[frame] < 0.1:
            return None
        # It comes in puffs.
        rng = np.random.default_rng((frame, self.frames))
        return replace(
            self.plume,
            darkness=self.plume.darkness * float(rng.uniform(0.3, 1.0)),
            lean=self.plume.lean + float(rng.normal(0, 0.15)),
        )

    def _outlined(self, pore: Pore, frame: int, moves: bool) -> Void | None:
        here = pore.at(frame)
        if here is None:
            return None
        pixel_um = self.stage.view.pixel_um
        column_um, depth_um, diameter_um = here
        column = column_um / pixel_um
        if not -60 < column < self.stage.view.shape[1] + 60:
            return None
        rng = np.random.default_rng(pore.shape)
        row = self.stage.plate.surface_at(column) + depth_um / pixel_um
        outline = pore_outline(rng, (column, row), max(diameter_um / pixel_um, 0.5))
        return Void(outline, pore.depth_um, draw(rng, self.pore_wall_px), moves)


def _is_old(pore: Pore) -> bool:
    return pore.born == -np.inf and pore.gone == np.inf


def draw_melt_shot(
    rng: np.random.Generator, view: View, experiment: Experiment, ranges: MeltRanges
) -> MeltShot:
    """Draw a scan over the whole view, from where the laser is switched on to where it leaves."""
    stage = draw_stage(rng, view, experiment, ranges)
    cycles = draw(rng, ranges.keyhole_frequency_hz) / view.frame_rate_hz
    scan = _draw_scan(rng, view, experiment, cycles, ranges)
    # The pores of a plate are alike: what its alloy and thickness hide, it hides of each.
    pore_um = void_depth(rng, stage, ranges.pore_sigmas, ranges.pore_extra)
    pores = _earlier_pores(rng, stage, pore_um, ranges) + _small_pores(rng, stage, pore_um, ranges)
    pores += _bubbles(rng, view, scan, pore_um, ranges)
    keyhole_um = void_depth(rng, stage, ranges.keyhole_sigmas, ranges.keyhole_extra)
    if rng.random() < ranges.faint:
        # Above the noise and below the texture.
        sigma = draw_log(rng, (1.0, 6.0)) * stage.noise
        keyhole_um = min(keyhole_um, sigma / stage.beam.slope)
    faces_log = np.float32(stage.beam.slope) * (stage.faces.fringe - stage.faces.crossed)
    keyhole = scan.keyhole
    pool = draw_pool(rng, stage.plate, faces_log, (keyhole.depth, keyhole.aperture), ranges)
    shot = MeltShot(
        stage=stage,
        scan=scan,
        keyhole_path_um=keyhole_um,
        pores=pores,
        pore_wall_px=ranges.pore_wall_px,
        track=_draw_track(rng, experiment, view, ranges),
        pool=pool,
        airborne=_draw_airborne(rng, stage, scan, ranges),
        ligaments=draw_ligaments(rng, scan.columns, view.frame_rate_hz, view.pixel_um),
        plume=draw_plume(rng, draw(rng, ranges.plume), keyhole.aperture, view.pixel_um),
        afterglow=draw(rng, ranges.afterglow),
        parameters={},
        window=(0, scan.frames),
    )
    shot.parameters.update(_parameters(shot))
    shot.parameters["keyhole_frequency_hz"] = cycles * view.frame_rate_hz
    return shot


def _draw_scan(
    rng: np.random.Generator,
    view: View,
    experiment: Experiment,
    cycles_per_frame: float,
    ranges: MeltRanges,
) -> Scan:
    standing = bool(rng.random() < ranges.standing)
    shallow = bool(rng.random() < ranges.shallow)
    depths = ranges.shallow_um if shallow else ranges.keyhole_depth_um
    laser = draw_laser(rng, experiment, ranges.spot_radius_um, depths, standing)
    width = view.shape[1]
    step = laser.direction * laser.speed_mm_s * 1e3 / view.frame_rate_hz / view.pixel_um
    from_edge = draw(rng, (0.15, 0.85) if standing else (0.03, 0.3)) * width
    if standing:
        frames = max(round(draw_log(rng, ranges.dwell_s) * view.frame_rate_hz), 8)
    else:
        # Some tracks end in view.
        way = draw(rng, (0.5, 0.9)) if rng.random() < 0.2 else 0.97
        frames = max(int(way * (width - from_edge) / abs(step)), 1)
    motion = move_keyhole(rng, frames, laser.keyhole_number, cycles_per_frame)
    if standing:
        # It drills deeper all the time.
        growing = ((np.arange(frames) + 1) / frames) ** draw(rng, (0.3, 0.8))
        motion = replace(motion, depth=motion.depth * growing * draw(rng, (1.0, 1.5)))
    return Scan(
        laser=laser,
        start_px=from_edge if laser.direction > 0 else width - from_edge,
        step_px=step,
        keyhole=draw_keyhole(rng, laser, view.pixel_um, ranges),
        motion=motion,
    )


def void_depth(rng: np.random.Generator, stage: Stage, sigmas: Range, extra: Range) -> float:
    """Depth along the beam (um) whose contrast is comparable to the texture's sigma."""
    contrast = draw_log(rng, sigmas) * stage.sigma + draw(rng, extra)
    return min(contrast / stage.beam.slope, stage.beam.plate_um)


def _bubbles(
    rng: np.random.Generator, view: View, scan: Scan, pore_um: float, ranges: MeltRanges
) -> tuple[Pore, ...]:
    """Make a pore for each time that the keyhole pinches off."""
    pixel_um, keyhole, motion = view.pixel_um, scan.keyhole, scan.motion
    if keyhole.depth * pixel_um < SHALLOWEST_UM:
        return ()
    step_um = scan.step_px * pixel_um
    melt_um = draw(rng, ranges.melt_length_um)
    melt_frames = melt_um / abs(step_um) if step_um else draw(rng, (10.0, 80.0))
    columns = scan.columns
    pores = []
    for frame in motion.pinch_offs:
        state = keyhole.breathing(float(motion.depth[frame]), 1.0, 1.0, float(motion.phase[frame]))
        column, depth = state.tip(columns[frame], 0.0, scan.laser.direction)
        diameter = draw(rng, ranges.bubble_width) * (keyhole.waist + keyhole.bulb)
        if rng.random() < 0.4:
            # It touches the foot of what is left of the keyhole, or all but.
            later = min(frame + 1, scan.frames - 1)
            left = keyhole.depth * float(motion.depth[later])
            depth = left + diameter / 2 + draw(rng, (-1.0, 2.5))
        bubble = Bubble(
            place_um=(column * pixel_um, depth * pixel_um),
            diameter_um=diameter * pixel_um,
            depth_um=pore_um * draw(rng, (0.7, 1.3)),
        )
        pores.append(pinched_off(rng, frame + 1, bubble, step_um, melt_frames))
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


def _small_pores(
    rng: np.random.Generator, stage: Stage, pore_um: float, ranges: MeltRanges
) -> tuple[Pore, ...]:
    """Many pores of a few pixels in a plate that was built of layers, in a belt of it."""
    if rng.random() >= ranges.porous:
        return ()
    height, width = stage.view.shape
    count = round(draw_integer(rng, ranges.small_pores) * height * width / (120 * 400))
    pixel_um = stage.view.pixel_um
    below = max(height - float(stage.surface.max()), 10.0)
    middle, spread = draw(rng, (0.2, 0.7)) * below, draw(rng, (0.08, 0.5)) * below
    pores = []
    for _ in range(min(count, 150)):
        diameter = draw_log(rng, ranges.small_pore_px)
        depth = max(float(rng.normal(middle, spread)), diameter / 2 + 3)
        place = (draw(rng, (0, width)) * pixel_um, depth * pixel_um)
        bubble = Bubble(place, diameter * pixel_um, pore_um * draw(rng, (0.6, 2.0)))
        pores.append(of_earlier_track(rng, bubble))
    return tuple(pores)


def _draw_track(
    rng: np.random.Generator, experiment: Experiment, view: View, ranges: MeltRanges
) -> Track:
    """Draw the melted track; a third of them is hardly raised."""
    calm = rng.random() < 0.35
    pixel_um, width = view.pixel_um, view.shape[1]
    uneven = uneven_field(rng, (1, width), draw(rng, ranges.bead_ripple), (1, max(width // 24, 3)))
    height = 0.0 if calm else draw(rng, ranges.bead_height_um) / pixel_um
    width_px = draw(rng, (11, 52)) / pixel_um
    # Melt does not stand up like a needle.
    hump = 0.0 if calm else min(draw(rng, ranges.hump_height_um) / pixel_um, 1.2 * width_px)
    blown = experiment.process == "lpbf" and rng.random() < ranges.blown
    return Track(
        bead=(height * (1 + uneven[0])).astype(np.float32),
        hump=hump,
        hump_width=width_px,
        hump_behind=draw(rng, (-17, 60)) / pixel_um,
        fill=draw(rng, ranges.bead_fill),
        bare=draw(rng, (0, 1.0)) if blown else 0.0,
        blown=draw(rng, ranges.blown_um) / pixel_um,
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


def _parameters(shot: MeltShot) -> dict[str, Any]:
    """Describe the shot for `dataset.json`."""
    stage, scan = shot.stage, shot.scan
    laser, pixel_um = scan.laser, stage.view.pixel_um
    depth_um = scan.keyhole.depth * pixel_um
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
        "pinched_off_pores": sum(pore.born > -np.inf for pore in shot.pores),
        "earlier_pores": sum(_is_old(pore) for pore in shot.pores),
        "laser_frames": scan.frames,
        "liquid_length_um": shot.pool.length * pixel_um,
        "liquid_depth_um": shot.pool.depth * pixel_um,
        "liquid_brightness": shot.pool.brightness,
        "afterglow": shot.afterglow,
        "texture_sigma": stage.sigma,
        "noise_sigma": stage.noise,
    }
