"""Frames turned as their file says: TIFF tag 274, and EXIF, which has the same numbers."""

from __future__ import annotations

import numpy as np

_TURNS = {
    2: "mirrored left to right",
    3: "turned by 180 degrees",
    4: "mirrored top to bottom",
    5: "mirrored along the diagonal",
    6: "turned by 90 degrees clockwise",
    7: "mirrored along the other diagonal",
    8: "turned by 90 degrees counterclockwise",
}


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn pixels so that the first row is at the top and the first column at the left.

    Args:
        pixels: ``(height, width)`` or with channels behind, as stored.
        orientation: 1 to 8 as in TIFF 6.0; others count as 1, as stored.

    Example:
        >>> upright(np.array([[1, 2], [3, 4]]), 6)
        array([[3, 1],
               [4, 2]])
    """
    if orientation in (2, 3, 4):
        rows = slice(None, None, -1 if orientation in (3, 4) else 1)
        columns = slice(None, None, -1 if orientation in (2, 3) else 1)
        return pixels[rows, columns]
    if orientation in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
        rows = slice(None, None, -1 if orientation in (7, 8) else 1)
        columns = slice(None, None, -1 if orientation in (6, 7) else 1)
        return pixels[rows, columns]
    return pixels


def swaps_axes(orientation: int) -> bool:
    """Whether rows become columns."""
    return orientation in (5, 6, 7, 8)


def orientation_note(orientation: int) -> str | None:
    """Say how frames were turned; None if they were not."""
    if orientation not in _TURNS:
        return None
    return f"frames {_TURNS[orientation]}, as the orientation in the file says ({orientation})"
