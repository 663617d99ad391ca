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
        read_noise=draw(rng, ranges.read_noise) * (1.0 if clipped else plate.beam.through**0.5),
        gain=1.0,
        dark=0.0,
        bits=8,
        flat=flat,
    )
    if clipped or rng.random() < ranges.raw:
        return _raw(rng, camera, plate, clipped, ranges)
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
    clipped: bool,
    ranges: MeltRanges,
) -> Detector:
    """Keep raw frames: vignette, clipped beam, a dark level."""
    profile = camera.beam
    bright = 1.0
    if clipped:
        # A flat field cannot give back what does not arrive.
        bright = plate.beam.through
        profile = profile * clipped_beam(rng, len(profile), plate.surface, bright)
    # Gas as bright as the camera takes it, or the whole exposed for later.
    gain = draw(rng, (0.2, 0.6)) if clipped or rng.random() < 0.5 else draw(rng, (0.6, 1.05))
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
