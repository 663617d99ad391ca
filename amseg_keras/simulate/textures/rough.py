"""Rough faces of a plate: flakes, pits, scratches, as height maps that the beam crosses.

A face is cut by level sets of smooth random fields: plateaus with sharp edges. The phase fringes
of their edges are what a radiograph of a machined or etched plate shows.
"""

import cv2
import numpy as np


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
    return ((field - field.mean()) / max(float(field.std()), 1e-6)).astype(np.float32)
