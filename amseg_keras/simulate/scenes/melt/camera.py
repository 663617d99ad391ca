"""Beam and camera of a melt-pool shot."""

from dataclasses import replace

import numpy as np

from amseg_keras.simulate.physics.detector import (
    Detector,
    clipped_beam,
    dust,
    row_stripes,
    uneven_field,
)
from amseg_keras.simulate.ranges.base import draw, draw_log
from amseg_keras.simulate.ranges.melt import MeltRanges
from amseg_keras.simulate.scenes.melt.plate import Plate


def draw_camera(
    rng: np.random.Generator, plate: Plate, clipped: bool, ranges: MeltRanges
) -> Detector:
    """A camera, and the beam as it is or as the flat field leaves it."""
    shape = plate.view.shape
    profile = 1 + uneven_field(rng, shape, 0.4 * draw(rng, ranges.shading), (3, 4))
    profile = profile + row_stripes(rng, shape, draw(rng, ranges.stripes))
    profile += dust(rng, shape, int(rng.integers(0, 12)))
    camera = Detector(
        beam=profile,
        psf_px=draw(rng, ranges.psf_px),
        photon_noise=draw_log(rng, ranges.photon_noise),
        read_noise=draw(rng, ranges.read_noise),
        gain=1.0,
        dark=0.0,
        bits=8,
    )
    if clipped or rng.random() < ranges.raw:
        return _raw(rng, camera, plate, clipped, ranges)
    gas = draw(rng, ranges.gas_level)
    black = max(draw(rng, ranges.black_level), 0.0) * plate.beam.through
    gain = gas / (1 - black)
    bits = int(rng.choice((12, 16))) if rng.random() < ranges.deep_bits else 8
    stretch = bool(rng.random() < ranges.stretched)
    return replace(camera, gain=gain, dark=-black * gain, bits=bits, stretch=stretch)


def _raw(
    rng: np.random.Generator,
    camera: Detector,
    plate: Plate,
    clipped: bool,
    ranges: MeltRanges,
) -> Detector:
    """A raw frame: vignette, clipped beam, a dark level, exposed for the plate."""
    height, width = camera.beam.shape
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] - np.float32(rng.normal(0, 0.3))
    x = np.linspace(-1, 1, width, dtype=np.float32)[None] - np.float32(rng.normal(0, 0.2))
    vignette = np.float32(draw(rng, ranges.vignette)) * (0.4 * y * y + 0.8 * x * x)
    profile = camera.beam * (1 - vignette)
    bright = 1.0
    if clipped:
        # A flat field cannot give back what does not arrive.
        bright = plate.beam.through
        profile = profile * clipped_beam(rng, height, plate.surface, bright)
    return replace(
        camera,
        beam=profile,
        # Noise is that of the plate, where the exposure puts it.
        photon_noise=camera.photon_noise * bright**0.5,
        read_noise=camera.read_noise * bright,
        gain=draw(rng, (0.2, 0.6)) / bright,
        dark=draw(rng, (0.02, 0.15)),
        bits=int(rng.choice((12, 12, 16))),
    )
