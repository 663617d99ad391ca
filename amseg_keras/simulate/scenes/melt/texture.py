"""Texture over the plate: what makes real frames hard."""

import cv2
import numpy as np

from amseg_keras.simulate.physics.detector import Detector
from amseg_keras.simulate.physics.radiograph import Component, Layer, propagate
from amseg_keras.simulate.ranges.base import draw
from amseg_keras.simulate.ranges.melt import MeltRanges
from amseg_keras.simulate.scenes.melt.plate import Plate
from amseg_keras.simulate.textures.library import crop_face, texture_library


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
