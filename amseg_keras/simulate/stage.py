"""What stands still during a shot: plate, powder, their textures, beam and camera."""

from dataclasses import dataclass

import cv2
import numpy as np

from amseg_keras.simulate.materials import MATERIALS, transmission
from amseg_keras.simulate.radiograph import (
    Beam,
    Component,
    Detector,
    draw_detector,
    fringed,
    pink_spectrum,
)
from amseg_keras.simulate.ranges import Ranges, draw, draw_integer, draw_log
from amseg_keras.simulate.textures import Sheet, crop_roughness, crop_sheet, texture_library

PIXEL_UM = 4.31
FRAME_RATE_HZ = 40_000.0
PLATE = "Ti6Al4V"
POWDERS = ("Ti6Al4V", "Ti6242", "AlSi10Mg", "CP1", "SS316L", "IN625")


@dataclass(frozen=True)
class Fringes:
    """Fringe strength (px2) and softening (px) of each kind of thing."""

    plate: tuple[float, float]
    grain: tuple[float, float]
    void: tuple[float, float]
    powder: tuple[float, float]


@dataclass(frozen=True)
class Stage:
    """The static part of a scene.

    Attributes:
        shape: Height and width in pixels.
        process: "lpbf" or "welding".
        powder: Name of the powder's alloy; the plate's for welding.
        beam: Spectrum and plate.
        detector: Camera.
        surface: Row of the plate's surface at each column, before melting.
        powder_top: Row of the powder layer's top; the surface where there is none.
        plate: Relative plate thickness `(height, width)`, 1 with a gentle gradient.
        sheets: Grain sheets of the powder layer, cropped to the frame.
        powder_gain: Factor on their thickness.
        faces: Texture component over the plate (grains and roughness).
        grain_factor: Micrometres of plate per micrometre of powder alloy.
        sigma: Standard deviation of the log intensity over the plate.
        fringes: Phase fringes.
        divided: Share of the plate's absorption removed by background division.
    """

    shape: tuple[int, int]
    process: str
    powder: str
    beam: Beam
    detector: Detector
    surface: np.ndarray
    powder_top: np.ndarray
    plate: np.ndarray
    sheets: tuple[Sheet, ...]
    powder_gain: float
    faces: list[Component]
    grain_factor: float
    sigma: float
    fringes: Fringes
    divided: float


def draw_stage(
    rng: np.random.Generator, process: str, shape: tuple[int, int], ranges: Ranges
) -> Stage:
    """Draw everything that stays during a shot."""
    if process not in ("lpbf", "welding"):
        raise ValueError(f"process must be 'lpbf' or 'welding', not {process!r}.")
    lpbf = process == "lpbf"
    powder = str(rng.choice(POWDERS, p=(0.4, 0.15, 0.15, 0.1, 0.1, 0.1))) if lpbf else PLATE
    beam = _draw_beam(rng, ranges)
    slope = beam.slope
    surface = _surface(rng, shape, ranges)
    powder_top = _powder_top(rng, surface, ranges) if lpbf else surface

    # --- how strong the texture is: tied to the contrast of gas and plate -------
    absorbance = -float(np.log(transmission(beam.plate, beam.plate_um, beam.spectrum)))
    limits = ranges.lpbf_texture if lpbf else ranges.welding_texture
    sigma = float(np.clip(absorbance / draw_log(rng, ranges.contrast_in_sigma), *limits))

    # --- sheets of grains: the first few go on below, before and behind the plate
    rows = np.arange(shape[0], dtype=np.float32)[:, None]
    library = texture_library()
    count = draw_integer(rng, ranges.layer_sheets) if lpbf else 1
    on_faces = draw_integer(rng, ranges.face_sheets) if lpbf else int(rng.random() < 0.3)
    kinds = rng.choice(
        len(library.sheets), size=max(count, on_faces), p=(0.15, 0.2, 0.35, 0.15, 0.15)
    )
    if not lpbf:
        kinds = np.full_like(kinds, 4)
    sheets = tuple(crop_sheet(rng, library.sheets[k], shape) for k in kinds)
    over_plate = np.zeros(shape, np.float32)
    for sheet in sheets[:on_faces]:
        reach = shape[0] if rng.random() < 0.6 else draw(rng, (10, 110))
        centre = rows + sheet.centre_below - surface
        over_plate += (
            sheet.thickness * ((centre >= 0) & (centre < reach)) * np.float32(rng.uniform(0.5, 1))
        )

    # --- share of grains and roughness in the plate's texture ------------------
    if on_faces == 0:
        grainy = 0.0
    elif lpbf:
        grainy = sigma * draw(rng, (0.7, 1.0))
    else:
        grainy = sigma * draw(rng, (0.2, 0.7))
    rough = np.sqrt(sigma**2 - grainy**2)
    grain_factor = beam.equivalent(MATERIALS[powder])
    softening = draw(rng, ranges.grain_softening_px)
    grain_fringe = draw_log(rng, ranges.grain_fringe)
    faces = []
    if grainy:
        share = draw(rng, (0.1, 0.6))
        faces.append(_tuned(over_plate, share, grainy / slope, softening, surface))
    roughness = library.roughness[int(rng.integers(len(library.roughness)))]
    below = (rows >= surface).astype(np.float32)
    pattern = crop_roughness(rng, roughness, shape) * below
    # The point spread takes about a third of so fine a pattern away again.
    faces.append(Component(np.float32(1.35 * rough / slope) * pattern, 0.0, 0.0))

    powder_gain, powder_fringe = 1.0, 1.0
    if lpbf:
        layer = np.sum([sheet.thickness for sheet in sheets], axis=0)
        mean = draw(rng, (0.1, 0.8)) * absorbance / slope
        powder_gain = float(mean / max(float(layer.mean()), 1e-3))
        fluctuation = np.clip(sigma * draw(rng, (1.0, 2.4)), 0.08, 0.45) / slope
        powder_fringe = _fringe_for(layer * powder_gain, fluctuation, softening)

    detector = draw_detector(rng, shape, ranges)
    edge = ranges.worn_softening_px if lpbf else ranges.plate_softening_px
    plate_fringe = (draw_log(rng, ranges.plate_fringe), draw_log(rng, edge))
    stage = Stage(
        shape=shape,
        process=process,
        powder=powder,
        beam=beam,
        detector=detector,
        surface=surface,
        powder_top=powder_top,
        plate=_plate(rng, shape),
        sheets=sheets[:count] if lpbf else (),
        powder_gain=powder_gain,
        faces=faces,
        grain_factor=grain_factor,
        sigma=_measured_sigma(faces, slope, detector, below),
        fringes=Fringes(
            plate=plate_fringe,
            grain=(grain_fringe, softening),
            void=(draw_log(rng, ranges.void_fringe), draw(rng, ranges.void_softening_px)),
            powder=(powder_fringe, softening),
        ),
        divided=draw(rng, (0.6, 1.0)) if rng.random() < 0.05 else 0.0,
    )
    return stage


