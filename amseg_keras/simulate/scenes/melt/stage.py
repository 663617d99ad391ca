"""What stands still during a melt-pool shot: plate, powder, their textures, beam and camera."""

from dataclasses import dataclass

import numpy as np

from amseg_keras.simulate.physics.detector import Detector
from amseg_keras.simulate.physics.materials import MATERIALS
from amseg_keras.simulate.physics.radiograph import Beam, Fringe, Layer
from amseg_keras.simulate.process.experiments import Experiment
from amseg_keras.simulate.ranges.base import draw, draw_log
from amseg_keras.simulate.ranges.melt import MeltRanges
from amseg_keras.simulate.scenes.melt.camera import draw_camera
from amseg_keras.simulate.scenes.melt.marks import Band, draw_band, draw_marks
from amseg_keras.simulate.scenes.melt.plate import Plate, draw_plate
from amseg_keras.simulate.scenes.melt.powder import PowderLayer, draw_face_grains, draw_powder
from amseg_keras.simulate.scenes.melt.texture import draw_texture, scaled_to, seen_noise
from amseg_keras.simulate.shot import View


@dataclass(frozen=True)
class Stage:
    """The static part of a scene.

    Attributes:
        experiment: What is being run.
        plate: The plate.
        detector: Beam profile and camera.
        powder: The powder layer; None for a bare plate.
        faces: Texture over the plate: grains and roughness, propagated.
        sigma: Standard deviation of the log intensity over the plate, as the camera sees it.
        lip: Dark line under the surface, as a fraction of the plate's thickness: light that the
            edge refracts away.
        plate_fringe: Of the plate's surface.
        grain_fringe: Of grains in flight.
        void_fringe: Of keyhole and pores.
        grain_factor: Micrometres of plate per micrometre of powder alloy.
        noise: The same of the noise, from frame to frame.
        marks: What else is in the plate and stands still; None where there is nothing.
        band: Bright band under the surface; None where there is none.
        clipped: Whether the beam is cut off above the plate.
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
    clipped: bool

    @property
    def view(self) -> View:
        """What the camera looks at."""
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
    clipped = not lpbf and rng.random() < ranges.clipped
    detector = draw_camera(rng, plate, clipped, ranges)
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
        clipped=clipped,
    )
