"""Powder: the layer on the plate, and the grains before and behind it."""

from dataclasses import dataclass

import cv2
import numpy as np

from amseg_keras.simulate.physics.detector import uneven_field
from amseg_keras.simulate.physics.radiograph import Component, Fringe, propagate
from amseg_keras.simulate.process.experiments import Experiment
from amseg_keras.simulate.ranges.base import draw, draw_integer
from amseg_keras.simulate.ranges.melt import MeltRanges
from amseg_keras.simulate.scenes.melt.plate import Plate
from amseg_keras.simulate.textures.library import crop_sheet, texture_library
from amseg_keras.simulate.textures.sheets import Sheet


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
    """A layer of packed grains: as thick, as absorbing and as lively as drawn.

    Args:
        rng: Source of all randomness.
        plate: What it lies on.
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
    return (surface - np.maximum(height, 0)).astype(np.float32)


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
