"""What stands still during a melt-pool shot: plate, powder, their textures, beam and camera."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from amseg_keras.simulate.absorption import MATERIALS, Beam, Component, Fringe, Layer, propagate
from amseg_keras.simulate.detector import Detector, clipped_beam, dust, row_stripes, uneven_field
from amseg_keras.simulate.melt.plate import (
    Band,
    Plate,
    draw_band,
    draw_marks,
    draw_plate,
    draw_texture,
    scaled_to,
    seen_noise,
)
from amseg_keras.simulate.process import Experiment
from amseg_keras.simulate.ranges import draw, draw_integer, draw_log
from amseg_keras.simulate.ranges.melt import MeltRanges
from amseg_keras.simulate.shot import View
from amseg_keras.simulate.textures import Sheet, crop_sheet, texture_library


@dataclass(frozen=True)
class PowderLayer:
    """The powder on the plate.

    Attributes:
        top: Row of its top at each column, float32 `(width,)`.
        sheets: Grain sheets that the beam crosses, cropped to the frame.
        gain: Micrometres of plate for a micrometre of the sheets.
        fringe: Phase fringe of the grains.
    """

    top: np.ndarray
    sheets: tuple[Sheet, ...]
    gain: float
    fringe: Fringe


def draw_powder(
    rng: np.random.Generator, plate: Plate, material: str, sigma: float, ranges: MeltRanges
) -> PowderLayer:
    """Draw a layer of packed grains: its thickness, absorbance and liveliness.

    Args:
        rng: Source of all randomness.
        plate: Plate that it lies on.
        material: Alloy of the powder.
        sigma: Standard deviation of the log intensity over the plate.
        ranges: What else is drawn from.
    """
    view, beam = plate.view, plate.beam
    library = texture_library(view.pixel_um).sheets[_sieve(material)]
    count = draw_integer(rng, ranges.layer_sheets)
    sheets = tuple(crop_sheet(rng, library[int(rng.integers(2))], view.shape) for _ in range(count))
    layer = np.sum([sheet.thickness for sheet in sheets], axis=0)
    mean_um = draw(rng, ranges.layer_absorbance) * -np.log(beam.through) / beam.slope
    gain = mean_um / max(float(layer.mean()), 1e-3)
    lively = float(np.clip(sigma * draw(rng, ranges.layer_texture), 0.06, 0.4)) / beam.slope
    softening = draw(rng, ranges.grain_softening_px) + 0.5
    sample = np.ascontiguousarray(layer[:128, :256]) * np.float32(gain)
    propagated = propagate(Component(sample, softening, 1.0))
    missing = max(lively**2 - float(propagated.crossed.var()), (0.3 * lively) ** 2)
    strength = float(np.clip(np.sqrt(missing) / (float(propagated.fringe.std()) + 1e-6), 0.3, 40))
    return PowderLayer(_top(rng, plate, ranges), sheets, gain, Fringe(strength, softening))


def _top(rng: np.random.Generator, plate: Plate, ranges: MeltRanges) -> np.ndarray:
    pixel_um, surface = plate.view.pixel_um, plate.surface
    typical = rng.normal(100, 35) if rng.random() < 0.7 else draw(rng, ranges.layer_um)
    height = np.clip(typical, *ranges.layer_um) / pixel_um
    noise = rng.standard_normal((1, surface.size)).astype(np.float32)
    for scale_um, amplitude in ((170.0, 0.15), (35.0, 0.08)):
        smooth = cv2.GaussianBlur(noise, (0, 1), scale_um / pixel_um, sigmaY=0.1)[0]
        height = height * (1 + amplitude * smooth / (smooth.std() + 1e-6))
    return np.asarray((surface - np.maximum(height, 0)).astype(np.float32))


def draw_face_grains(
    rng: np.random.Generator, plate: Plate, experiment: Experiment, ranges: MeltRanges
) -> np.ndarray | None:
    """Grains before and behind the plate, um of powder `(height, width)`, or None.

    A powder bed surrounds its plate, so grains reach far below the surface there; on a bare
    plate a few stray ones lie at most.
    """
    lpbf = experiment.process == "lpbf"
    count = draw_integer(rng, ranges.face_sheets) if lpbf else int(rng.random() < 0.15)
    if count == 0:
        return None
    # Nobody sorts the grains beside a plate: either fraction may lie there.
    kinds = [_sieve(experiment.material) if rng.random() < 0.6 else "coarse" for _ in range(count)]
    view = plate.view
    library = texture_library(view.pixel_um).sheets
    rows = np.arange(view.shape[0], dtype=np.float32)[:, None]
    columns = np.arange(view.shape[1])
    over_plate: np.ndarray = np.zeros(view.shape, np.float32)
    for kind in kinds:
        dense = int(rng.integers(2)) if lpbf else 2
        sheet = crop_sheet(rng, library[kind][dense], view.shape)
        # Lines at the grain's own centre decide, or grains would be cut by columns.
        at = np.clip(columns + sheet.centre_right, 0, view.shape[1] - 1)
        centre = rows + sheet.centre_below - plate.surface[at]
        kept = centre >= 0
        if rng.random() < 0.25:
            # A bed that is lower than the plate is high ends along a ragged line.
            reach = draw(rng, (170, 470)) / view.pixel_um
            reach = reach + uneven_field(rng, (1, view.shape[1]), 35 / view.pixel_um, (1, 24))[0]
            kept &= centre < reach[at]
        over_plate += sheet.thickness * kept * np.float32(rng.uniform(0.6, 1))
    return over_plate


def _sieve(material: str) -> str:
    return "coarse" if material.startswith(("Al", "CP1")) else "fine"


def draw_camera(
    rng: np.random.Generator, plate: Plate, clip: np.ndarray | None, ranges: MeltRanges
) -> Detector:
    """Draw a camera, the beam, and the flat field, which leaves some of its unevenness."""
    shape = plate.view.shape
    left = 1 + uneven_field(rng, shape, 0.4 * draw(rng, ranges.shading), (3, 4))
    left = left + row_stripes(rng, shape, draw(rng, ranges.stripes))
    left += dust(rng, shape, int(rng.integers(0, 12)))
    flat = _vignette(rng, shape, ranges)
    camera = Detector(
        beam=(left * flat).astype(np.float32),
        psf_px=draw(rng, ranges.psf_px),
        photon_noise=draw_log(rng, ranges.photon_noise),
        # Nobody works with less light behind the plate than drowns the camera's noise.
        read_noise=draw(rng, ranges.read_noise)
        * (1.0 if clip is not None else plate.beam.through**0.5),
        gain=1.0,
        dark=0.0,
        bits=8,
        flat=flat,
    )
    if clip is not None or rng.random() < ranges.raw:
        return _raw(rng, camera, plate, clip, ranges)
    gas = draw(rng, ranges.gas_level)
    black = max(draw(rng, ranges.black_level), 0.0) * plate.beam.through
    gain = gas / (1 - black)
    bits = int(rng.choice((12, 16))) if rng.random() < ranges.deep_bits else 8
    stretch = bool(rng.random() < ranges.stretched)
    return replace(camera, gain=gain, dark=-black * gain, bits=bits, stretch=stretch)


def _vignette(rng: np.random.Generator, shape: tuple[int, int], ranges: MeltRanges) -> np.ndarray:
    """Beam that is darker at the corners, float32 `shape`, about 1 in the middle."""
    height, width = shape
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] - np.float32(rng.normal(0, 0.3))
    x = np.linspace(-1, 1, width, dtype=np.float32)[None] - np.float32(rng.normal(0, 0.2))
    dark = np.float32(draw(rng, ranges.vignette)) * (0.4 * y * y + 0.8 * x * x)
    return np.clip(1 - dark, 0.2, 1).astype(np.float32)


def _raw(
    rng: np.random.Generator,
    camera: Detector,
    plate: Plate,
    clip: np.ndarray | None,
    ranges: MeltRanges,
) -> Detector:
    """Keep raw frames: vignette, clipped beam, a dark level."""
    profile = camera.beam
    bright = 1.0
    if clip is not None:
        # A flat field cannot give back what does not arrive.
        bright = plate.beam.through
        profile = profile * clipped_beam(rng, len(profile), clip, bright)
    # Gas as bright as the camera takes it, or the whole exposed for later.
    dim = clip is not None or rng.random() < 0.5
    gain = draw(rng, (0.2, 0.6)) if dim else draw(rng, (0.6, 1.05))
    return replace(
        camera,
        beam=profile,
        # Noise is that of the plate, where the exposure puts it.
        photon_noise=camera.photon_noise * bright**0.5,
        read_noise=camera.read_noise * bright,
        gain=gain / bright,
        dark=draw(rng, ranges.raw_dark),
        bits=8 if rng.random() < ranges.raw_eight else int(rng.choice((12, 12, 16))),
        flat=None,
    )


@dataclass(frozen=True)
class Stage:
    """The static part of a scene.

    Attributes:
        experiment: Settings of the laser.
        plate: The plate.
        detector: Beam profile and camera.
        powder: The powder layer; None for a bare plate.
        faces: Texture over the plate: grains and roughness, propagated.
        sigma: Standard deviation of the log intensity over the plate, as the camera sees it.
        lip: Dark line under the surface, as a fraction of the plate's thickness: light that the
            edge refracts away.
        plate_fringe: Fringe of the plate's surface.
        grain_fringe: Of grains in flight.
        void_fringe: Of keyhole and pores.
        grain_factor: Micrometres of plate per micrometre of powder alloy.
        noise: The same of the noise, from frame to frame.
        marks: What else is in the plate and stands still; None where there is nothing.
        band: Bright band under the surface; None where there is none.
        clip: Row above which the beam is cut off, at each column `(width,)`; None if it is whole.
    """

    experiment: Experiment
    plate: Plate
    detector: Detector
    powder: PowderLayer | None
    faces: Layer
    sigma: float
    lip: float
    plate_fringe: Fringe
    grain_fringe: Fringe
    void_fringe: Fringe
    grain_factor: float
    noise: float
    marks: Layer | None
    band: Band | None
    clip: np.ndarray | None

    @property
    def view(self) -> View:
        """The view of the camera."""
        return self.plate.view

    @property
    def beam(self) -> Beam:
        """Spectrum and plate."""
        return self.plate.beam

    @property
    def surface(self) -> np.ndarray:
        """Row of the plate's surface at each column, before melting, float32 `(width,)`."""
        return self.plate.surface

    @property
    def ceiling(self) -> np.ndarray:
        """Row above which there is only gas, at each column: top of the powder or surface."""
        return self.surface if self.powder is None else self.powder.top