def _draw_beam(rng: np.random.Generator, ranges: Ranges) -> Beam:
    spectrum = pink_spectrum(draw(rng, ranges.mean_energy_kev))
    plate = MATERIALS[PLATE]
    wanted = np.exp(-draw(rng, ranges.plate_absorbance))
    thickness = np.linspace(10, 3000, 300)
    passed = transmission(plate, thickness, spectrum)
    return Beam(spectrum, plate, float(np.interp(-wanted, -passed, thickness)))


def _surface(rng: np.random.Generator, shape: tuple[int, int], ranges: Ranges) -> np.ndarray:
    x = np.arange(shape[1], dtype=np.float32)
    middle = draw(rng, ranges.surface_height) * shape[0]
    tilt = np.tan(np.deg2rad(draw(rng, ranges.tilt_deg))) * (x - shape[1] / 2)
    wave = np.zeros_like(x)
    for _ in range(3):
        length = draw_log(rng, (30, 400))
        wave += np.sin(2 * np.pi * x / length + draw(rng, (0, 2 * np.pi)))
    return (middle + tilt + draw(rng, ranges.waviness_px) / 2 * wave).astype(np.float32)


def _powder_top(rng: np.random.Generator, surface: np.ndarray, ranges: Ranges) -> np.ndarray:
    typical = rng.normal(100, 35) if rng.random() < 0.7 else draw(rng, ranges.layer_um)
    height = np.clip(typical, *ranges.layer_um) / PIXEL_UM
    noise = rng.standard_normal((1, surface.size)).astype(np.float32)
    for scale, amplitude in ((40.0, 0.15), (8.0, 0.06)):
        smooth = cv2.GaussianBlur(noise, (0, 1), scale, sigmaY=0.1)[0]
        height = height * (1 + amplitude * smooth / (smooth.std() + 1e-6))
    return (surface - np.maximum(height, 0)).astype(np.float32)


def _plate(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    down = np.linspace(-0.5, 0.5, shape[0], dtype=np.float32)[:, None]
    across = np.linspace(-0.5, 0.5, shape[1], dtype=np.float32)[None]
    return (
        np.float32(1)
        + np.float32(rng.normal(0, 0.1)) * down
        + np.float32(rng.normal(0, 0.08)) * across
    )


def _tuned(
    texture: np.ndarray, share: float, sigma_um: float, softening: float, surface: np.ndarray
) -> Component:
    """Scale a texture so that absorption gives a share of sigma and the fringe the rest."""
    inside = texture[int(np.clip(surface.max() + 3, 0, texture.shape[0] - 24)) :]
    gain = share * sigma_um / max(float(inside.std()), 1e-3)
    scaled = np.float32(gain) * texture
    fringe = _fringe_for(np.float32(gain) * inside, sigma_um, softening)
    return Component(scaled, softening, fringe)


def _fringe_for(texture: np.ndarray, sigma_um: float, softening: float) -> float:
    """Fringe strength at which softened texture and fringe together reach a sigma."""
    sample = np.ascontiguousarray(texture[:96, :256])
    soft = cv2.GaussianBlur(sample, (0, 0), softening)
    laplacian = cv2.Laplacian(soft, cv2.CV_32F)
    missing = max(sigma_um**2 - float(soft.var()), (0.3 * sigma_um) ** 2)
    return float(np.clip(np.sqrt(missing) / (float(laplacian.std()) + 1e-6), 0.3, 40))


def _measured_sigma(
    faces: list[Component], slope: float, detector: Detector, below: np.ndarray
) -> float:
    start = int(np.clip(np.argmax(below.min(axis=1)) + 4, 0, below.shape[0] - 24))
    window = slice(start, start + 96)
    texture = np.zeros_like(below[window])
    for face in faces:
        cut = np.ascontiguousarray(face.thickness[window])
        texture += fringed(Component(cut, face.softening, face.fringe))
    seen = cv2.GaussianBlur(np.float32(slope) * texture, (0, 0), detector.psf)
    # The point spread leaves about half of the white noise.
    return float(np.hypot(seen.std(), 0.5 * detector.noise))
