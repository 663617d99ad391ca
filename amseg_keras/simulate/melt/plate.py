"""The plate before the laser comes: the beam that crosses it, marks in it, texture over it.

Marks are bright bands, dents, stains, rings and scratches. They stand still and have no class of
their own.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from amseg_keras.simulate.absorption import (
    MATERIALS,
    Beam,
    Component,
    Layer,
    pink_spectrum,
    propagate,
    transmission,
)
from amseg_keras.simulate.detector import Detector, uneven_field
from amseg_keras.simulate.process import Experiment
from amseg_keras.simulate.ranges import draw, draw_integer, draw_log
from amseg_keras.simulate.ranges.melt import MeltRanges
from amseg_keras.simulate.shot import View
from amseg_keras.simulate.textures import crop_face, texture_library


@dataclass(frozen=True)
class Plate:
    """A plate seen from the side.

    Attributes:
        view: View of the camera.
        beam: Spectrum, alloy and thickness along the beam.
        surface: Row of its surface at each column, before melting, float32 `(width,)`.
        thickness: Relative thickness, 1 with a gentle gradient and less at
            the surface of a wall, float32 `(height, width)`.
    """

    view: View
    beam: Beam
    surface: np.ndarray
    thickness: np.ndarray

    @cached_property
    def below(self) -> np.ndarray:
        """1 in the plate and 0 above it, float32 `(height, width)`."""
        rows = np.arange(self.view.shape[0], dtype=np.float32)[:, None]
        return (rows >= self.surface).astype(np.float32)

    @property
    def inside(self) -> slice:
        """Up to 128 rows that lie in the plate at every column."""
        height = self.view.shape[0]
        start = int(np.clip(np.ceil(self.surface.max()) + 4, 0, height - 24))
        return slice(start, start + 128)

    def surface_at(self, column: float) -> float:
        """Row of the surface at a column; beyond the frame that of its edge."""
        return float(self.surface[int(np.clip(column, 0, self.surface.size - 1))])


def draw_plate(
    rng: np.random.Generator, view: View, experiment: Experiment, ranges: MeltRanges
) -> Plate:
    """Draw a plate and the beam."""
    beam = _draw_beam(rng, experiment, ranges)
    surface = _surface(rng, view, ranges)
    thickness = _thickness(rng, view.shape, ranges)
    if rng.random() < ranges.crowned:
        rows = np.arange(view.shape[0], dtype=np.float32)[:, None]
        reach = draw_log(rng, ranges.crown_um) / view.pixel_um
        below = np.maximum(rows - surface, 0) / np.float32(reach)
        thickness *= 1 - np.float32(draw(rng, ranges.crown)) * np.exp(-below)
    return Plate(view, beam, surface, thickness)


def _draw_beam(rng: np.random.Generator, experiment: Experiment, ranges: MeltRanges) -> Beam:
    spectrum = pink_spectrum(draw(rng, ranges.mean_energy_kev))
    alloy = MATERIALS[experiment.plate]
    wanted = np.exp(-draw(rng, ranges.plate_absorbance))
    thickness = np.geomspace(5, 20_000, 400)
    passed = transmission(alloy, thickness, spectrum)
    return Beam(spectrum, alloy, float(np.interp(-wanted, -passed, thickness)))


def _surface(rng: np.random.Generator, view: View, ranges: MeltRanges) -> np.ndarray:
    x = np.arange(view.shape[1], dtype=np.float32)
    middle = draw(rng, ranges.surface_height) * view.shape[0]
    tilt = np.tan(np.deg2rad(draw(rng, ranges.tilt_deg))) * (x - view.shape[1] / 2)
    wave = np.zeros_like(x)
    for _ in range(3):
        length = draw_log(rng, (130, 1700)) / view.pixel_um
        wave += np.sin(2 * np.pi * x / length + draw(rng, (0, 2 * np.pi)))
    amplitude = draw(rng, ranges.waviness_um) / view.pixel_um / 2
    return np.asarray((middle + tilt + amplitude * wave).astype(np.float32))


def _thickness(rng: np.random.Generator, shape: tuple[int, int], ranges: MeltRanges) -> np.ndarray:
    down = np.linspace(-0.5, 0.5, shape[0], dtype=np.float32)[:, None]
    across = np.linspace(-0.5, 0.5, shape[1], dtype=np.float32)[None]
    gradients = (draw(rng, ranges.plate_gradient), draw(rng, ranges.plate_gradient))
    return np.float32(1) + np.float32(gradients[0]) * down + np.float32(gradients[1]) * across


def draw_marks(
    rng: np.random.Generator, plate: Plate, sigma: float, ranges: MeltRanges
) -> Layer | None:
    """Draw the marks of a plate.

    Args:
        rng: Source of all randomness.
        plate: Where they are.
        sigma: Standard deviation of the log intensity over the plate.
        ranges: What else is drawn from.

    Returns:
        Path that they add and their fringes; None for a plate without marks.
    """
    path: np.ndarray = np.zeros(plate.view.shape, np.float32)
    drawn = False
    for _ in range(draw_integer(rng, ranges.dents) if rng.random() < ranges.dented else 0):
        path -= np.float32(draw(rng, ranges.dent_depth) * plate.beam.plate_um) * _dent(rng, plate)
        drawn = True
    for _ in range(draw_integer(rng, ranges.stains)):
        contrast = draw_log(rng, ranges.stain_sigmas) * sigma / plate.beam.slope
        path += np.float32(contrast) * _stain(rng, plate)
        drawn = True
    if ranges.stuck and rng.random() < ranges.stuck:
        path += _stuck_grains(rng, plate, sigma, ranges)
        drawn = True
    if not drawn:
        return None
    softening, fringe = draw(rng, (0.5, 1.2)), draw_log(rng, ranges.void_fringe)
    return propagate(Component(path * plate.below, softening, fringe))


@dataclass(frozen=True)
class Band:
    """A bright band under the surface.

    Attributes:
        path: Length of the plate's alloy that the beam crosses less in the band, um, float32
            `(height, width)`.
        bottom: Row where the band ends.
        melts: Whether the band is gone behind the laser.
    """

    path: np.ndarray
    bottom: int
    melts: bool


def draw_band(rng: np.random.Generator, plate: Plate, ranges: MeltRanges) -> Band | None:
    """Draw a band where the metal is thinner or loose; None for most plates."""
    if rng.random() >= ranges.band:
        return None
    lacking = draw(rng, ranges.band_depth) * plate.beam.plate_um
    path = np.float32(lacking) * _band(rng, plate)
    rows = np.flatnonzero(path.any(axis=1))
    bottom = int(rows[-1]) + 1 if rows.size else 0
    return Band(path, bottom, bool(rng.random() < ranges.band_melts))


def _band(rng: np.random.Generator, plate: Plate) -> np.ndarray:
    """Draw a band under the surface where the plate is thinner, down to a ragged line, 0 to 1."""
    view = plate.view
    rows = np.arange(view.shape[0], dtype=np.float32)[:, None]
    columns = np.arange(view.shape[1], dtype=np.float32)
    depth = draw_log(rng, (15.0, 150.0)) / view.pixel_um
    line = depth * (1 + uneven_field(rng, (1, view.shape[1]), draw(rng, (0.05, 0.35)), (1, 9))[0])
    whole = np.ones_like(columns)
    if rng.random() < 0.7:
        # It begins somewhere, tapering off.
        begin, soft = draw(rng, (0.05, 0.95)) * view.shape[1], draw_log(rng, (5.0, 120.0))
        side = rng.choice((-1.0, 1.0))
        whole = 1 / (1 + np.exp(np.clip(side * (columns - begin) / soft, -30, 30)))
    below = np.clip(plate.surface + line * whole - rows + 0.5, 0, 1)
    return np.asarray(below * (rows >= plate.surface) * whole, np.float32)


def _dent(rng: np.random.Generator, plate: Plate) -> np.ndarray:
    """Draw a pit in a face that opens at the surface, wider than deep, 0 to 1."""
    view = plate.view
    rows = np.arange(view.shape[0], dtype=np.float32)[:, None]
    columns = np.arange(view.shape[1], dtype=np.float32)
    depth = draw_log(rng, (6.0, 40.0)) / view.pixel_um
    half = depth * draw(rng, (1.2, 5.0))
    away = np.abs(columns - draw(rng, (0, view.shape[1]))) / half
    # From a notch to a bowl.
    shape = np.maximum(1 - away ** draw(rng, (0.8, 2.5)), 0)
    return np.asarray(np.clip(plate.surface + depth * shape - rows + 0.5, 0, 1) * (away < 1))


def _stuck_grains(
    rng: np.random.Generator, plate: Plate, sigma: float, ranges: MeltRanges
) -> np.ndarray:
    """Path through grains of powder that stick to the plate's faces: round and dark."""
    view = plate.view
    path: np.ndarray = np.zeros(view.shape, np.float32)
    count = round(draw_integer(rng, ranges.stuck_grains) * path.size / (120 * 400))
    largest = draw_log(rng, ranges.stuck_grain_px)
    lowest = float(np.clip(plate.surface.min(), 0, view.shape[0] - 2))
    for _ in range(min(count, 200)):
        centre = (draw(rng, (0, view.shape[1])), draw(rng, (lowest, view.shape[0])))
        radius = max(largest * draw(rng, (0.3, 1.0)) / 2, 1.0)
        thickness = draw_log(rng, ranges.stain_sigmas) * sigma / plate.beam.slope
        left, right = int(max(centre[0] - radius, 0)), int(centre[0] + radius) + 2
        top, bottom = int(max(centre[1] - radius, 0)), int(centre[1] + radius) + 2
        rows, columns = np.ogrid[top : min(bottom, view.shape[0]), left : min(right, view.shape[1])]
        away = ((rows - centre[1]) ** 2 + (columns - centre[0]) ** 2) / radius**2
        # The chord through a ball.
        path[top:bottom, left:right] += np.float32(thickness) * np.sqrt(np.clip(1 - away, 0, 1))
    return path


