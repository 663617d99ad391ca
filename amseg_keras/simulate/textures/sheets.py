"""Sheets: monolayers of powder spheres, of which any number can be overlapped."""

from dataclasses import dataclass

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
        spread: How much room a sphere claims, in radii: below 1 neighbours overlap a
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
