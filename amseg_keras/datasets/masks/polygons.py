"""From outlines to the pixels inside them."""

from __future__ import annotations

import numpy as np
from skimage.draw import polygon2mask


def inside_polygon(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The pixels whose centre lies in a polygon.

    Args:
        points: Corners `(n, 2)` as x, y; the picture's upper left corner is (0, 0), the centre of
            its first pixel (0.5, 0.5), as in LabelMe and COCO.
        size: Rows and columns of the picture; what lies outside is cut off.

    Returns:
        bool `(height, width)`.

    Example:
        >>> inside_polygon(np.array([[1, 0], [3, 0], [3, 1], [1, 1]]), (2, 4)).astype(int)
        array([[0, 1, 1, 0],
               [0, 0, 0, 0]])
    """
    corners = np.asarray(points, float).reshape(-1, 2)
    if len(corners) < 3 or not np.isfinite(corners).all():
        raise ValueError(f"a polygon of {len(corners)} corners, or with corners that are no number")
    mask: np.ndarray = polygon2mask(size, corners[:, ::-1] - 0.5)
    return mask


def inside_rectangle(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The pixels whose centre lies in the rectangle between two opposite corners.

    Example:
        >>> inside_rectangle(np.array([[3, 1], [1, 0]]), (2, 4)).astype(int)
        array([[0, 1, 1, 0],
               [0, 0, 0, 0]])
    """
    (left, top), (right, bottom) = np.sort(np.asarray(points, float).reshape(2, 2), axis=0)
    rows, columns = _centres(size)
    return (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)


def is_upright(corners: np.ndarray) -> bool:
    """Say whether corners `(n, 2)` all lie in the corners of the rectangle around them.

    Example:
        >>> is_upright(np.array([[1, 1], [3, 4], [3, 1], [1, 4]]))
        True
        >>> is_upright(np.array([[2, 0], [4, 2], [2, 4], [0, 2]]))
        False
    """
    least, most = corners.min(axis=0), corners.max(axis=0)
    return bool(((corners == least) | (corners == most)).all())


def around_centre(corners: np.ndarray) -> np.ndarray:
    """Order the corners `(n, 2)` of a convex shape by their angle about its centre.

    Example:
        >>> around_centre(np.array([[0, 0], [2, 2], [2, 0], [0, 2]])).tolist()
        [[0, 0], [2, 0], [2, 2], [0, 2]]
    """
    x, y = (corners - corners.mean(axis=0)).T
    ordered: np.ndarray = corners[np.argsort(np.arctan2(y, x), kind="stable")]
    return ordered


def inside_circle(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The pixels whose centre lies in a circle, given by its centre and a point on it.

    Example:
        >>> inside_circle(np.array([[1.5, 1.5], [1.5, 2.5]]), (3, 3)).astype(int)
        array([[0, 1, 0],
               [1, 1, 1],
               [0, 1, 0]])
    """
    centre, edge = np.asarray(points, float).reshape(2, 2)
    rows, columns = _centres(size)
    inside: np.ndarray = np.hypot(columns - centre[0], rows - centre[1]) <= np.hypot(
        *(edge - centre)
    )
    return inside


def _centres(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(size[0])[:, None] + 0.5, np.arange(size[1])[None, :] + 0.5
