"""Static texture: sheets of packed powder, rough faces of a plate, and a library of both.

A face is cut by level sets of smooth random fields: plateaus with sharp edges. The phase fringes
of their edges are what a radiograph of a machined or etched plate shows. The library is built once
per process and then cropped, as textures are slow to make.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

POWDER_UM = {"fine": (15.0, 45.0), "coarse": (20.0, 63.0)}
"""Sieve fractions, 10th and 90th percentile of the diameter: titanium and steel powder, and
aluminium powder (SIMULATOR facts of LPBF practice: 15-45 and 20-63 um)."""


@dataclass(frozen=True)
class Sheet:
    """A monolayer of spheres.

    Attributes:
        thickness: Path through the spheres in micrometres, float32 `(height, width)`.
        centre_below: Rows from a pixel down to the centre of its sphere, int16; by
            it whole grains, not halves, are kept or dropped at a boundary.
        centre_right: Columns from a pixel right to the centre of its sphere, int16.
    """

    thickness: np.ndarray
    centre_below: np.ndarray
    centre_right: np.ndarray


def sphere_radii(rng: np.random.Generator, sieve_um: tuple[float, float], count: int) -> np.ndarray:
    """Radii in um of `count` spheres, log-normal between the 10th and 90th percentile given."""
    low, high = np.log(np.asarray(sieve_um) / 2)
    sigma = (high - low) / (2 * 1.2816)
    radii = np.exp(rng.normal((low + high) / 2, sigma, count))
    return np.clip(radii, sieve_um[0] / 3, 0.75 * sieve_um[1])


def packed_sheet(
    rng: np.random.Generator,
    sieve_um: tuple[float, float],
    pixel_um: float,
    shape: tuple[int, int],
    spread: float,
    cover: float,
) -> Sheet:
    """Pack spheres in a plane, large ones first, small ones into the gaps.

    Args:
        rng: Source of randomness.
        sieve_um: 10th and 90th percentile of the spheres' diameters.
        pixel_um: Size of a pixel.
        shape: Height and width in pixels.
        spread: Room of a sphere, in radii: below 1 neighbours overlap a
            little as they do in projection, above 1 the sheet is loose.
        cover: Total area of the spheres that are tried, over that of the sheet.
    """
    height, width = shape
    mean_area = np.mean(np.pi * (sphere_radii(rng, sieve_um, 4096) / pixel_um) ** 2)
    radii = sphere_radii(rng, sieve_um, int(cover * height * width / mean_area)) / pixel_um
    radii = np.sort(radii)[::-1]
    margin = int(np.ceil(radii[0])) + 3
    padded = (height + 2 * margin, width + 2 * margin)
    thickness = np.zeros(padded, np.float32)
    centre_below, centre_right = np.zeros(padded, np.int16), np.zeros(padded, np.int16)
    free = np.ones(padded, bool)
    # A sphere that finds no room where it falls rolls on a few times.
    tries = rng.uniform(margin, (height + margin, width + margin), (8, len(radii), 2))
    for number, radius in enumerate(radii):
        ring = _ring(radius * spread)
        for row, column in tries[:, number]:
            r, c = int(row), int(column)
            if free[r, c] and free[r + ring[:, 0], c + ring[:, 1]].all():
                break
        else:
            continue
        half = int(np.ceil(radius)) + 1
        window = (slice(r - half, r + half + 1), slice(c - half, c + half + 1))
        y, x = np.ogrid[-half : half + 1, -half : half + 1]
        squared = radius**2 - (y + r - row) ** 2 - (x + c - column) ** 2
        path = 2 * pixel_um * np.sqrt(np.maximum(squared, 0), dtype=np.float32)
        # Where spheres overlap the nearer one owns the pixel: a sheet is one grain deep.
        owned = path > thickness[window]
        thickness[window][owned] = path[owned]
        centre_below[window][owned] = np.broadcast_to(-y, path.shape)[owned]
        centre_right[window][owned] = np.broadcast_to(-x, path.shape)[owned]
        free[window][squared > radius**2 * (1 - min(spread, 1.0) ** 2)] = False
    keep = (slice(margin, -margin), slice(margin, -margin))
    return Sheet(
        *(np.ascontiguousarray(one[keep]) for one in (thickness, centre_below, centre_right))
    )


def _ring(radius: float) -> np.ndarray:
    """Rows and columns of eight points on a circle, whole pixels `(8, 2)`."""
    angles = np.arange(8) * np.pi / 4
    return np.round(radius * np.stack((np.sin(angles), np.cos(angles)), axis=1)).astype(int)


def flakes(
    rng: np.random.Generator, shape: tuple[int, int], size_px: float, cover: float
) -> np.ndarray:
    """Plateaus of random heights in patches, float32 `shape`, standard deviation 1.

    Args:
        rng: Source of randomness.
        shape: Height and width in pixels.
        size_px: Typical size of a flake.
        cover: Share of the face that is flaked.
    """
    # Three octaves: the edge of a flake is as ragged as it is large.
    field = np.sum([0.7**k * _smooth(rng, shape, size_px / 2 ** (k + 1)) for k in range(3)], axis=0)
    levels = rng.normal(0, 0.8, 3).astype(np.float32)
    terraces: np.ndarray = np.zeros(shape, np.float32)
    for level in levels:
        # Steps of uneven height, so that it is terraces and no checkerboard.
        step = np.float32(rng.normal(0, 1))
        terraces += step * np.clip((field - level) * np.float32(max(size_px / 3, 1.0)), 0, 1)
    patchy = _smooth(rng, shape, size_px * 1.5) + 0.8 * _smooth(rng, shape, size_px * 6)
    border = np.quantile(patchy[::4, ::4], 1 - cover)
    terraces -= terraces.mean()
    return _unit(terraces * np.clip((patchy - border) * 1.2 + 0.5, 0, 1))


def specks(rng: np.random.Generator, shape: tuple[int, int], per_pixel: float) -> np.ndarray:
    """Pits and bumps of 1-3 px, most of them bright, float32 `shape`, standard deviation 1."""
    whole: np.ndarray = np.zeros(shape, np.float32)
    for sigma_px, share in ((0.6, 0.6), (1.0, 0.3), (1.6, 0.1)):
        count = int(share * per_pixel * shape[0] * shape[1])
        rows, columns = rng.integers(shape[0], size=count), rng.integers(shape[1], size=count)
        heights = -rng.exponential(sigma_px, count) * rng.choice((1, 1, 1, -0.7), count)
        face: np.ndarray = np.zeros(shape, np.float32)
        np.add.at(face, (rows, columns), heights.astype(np.float32))
        whole += sigma_px * cv2.GaussianBlur(face, (0, 0), sigma_px)
    return _unit(whole)


def scratches(
    rng: np.random.Generator, shape: tuple[int, int], angle_deg: float, spread_deg: float
) -> np.ndarray:
    """Marks of grinding along a direction from the vertical, float32, standard deviation 1."""
    face: np.ndarray = np.zeros(shape, np.float32)
    for _ in range(int(shape[0] * shape[1] / 1500)):
        centre = rng.uniform((0, 0), shape)
        angle = np.deg2rad(rng.normal(angle_deg, spread_deg))
        half = rng.exponential(45) + 8
        way = np.array([np.cos(angle), np.sin(angle)]) * half
        ends = [tuple(int(v * 8) for v in (centre + s * way)[::-1]) for s in (-1, 1)]
        stroke = float(rng.normal(0, 1))
        # Strokes overlap, so each is drawn for itself in its window and added.
        low = np.maximum((centre - np.abs(way)).astype(int) - 2, 0)
        high = (centre + np.abs(way)).astype(int) + 3
        window = face[low[0] : high[0], low[1] : high[1]]
        if window.size:
            own = np.zeros(window.shape, np.float32)
            offset = (int(low[1]) * 8, int(low[0]) * 8)
            points = [tuple(a - b for a, b in zip(end, offset, strict=True)) for end in ends]
            cv2.line(own, points[0], points[1], stroke, 1, cv2.LINE_AA, shift=3)
            window += own
    return _unit(cv2.GaussianBlur(face, (0, 0), 0.9))


def grain(rng: np.random.Generator, shape: tuple[int, int], sigma_px: float) -> np.ndarray:
    """Fine grain of uneven strength, calm areas beside lively ones; standard deviation 1."""
    liveliness = np.minimum(_smooth(rng, shape, 6) + _smooth(rng, shape, 25), 3)
    return _unit(_smooth(rng, shape, sigma_px) * np.exp(0.18 * liveliness))


def _smooth(rng: np.random.Generator, shape: tuple[int, int], sigma_px: float) -> np.ndarray:
    field: np.ndarray = rng.standard_normal(shape, dtype=np.float32)
    # Wide blurs on a coarser grid: the same field, many times faster.
    coarser = max(int(sigma_px / 3), 1)
    if coarser > 1:
        small = tuple(side // coarser + 2 for side in shape)
        field = rng.standard_normal(small, dtype=np.float32)
        field = cv2.GaussianBlur(field, (0, 0), sigma_px / coarser)
        field = cv2.resize(field, shape[::-1], interpolation=cv2.INTER_CUBIC)
    else:
        field = cv2.GaussianBlur(field, (0, 0), sigma_px)
    return _unit(field)


def _unit(field: np.ndarray) -> np.ndarray:
    return np.asarray(((field - field.mean()) / max(float(field.std()), 1e-6)).astype(np.float32))


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
    """Return the library of a pixel size, which is always the same one."""
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
        return np.asarray((small - small.mean()) / max(float(small.std()), 1e-6))

    return TextureLibrary(
        {kind: tuple(sheet(one) for one in kept) for kind, kept in library.sheets.items()},
        {kind: tuple(face(one) for one in kept) for kind, kept in library.faces.items()},
    )


def crop(
    rng: np.random.Generator, maps: tuple[np.ndarray, ...], shape: tuple[int, int]
) -> tuple[np.ndarray, ...]:
    """Cut the same random window out of several maps, which wrap round if the frame is larger."""
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
    """Cut a random window out of a sheet, mirrored left-right and top-bottom at random."""
    thickness, below, right = crop(
        rng, (sheet.thickness, sheet.centre_below, sheet.centre_right), shape
    )
    if rng.random() < 0.5:
        thickness, below, right = thickness[:, ::-1], below[:, ::-1], -right[:, ::-1]
    if rng.random() < 0.5:
        thickness, below, right = thickness[::-1], -below[::-1], right[::-1]
    return Sheet(thickness, below, right)


def crop_face(rng: np.random.Generator, face: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Cut a random window out of a height map, mirrored at random."""
    (window,) = crop(rng, (face,), shape)
    return window[:: int(rng.choice((-1, 1))), :: int(rng.choice((-1, 1)))]
