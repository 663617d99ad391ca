"""Directed energy deposition: a track that grows, its pores, its powder."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np

from amseg_keras.classes import CLASS_NAMES, IGNORE
from amseg_keras.simulate.absorption import (
    MATERIALS,
    Beam,
    Component,
    log_intensity,
    pink_spectrum,
    transmission,
)
from amseg_keras.simulate.deposit.pores import (
    DepositPore,
    Grain,
    Ground,
    Pass,
    Stream,
    draw_grains,
    draw_new_pores,
    draw_old_pores,
    draw_stream,
)
from amseg_keras.simulate.detector import Detector, row_stripes, uneven_field
from amseg_keras.simulate.process import Experiment
from amseg_keras.simulate.ranges import draw, draw_log
from amseg_keras.simulate.ranges.deposit import DepositRanges
from amseg_keras.simulate.shot import View, WithoutMotion

SUBSTRATE = CLASS_NAMES.index("substrate")
PORE = CLASS_NAMES.index("pore")

VISIBLE = 7.0
"""Signal-to-noise over its whole area below which a pore or a grain cannot be seen."""


class Ball(NamedTuple):
    """A round thing in the beam: pixels, and the path through its middle in um."""

    column: float
    row: float
    radius: float
    path_um: float


@dataclass(frozen=True)
class Track:
    """The deposit without its pores.

    Attributes:
        old: Row of its surface at each column before the pass, float32.
        bead: Rows that the pass adds at each column, float32.
        thickness: Factor on its width along the beam, float32 `(height, width)`.
        profile: That width in um at each quarter row below the surface, float32.
    """

    old: np.ndarray
    bead: np.ndarray
    thickness: np.ndarray
    profile: np.ndarray

    def width(self, depth: np.ndarray) -> np.ndarray:
        """Path along the beam in um, at each pixel's depth below the surface in rows."""
        # Looked up, as a power of every pixel would take as long as all the rest.
        quarter = (4 * depth + np.float32(2)).astype(np.int32)
        return np.asarray(self.profile[np.clip(quarter, 0, self.profile.size - 1)] * self.thickness)


