"""Library of textures that are slow to make, built once per process and then cropped."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from amseg_keras.simulate.textures.rough import flakes, grain, scratches, specks
from amseg_keras.simulate.textures.sheets import POWDER_UM, Sheet, packed_sheet

LIBRARY_SHAPE = (640, 1152)


@dataclass(frozen=True)
class TextureLibrary:
    """Textures for one pixel size.

    Attributes:
        sheets: Sheets of powder by sieve fraction: dense ones first, the last one loose.
        faces: Height maps of rough faces by kind, float32 `LIBRARY_SHAPE`, mean 0, sigma 1.
    """

    sheets: dict[str, tuple[Sheet, ...]]
    faces: dict[str, tuple[np.ndarray, ...]]


_COARSEST_UM = 4.31
"""Largest pixel for which spheres are packed: of larger ones too many would fit in."""


@lru_cache(maxsize=8)
def texture_library(pixel_um: float) -> TextureLibrary:
    """The library of a pixel size, always the same one, so that a frame's seed says all."""
    if pixel_um > _COARSEST_UM:
        return _coarser(texture_library(_COARSEST_UM), _COARSEST_UM / pixel_um)
    rng = np.random.default_rng(20240325)
    sheets = {
        name: tuple(
            packed_sheet(rng, sieve, pixel_um, LIBRARY_SHAPE, spread, cover)
            for spread, cover in ((0.75, 2.0), (0.9, 1.4), (1.0, 0.5))
        )
        for name, sieve in POWDER_UM.items()
    }
    per_px = 4.31 / pixel_um
    faces = {
        "flakes": tuple(
            flakes(rng, LIBRARY_SHAPE, size * per_px, cover)
            for size, cover in ((2.5, 0.7), (3.5, 0.4), (5.0, 0.25))
        ),
        "grain": tuple(grain(rng, LIBRARY_SHAPE, sigma) for sigma in (0.5, 0.8, 1.2)),
        "specks": tuple(specks(rng, LIBRARY_SHAPE, share) for share in (0.002, 0.008, 0.02)),
        "scratches": tuple(scratches(rng, LIBRARY_SHAPE, angle, 3.0) for angle in (0.0, 8.0, 75.0)),
    }
    return TextureLibrary(sheets, faces)


def _coarser(library: TextureLibrary, zoom: float) -> TextureLibrary:
    """Scale a library down."""

    def scaled(field: np.ndarray, interpolation: int) -> np.ndarray:
        size = (round(field.shape[1] * zoom), round(field.shape[0] * zoom))
        return np.asarray(cv2.resize(field, size, interpolation=interpolation))

    def sheet(one: Sheet) -> Sheet:
        below, right = (
            np.round(zoom * scaled(centre.astype(np.float32), cv2.INTER_NEAREST)).astype(np.int16)
            for centre in (one.centre_below, one.centre_right)
        )
        return Sheet(scaled(one.thickness, cv2.INTER_AREA), below, right)

    def face(one: np.ndarray) -> np.ndarray:
        small = scaled(one, cv2.INTER_AREA)
        return (small - small.mean()) / max(float(small.std()), 1e-6)

    return TextureLibrary(
        {kind: tuple(sheet(one) for one in kept) for kind, kept in library.sheets.items()},
        {kind: tuple(face(one) for one in kept) for kind, kept in library.faces.items()},
    )


def crop(
    rng: np.random.Generator, maps: tuple[np.ndarray, ...], shape: tuple[int, int]
) -> tuple[np.ndarray, ...]:
    """The same random window of several maps; wraps round where the frame is larger."""
    height, width = maps[0].shape
    if shape[0] <= height and shape[1] <= width:
        top = int(rng.integers(height - shape[0] + 1))
        left = int(rng.integers(width - shape[1] + 1))
        window = (slice(top, top + shape[0]), slice(left, left + shape[1]))
        return tuple(one[window] for one in maps)
    rows = (np.arange(shape[0]) + rng.integers(height)) % height
    columns = (np.arange(shape[1]) + rng.integers(width)) % width
    return tuple(one[np.ix_(rows, columns)] for one in maps)


def crop_sheet(rng: np.random.Generator, sheet: Sheet, shape: tuple[int, int]) -> Sheet:
    """A random window of a sheet, mirrored left-right and top-bottom at random."""
    thickness, below, right = crop(
        rng, (sheet.thickness, sheet.centre_below, sheet.centre_right), shape
    )
    if rng.random() < 0.5:
        thickness, below, right = thickness[:, ::-1], below[:, ::-1], -right[:, ::-1]
    if rng.random() < 0.5:
        thickness, below, right = thickness[::-1], -below[::-1], right[::-1]
    return Sheet(thickness, below, right)


def crop_face(rng: np.random.Generator, face: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A random window of a height map, mirrored at random."""
    (window,) = crop(rng, (face,), shape)
    return window[:: int(rng.choice((-1, 1))), :: int(rng.choice((-1, 1)))]