def _stain(rng: np.random.Generator, plate: Plate) -> np.ndarray:
    """Dirt, a ring, an arc or a scratch, at most 1, mostly dark; float32 `(height, width)`."""
    view = plate.view
    field: np.ndarray = np.zeros(view.shape, np.float32)
    lowest = float(np.clip(plate.surface.min(), 0, view.shape[0] - 2))
    centre = (int(rng.integers(view.shape[1])), int(draw(rng, (lowest, view.shape[0] - 1))))
    size = max(int(draw_log(rng, (6.0, 60.0)) / view.pixel_um), 1)
    kind = str(rng.choice(("dirt", "arc", "scratch", "speck"), p=(0.35, 0.2, 0.25, 0.2)))
    sign = 1.0 if rng.random() < 0.7 else -1.0
    if kind == "dirt":
        count = int(rng.integers(8, 40))
        places = rng.normal(centre, size, (count, 2)).astype(int)
        for place in places:
            cv2.circle(
                field, place.tolist(), int(rng.integers(1, 3)), float(rng.normal(0, 0.7)), -1
            )
        return cv2.GaussianBlur(field, (0, 0), 0.7)
    if kind == "arc":
        axes = (max(size, 3), max(int(size * draw(rng, (0.5, 1.0))), 3))
        begin = int(rng.integers(360))
        end = begin + int(rng.integers(90, 361))
        cv2.ellipse(field, centre, axes, 0, begin, end, 0.7, int(rng.integers(1, 3)), cv2.LINE_AA)
    elif kind == "scratch":
        angle, length = draw(rng, (0, np.pi)), draw_log(rng, (40.0, 800.0)) / view.pixel_um
        other = (
            int(centre[0] + length * np.cos(angle)),
            int(centre[1] + length * np.sin(angle)),
        )
        cv2.line(field, centre, other, 0.7, 1, cv2.LINE_AA)
    else:
        cv2.circle(field, centre, int(rng.integers(1, 4)), 1.0, -1, cv2.LINE_AA)
        sign = 1.0
    return np.float32(sign) * cv2.GaussianBlur(field, (0, 0), draw(rng, (0.5, 1.0)))


