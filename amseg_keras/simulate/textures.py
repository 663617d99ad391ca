"""Library of textures that are slow to make, built once per process and then cropped.

What makes real frames hard is static texture. Two kinds are kept here: *sheets*,
monolayers of powder spheres, of which any number can be overlapped, and
*roughness*, the fine pattern of a machined plate.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

LIBRARY_SHAPE = (640, 1152)
_PIXEL_UM = 4.31


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


@dataclass(frozen=True)
class TextureLibrary:
    """Sheets of powder and roughness maps (float32, mean 0, sigma 1), `LIBRARY_SHAPE` each."""

    sheets: tuple[Sheet, ...]
    roughness: tuple[np.ndarray, ...]


@lru_cache(maxsize=1)
def texture_library() -> TextureLibrary:
    """The library, always the same one: its seed is fixed so that a frame's seed says all."""
    rng = np.random.default_rng(20240325)
    sheets = (
        packed_sheet(rng, (3.0, 7.0), LIBRARY_SHAPE, spread=0.75),
        packed_sheet(rng, (2.0, 5.0), LIBRARY_SHAPE, spread=0.75),
        packed_sheet(rng, (2.5, 7.5), LIBRARY_SHAPE, spread=0.95),
        packed_sheet(rng, (1.6, 4.0), LIBRARY_SHAPE, spread=1.4),
        packed_sheet(rng, (2.5, 7.0), LIBRARY_SHAPE, spread=1.8),
    )
    roughness = tuple(rough_plate(rng, LIBRARY_SHAPE) for _ in range(4))
    return TextureLibrary(sheets, roughness)


def packed_sheet(
    rng: np.random.Generator,
    radius_px: tuple[float, float],
    shape: tuple[int, int],
    spread: float,
) -> Sheet:
    """Pack spheres in a plane, large ones first, small ones into the gaps.

    Args:
        rng: Source of randomness.
        radius_px: Smallest and largest radius.
        shape: Height and width in pixels.
        spread: How much room a sphere claims, in radii: below 1 neighbours overlap a
            little as they do in projection, above 1 the sheet is loose.
    """
    height, width = shape
    margin = int(np.ceil(radius_px[1])) + 2
    thickness = np.zeros((height + 2 * margin, width + 2 * margin), np.float32)
    centre_below = np.zeros(thickness.shape, np.int16)
    centre_right = np.zeros(thickness.shape, np.int16)
    free = np.ones(thickness.shape, bool)
    for radius in np.linspace(radius_px[1], radius_px[0], 6):
        tries = int(2.2 * height * width / (np.pi * radius**2))
        rows = rng.uniform(margin, height + margin, tries)
        columns = rng.uniform(margin, width + margin, tries)
        radii = radius * rng.uniform(0.88, 1.12, tries)
        for row, column, own in zip(rows, columns, radii, strict=True):
            reach = spread * own
            r, c, d = int(row), int(column), int(0.7 * reach)
            s = int(reach)
            if not (
                free[r, c]
                and free[r - d : r + d + 1 : max(d, 1), c - d : c + d + 1 : max(d, 1)].all()
                and free[r, max(c - s, 0)]
                and free[r, min(c + s, free.shape[1] - 1)]
            ):
                continue
            half = int(np.ceil(own)) + 1
            window = (slice(r - half, r + half + 1), slice(c - half, c + half + 1))
            y, x = np.ogrid[-half : half + 1, -half : half + 1]
            squared = own**2 - (y + r - row) ** 2 - (x + c - column) ** 2
            if squared.shape != free[window].shape:
                continue
            path = 2 * _PIXEL_UM * np.sqrt(np.maximum(squared, 0), dtype=np.float32)
            # Where spheres overlap the nearer one owns the pixel: a sheet is one grain deep.
            owned = path > thickness[window]
            thickness[window][owned] = path[owned]
            centre_below[window][owned] = np.broadcast_to(-y, path.shape)[owned]
            centre_right[window][owned] = np.broadcast_to(-x, path.shape)[owned]
            free[window][squared > own**2 * (1 - spread**2)] = False
    keep = (slice(margin, -margin), slice(margin, -margin))
    return Sheet(
        *(np.ascontiguousarray(one[keep]) for one in (thickness, centre_below, centre_right))
    )


def rough_plate(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Roughness of a plate: fine grain of uneven strength, bright specks, short scratches."""
    grain: np.ndarray = rng.standard_normal(shape).astype(np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), rng.uniform(0.25, 0.45))
    # Real roughness is heavy tailed: calm areas beside lively ones, at two scales.
    liveliness = np.zeros(shape, np.float32)
    for scale, weight in ((1.5, 0.9), (6.0, 0.5), (25.0, 0.3)):
        field = cv2.GaussianBlur(rng.standard_normal(shape).astype(np.float32), (0, 0), scale)
        liveliness += weight * field / field.std()
    grain = grain / grain.std() * np.exp(0.33 * np.minimum(liveliness, 2.5))

    lines: np.ndarray = np.zeros(shape, np.float32)
    for _ in range(int(shape[0] * shape[1] / 350)):
        centre = (int(rng.integers(shape[1])), int(rng.integers(shape[0])))
        axes = (int(rng.integers(2, 14)), int(rng.integers(1, 8)))
        start = float(rng.uniform(0, 360))
        stroke = np.zeros((40, 40), np.float32)
        cv2.ellipse(
            stroke, (20, 20), axes, float(rng.uniform(0, 180)), start,
            start + float(rng.uniform(20, 120)), float(rng.normal(0, 1)), 1, cv2.LINE_AA,
        )  # fmt: skip
        _add(lines, stroke, centre)
    for _ in range(int(shape[0] * shape[1] / 900)):
        centre = (int(rng.integers(shape[1])), int(rng.integers(shape[0])))
        speck = np.zeros((9, 9), np.float32)
        cv2.circle(speck, (4, 4), int(rng.integers(0, 2)), float(rng.exponential(1.4)), -1)
        _add(lines, speck, centre)
    lines = cv2.GaussianBlur(lines, (0, 0), 0.4)
    texture = grain / grain.std() + 0.45 * lines / lines.std()
    texture -= cv2.GaussianBlur(texture, (0, 0), 6)
    return (texture - texture.mean()) / texture.std()


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


def crop_roughness(
    rng: np.random.Generator, roughness: np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
    """A random window of a roughness map, mirrored at random."""
    (window,) = crop(rng, (roughness,), shape)
    return window[:: int(rng.choice((-1, 1))), :: int(rng.choice((-1, 1)))]


def _add(canvas: np.ndarray, stamp: np.ndarray, centre: tuple[int, int]) -> None:
    half = stamp.shape[0] // 2
    left, top = centre[0] - half, centre[1] - half
    y0, x0 = max(top, 0), max(left, 0)
    y1 = min(top + stamp.shape[0], canvas.shape[0])
    x1 = min(left + stamp.shape[1], canvas.shape[1])
    canvas[y0:y1, x0:x1] += stamp[y0 - top : y1 - top, x0 - left : x1 - left]