@dataclass(frozen=True)
class Look:
    """The scene as the beam shows it.

    Attributes:
        edge: Blur (px) and fringe (px2) of the surface.
        void: Path through pores and grains, as above.
        haze: Share of the light that the scintillator spreads far.
        haze_px: Sigma of that spread.
    """

    edge: tuple[float, float]
    void: tuple[float, float]
    haze: float
    haze_px: float

    def hazy(self, intensity: np.ndarray) -> np.ndarray:
        """Intensity after the scintillator's far spread."""
        # The spread is so wide that a quarter of the resolution holds it.
        small = cv2.resize(intensity, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
        wide = cv2.GaussianBlur(small, (0, 0), self.haze_px / 4)
        wide = cv2.resize(wide, intensity.shape[::-1], interpolation=cv2.INTER_LINEAR)
        return cv2.addWeighted(intensity, 1 - self.haze, wide, self.haze, 0)


@dataclass(frozen=True)
class DepositShot(WithoutMotion):
    """One pass of the laser over the view; see `Shot`."""

    parameters: dict[str, Any]
    frames: int
    detector: Detector
    beam: Beam
    track: Track
    travel: Pass
    pores: tuple[DepositPore, ...]
    grains: tuple[Grain, ...]
    stream: Stream
    look: Look

    def surface(self, frame: int) -> np.ndarray:
        """Row of the deposit's surface at each column, float32."""
        risen = self.travel.risen(np.arange(self.track.old.size), frame)
        return np.asarray((self.track.old - self.track.bead * risen).astype(np.float32))

    def render(self, frame: int) -> tuple[np.ndarray, np.ndarray]:
        """Intensity, float32, and class ids, uint8, both `(height, width)`."""
        height = self.track.thickness.shape[0]
        surface = self.surface(frame)
        depth = np.arange(height, dtype=np.float32)[:, None] - surface
        solid = self.track.width(depth)
        grains, pores = self._grains(frame), self._pores(frame)
        inside = depth >= 0
        balls = np.zeros_like(solid)
        for ball in grains:
            window, chord = _chord(ball, solid.shape)
            balls[window] += np.float32(ball.path_um) * chord
        for ball in pores:
            window, chord = _chord(ball, solid.shape)
            balls[window] += np.float32(ball.path_um) * chord * inside[window]
        # A void is at most as deep as the deposit around it.
        balls = np.maximum(balls, -solid)
        powder, specks = self.stream.fly(frame, surface, height, self.travel.laser(frame))
        components = [
            Component(solid, *self.look.edge),
            Component(balls + powder, *self.look.void),
        ]
        intensity = self.look.hazy(cv2.exp(log_intensity(self.beam, components)) + specks)
        labels = inside.astype(np.uint8) * np.uint8(SUBSTRATE)
        # Pores first: what is substrate then lies in the deposit, not in a grain upon it.
        for ball in pores:
            self._label(labels, (balls, intensity), ball, PORE)
        for ball in grains:
            self._label(labels, (balls, intensity), ball, SUBSTRATE)
        return intensity, labels

    def _grains(self, frame: int) -> list[Ball]:
        return [
            Ball(grain.column, grain.row, grain.radius, grain.path_um)
            for grain in self.grains
            if grain.arrival <= frame < grain.melted
        ]

    def _pores(self, frame: int) -> list[Ball]:
        balls = []
        for pore in self.pores:
            column, row, radius = pore.at(frame)
            if radius:
                balls.append(Ball(column, row, radius, pore.path_um * radius / pore.radius))
        return balls

    def _label(
        self, labels: np.ndarray, contrast: tuple[np.ndarray, np.ndarray], ball: Ball, label: int
    ) -> None:
        """Label what can be seen of a grain outside the deposit, or of a pore in it.

        `contrast` is the path (um) in all balls together, and the intensity: a grain over a
        bright pore hides it.
        """
        window, chord = _chord(ball, labels.shape)
        own = SUBSTRATE if label == PORE else 0
        seen = (chord > 0) & (labels[window] == own)
        if not seen.any():
            return
        path, intensity = (field[window][seen] for field in contrast)
        signal = self.beam.slope * np.maximum(np.sign(ball.path_um) * path, 0) * intensity
        camera = self.detector
        noise = np.hypot(camera.read_noise, camera.photon_noise * intensity.mean())
        visible = float(np.sqrt((signal**2).sum())) > VISIBLE * noise
        labels[window][seen] = label if visible else IGNORE


def _chord(ball: Ball, shape: tuple[int, ...]) -> tuple[tuple[slice, slice], np.ndarray]:
    """Find the window of the frame that holds a ball, and the relative path through it, 0 to 1."""
    low, high = ball.radius + 1, ball.radius + 2
    top, bottom = (min(max(int(edge), 0), shape[0]) for edge in (ball.row - low, ball.row + high))
    left, right = (
        min(max(int(edge), 0), shape[1]) for edge in (ball.column - low, ball.column + high)
    )
    y = (np.arange(top, bottom, dtype=np.float32) - np.float32(ball.row))[:, None]
    x = np.arange(left, right, dtype=np.float32) - np.float32(ball.column)
    chord = np.sqrt(np.maximum(1 - (x * x + y * y) / np.float32(ball.radius**2), 0))
    return (slice(top, bottom), slice(left, right)), chord


def draw_deposit(
    rng: np.random.Generator, view: View, experiment: Experiment, ranges: DepositRanges
) -> DepositShot:
    """Draw one pass of the laser over a deposit.

    Args:
        rng: Source of randomness.
        view: View of the camera.
        experiment: Alloy of deposit and powder, limits of power and speed.
        ranges: What everything else is drawn from.

    Returns:
        The shot, from the laser's entry into the view until the melt behind it is solid.
    """
    shape, pixel_um = view.shape, view.pixel_um
    power, speed = draw(rng, experiment.power_W), draw_log(rng, experiment.speed_mm_s)
    beam = _draw_beam(rng, experiment.material, ranges)
    travel = _draw_pass(rng, view, power, speed, ranges)
    track = _draw_track(rng, shape, pixel_um, beam.plate_um, ranges)
    ground = Ground(
        old=track.old,
        final=track.old - track.bead,
        height=shape[0],
        pixel_um=pixel_um,
        slope=beam.slope,
        travel=travel,
        dark_share=draw(rng, ranges.dark_pores),
    )
    flow_px = draw_log(rng, ranges.melt_flow_mm_s) * 1000 / pixel_um / view.frame_rate_hz
    pores = draw_old_pores(rng, ground, ranges) + draw_new_pores(rng, ground, flow_px, ranges)
    grains = draw_grains(rng, ground, ranges)
    way = shape[1] + 2 * travel.front + travel.melt_length
    look = Look(
        edge=(draw(rng, ranges.edge_softening_px), draw(rng, ranges.edge_fringe)),
        void=(draw(rng, ranges.void_softening_px), draw(rng, ranges.void_fringe)),
        haze=draw(rng, ranges.haze),
        haze_px=draw(rng, ranges.haze_px),
    )
    return DepositShot(
        parameters={
            "process": "ded",
            "material": experiment.material,
            "power_W": power,
            "speed_mm_s": speed,
            "scan_direction": int(np.sign(travel.step)),
            "deposit_width_um": beam.plate_um,
            "bead_um": float(track.bead.mean()) * pixel_um,
            "melt_length_um": travel.melt_length * pixel_um,
            "melt_depth_um": travel.melt_depth * pixel_um,
            "pores": len(pores),
            "dark_pores": sum(pore.path_um > 0 for pore in pores),
            "grains": len(grains),
        },
        frames=int(np.ceil(way / abs(travel.step))),
        detector=_draw_detector(rng, shape, ranges),
        beam=beam,
        track=track,
        travel=travel,
        pores=tuple(pores),
        grains=tuple(grains),
        stream=draw_stream(rng, pixel_um, ranges),
        look=look,
    )


def _draw_beam(rng: np.random.Generator, material: str, ranges: DepositRanges) -> Beam:
    spectrum = pink_spectrum(draw(rng, ranges.mean_energy_kev))
    passed = np.exp(-draw(rng, ranges.absorbance))
    widths = np.linspace(*ranges.width_um, 300)
    transmitted = transmission(MATERIALS[material], widths, spectrum)
    width = float(np.interp(-passed, -transmitted, widths))
    return Beam(spectrum, MATERIALS[material], width)


def _draw_pass(
    rng: np.random.Generator, view: View, power: float, speed: float, ranges: DepositRanges
) -> Pass:
    direction = int(rng.choice((-1, 1)))
    pixel_um = view.pixel_um
    front = draw(rng, ranges.front_um) / pixel_um
    # Both follow the power's root, roughly as a moving point source of heat has it.
    stronger = (power / 400.0) ** 0.5
    return Pass(
        start=-front if direction > 0 else view.shape[1] - 1 + front,
        step=direction * speed * 1000 / pixel_um / view.frame_rate_hz,
        front=front,
        melt_length=draw_log(rng, ranges.melt_length_um) * stronger / pixel_um,
        melt_depth=draw(rng, ranges.melt_depth_um) * stronger / pixel_um,
    )


def _draw_track(
    rng: np.random.Generator,
    shape: tuple[int, int],
    pixel_um: float,
    width_um: float,
    ranges: DepositRanges,
) -> Track:
    x = np.arange(shape[1], dtype=np.float32)
    old = draw(rng, ranges.surface_height) * shape[0]
    old = old + np.tan(np.deg2rad(draw(rng, ranges.tilt_deg))) * (x - shape[1] / 2)
    for share in (0.5, 0.25):
        length = draw_log(rng, ranges.hump_length_um) / pixel_um
        height = share * draw(rng, ranges.hump_um) / pixel_um
        old = old + height * np.sin(2 * np.pi * x / length + draw(rng, (0, 2 * np.pi)))
    noise = cv2.GaussianBlur(rng.standard_normal((1, x.size)), (0, 1), 5.0, sigmaY=0.1)[0]
    old = old + draw(rng, ranges.roughness_px) * noise / noise.std()
    bead = draw(rng, ranges.bead_um) / pixel_um * (1 + uneven_field(rng, (1, x.size), 0.15, (1, 5)))
    depth = np.linspace(0, 1, int(4 * draw(rng, ranges.shoulder_um) / pixel_um) + 2)
    profile = width_um * (1 - (1 - depth) ** 2) ** draw(rng, ranges.crest)
    variation = draw(rng, ranges.thickness_variation)
    return Track(
        old=old.astype(np.float32),
        bead=bead[0],
        thickness=1 + uneven_field(rng, shape, variation, (4, 6)),
        profile=profile.astype(np.float32),
    )


def _draw_detector(
    rng: np.random.Generator, shape: tuple[int, int], ranges: DepositRanges
) -> Detector:
    shading = uneven_field(rng, shape, draw(rng, ranges.shading), (3, 4))
    beam = 1 + shading + row_stripes(rng, shape, draw(rng, ranges.stripes))
    return Detector(
        beam=beam.astype(np.float32),
        psf_px=draw(rng, ranges.psf_px),
        photon_noise=draw(rng, ranges.photon_noise),
        read_noise=draw(rng, ranges.read_noise),
        gain=draw(rng, ranges.gain),
        dark=draw(rng, ranges.dark),
        bits=8,
    )