def draw_texture(
    rng: np.random.Generator,
    plate: Plate,
    grains: np.ndarray | None,
    softening: float,
    ranges: MeltRanges,
) -> Layer:
    """Texture over the plate: roughness, and grains where there are any, of any strength."""
    library = texture_library(plate.view.pixel_um).faces
    weights = {
        "grain": draw(rng, ranges.fine_texture),
        "flakes": rng.uniform(0.1, 1.0),
        "specks": 0.6 * rng.random() ** 2,
        "scratches": draw(rng, ranges.scratches),
    }
    if grains is not None:
        scale = rng.uniform(0.15, 0.6)
        weights = {kind: scale * weight for kind, weight in weights.items()}
    rough = np.zeros(plate.view.shape, np.float32)
    for kind, weight in weights.items():
        maps = library[kind]
        face = maps[int(rng.integers(len(maps)))]
        rough += np.float32(weight) * crop_face(rng, face, plate.view.shape)
    share = draw(rng, ranges.rough_share)
    layers = [_textured(rough * plate.below, share, draw(rng, (0.2, 0.6)), plate.inside)]
    if grains is not None:
        layers.append(_textured(grains, draw(rng, ranges.grain_share), softening, plate.inside))
    return Layer(
        np.sum([layer.crossed for layer in layers], axis=0),
        np.sum([layer.fringe for layer in layers], axis=0),
    )


def _textured(texture: np.ndarray, share: float, softening: float, inside: slice) -> Layer:
    """Texture of standard deviation 1, a share of it by absorption and the rest by fringes."""
    layer = propagate(Component(texture, softening, 1.0))
    absorbed = float(layer.crossed[inside].std())
    fringed = float(layer.fringe[inside].std())
    by_fringe = np.sqrt(1 - share**2)
    return Layer(
        layer.crossed * np.float32(share / max(absorbed, 1e-6)),
        layer.fringe * np.float32(by_fringe / max(fringed, 1e-6)),
    )


def scaled_to(faces: Layer, sigma: float, plate: Plate, detector: Detector) -> tuple[Layer, float]:
    """Scale the texture such that the camera sees a sigma; that sigma with the noise added."""
    beam, inside = plate.beam, plate.inside
    seen = np.float32(beam.slope) * (faces.fringe[inside] - faces.crossed[inside])
    if detector.psf_px:
        seen = cv2.GaussianBlur(seen, (0, 0), detector.psf_px)
    factor = np.float32(sigma / max(float(seen.std()), 1e-9))
    noise = seen_noise(plate, detector)
    return Layer(faces.crossed * factor, faces.fringe * factor), float(np.hypot(sigma, noise))


def seen_noise(plate: Plate, detector: Detector) -> float:
    """Return the noise of the log intensity behind the plate, from frame to frame."""
    through = plate.beam.through
    # White noise of variance 1 keeps 1 / (4 pi s^2) of it after a wide point spread of sigma s.
    kept = 1 / np.sqrt(1 + 4 * np.pi * detector.psf_px**2)
    photons = kept * detector.photon_noise / through**0.5
    return float(np.hypot(photons, detector.read_noise / through))
