"""Outlines that run along the edges of pixels: traced and filled again, nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

_STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""East, south, west, north, as x and y; y grows downwards."""


def trace_pixels(mask: np.ndarray) -> list[np.ndarray]:
    """Trace the outlines of the pixels of a mask, holes included.

    Pixels that touch at a corner alone get outlines of their own, or one that passes the corner
    twice; either way `fill_outlines` gives the mask again.

    Args:
        mask: Pixels, bool `(height, width)`.

    Returns:
        Corners of each outline, int `(n, 2)` as x, y, without the first one repeated. The corner
        of the first pixel is (0, 0).

    Example:
        >>> trace_pixels(np.array([[False, True, True]]))[0].tolist()
        [[1, 0], [3, 0], [3, 1], [1, 1]]
    """
    padded = np.pad(np.asarray(mask, bool), 1)
    inside = padded[1:-1, 1:-1]
    # Each edge has the mask on its right hand.
    starts = (
        (inside & ~padded[:-2, 1:-1], 0, 0),
        (inside & ~padded[1:-1, 2:], 1, 0),
        (inside & ~padded[2:, 1:-1], 1, 1),
        (inside & ~padded[1:-1, :-2], 0, 1),
    )
    edges: dict[tuple[int, int, int], None] = {}
    for direction, (where, right, below) in enumerate(starts):
        rows, columns = np.nonzero(where)
        for y, x in zip((rows + below).tolist(), (columns + right).tolist(), strict=True):
            edges[x, y, direction] = None
    outlines = []
    while edges:
        outlines.append(np.array(_walk(edges, next(iter(edges))), int))
    return outlines


def _walk(
    edges: dict[tuple[int, int, int], None], first: tuple[int, int, int]
) -> list[tuple[int, int]]:
    """Take the edges of one outline away, from `first` on; the corners where it turns."""
    corners: list[tuple[int, int]] = []
    x, y, direction = first
    while (x, y, direction) in edges:
        del edges[x, y, direction]
        x, y = x + _STEPS[direction][0], y + _STEPS[direction][1]
        # To the right is along the same pixel.
        for turn in (1, 0, 3):
            following = (direction + turn) % 4
            if (x, y, following) in edges or (x, y, following) == first:
                break
        if following != direction:
            corners.append((x, y))
        direction = following
    return [corners[-1], *corners[:-1]]


def runs_along_pixels(outlines: Sequence[np.ndarray]) -> bool:
    """Say whether every outline runs along the edges of pixels.

    Args:
        outlines: Corners `(n, 2)` of each, as x, y.

    Example:
        >>> runs_along_pixels([np.array([[0, 0], [2, 0], [2, 1], [0, 1]])])
        True
        >>> runs_along_pixels([np.array([[0, 0], [2, 0], [1, 2]])])
        False
    """
    for outline in outlines:
        steps = np.roll(outline, -1, axis=0) - outline
        if (outline != np.rint(outline)).any() or (steps != 0).all(axis=1).any():
            return False
    return True


def fill_outlines(outlines: Sequence[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """Fill outlines along the edges of pixels; an outline inside another one is a hole.

    Args:
        outlines: Corners `(n, 2)` of each, as x, y, whole numbers.
        size: Rows and columns of the picture; what lies outside is cut off.

    Returns:
        bool `(height, width)`.

    Example:
        >>> ring = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)
        >>> bool((fill_outlines(trace_pixels(ring), (3, 3)) == ring).all())
        True
    """
    height, width = size
    crossed = np.zeros((height, width + 1), bool)
    for x, top, bottom in _upright_edges(outlines):
        crossed[max(top, 0) : max(bottom, 0), min(max(x, 0), width)] ^= True
    inside: np.ndarray = np.logical_xor.accumulate(crossed, axis=1)[:, :width]
    return inside


def _upright_edges(outlines: Sequence[np.ndarray]) -> Iterator[tuple[int, int, int]]:
    """Column, upper and lower row of each edge that runs up or down."""
    for outline in outlines:
        corners = outline.astype(int).tolist()
        for (x, y), (other_x, other_y) in zip(corners, [*corners[1:], *corners[:1]], strict=True):
            if x == other_x and y != other_y:
                yield x, min(y, other_y), max(y, other_y)