def draw_stage(
    rng: np.random.Generator, view: View, experiment: Experiment, ranges: MeltRanges
) -> Stage:
    """Draw everything that stays during a shot."""
    lpbf = experiment.process == "lpbf"
    plate = draw_plate(rng, view, experiment, ranges)
    # Where there is powder nobody cuts off the beam above the plate.
    clip = None
    if not lpbf and rng.random() < ranges.clipped:
        clip = plate.surface + max(draw(rng, ranges.clip_below_um), 0.0) / view.pixel_um
    detector = draw_camera(rng, plate, clip, ranges)
    softening = draw(rng, ranges.grain_softening_px)
    grains = draw_face_grains(rng, plate, experiment, ranges)
    # Without grains before and behind it, a plate in a powder bed is as calm as a bare one.
    limits = ranges.lpbf_texture if lpbf and grains is not None else ranges.welding_texture
    contrast = -np.log(plate.beam.through)
    sigma = float(np.clip(contrast / draw_log(rng, ranges.contrast_in_sigma), *limits))
    faces = draw_texture(rng, plate, grains, softening, ranges)
    noise = seen_noise(plate, detector)
    faces, sigma = scaled_to(faces, sigma, plate, detector)
    edge = ranges.worn_softening_px if lpbf else ranges.plate_softening_px
    return Stage(
        experiment=experiment,
        plate=plate,
        detector=detector,
        powder=draw_powder(rng, plate, experiment.material, sigma, ranges) if lpbf else None,
        faces=faces,
        sigma=sigma,
        lip=max(draw(rng, ranges.lip), 0.0),
        plate_fringe=Fringe(draw_log(rng, ranges.plate_fringe), draw_log(rng, edge)),
        grain_fringe=Fringe(draw_log(rng, ranges.grain_fringe), softening),
        void_fringe=Fringe(draw_log(rng, ranges.void_fringe), draw(rng, ranges.void_softening_px)),
        grain_factor=plate.beam.equivalent(MATERIALS[experiment.material]),
        noise=noise,
        marks=draw_marks(rng, plate, sigma, ranges),
        band=draw_band(rng, plate, ranges),
        clip=clip,
    )
