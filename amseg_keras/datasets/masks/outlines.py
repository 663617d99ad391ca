"""Outlines that other programs save: their JSON files, and the pixels inside an outline."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from skimage.draw import polygon2mask

from amseg_keras.read import ReadError
from amseg_keras.read.errors import reading

_MOST_BYTES = 1 << 30
_OLD = ("gb18030", "big5", "cp1252")
"""Encodings of Windows, tried in the order of `_in_likely_order` where a file is no UTF-8."""

_NOT_CHINESE = re.compile("[\u0400-\u04ff\u2500-\u257f\u3040-\u312f]")
"""Cyrillic letters, box lines, kana and phonetic signs: what frequent characters of Big5 look like
when they are read as GB2312."""


def read_json(path: Path, kind: str) -> tuple[Any, str | None]:
    """Read a JSON file.

    Args:
        path: The file.
        kind: What it is read as, for errors, such as ``"COCO JSON"``.

    Returns:
        What it holds, and a sentence if its encoding had to be guessed.

    Raises:
        ReadError: It is no JSON, or larger than 1 GiB.
    """
    with reading(str(path), kind):
        if path.stat().st_size > _MOST_BYTES:
            raise ReadError(f"{path}: is larger than 1 GiB; split it into several files")
        stored = path.read_bytes()
        # UTF-16 and UTF-32 are known by their mark, or by the zero bytes of the first characters.
        unicode = json.detect_encoding(stored)
        try:
            return json.loads(stored.decode(unicode)), None
        except UnicodeDecodeError:
            pass
        for encoding in _in_likely_order(stored):
            try:
                text = stored.decode(encoding)
            except UnicodeDecodeError:
                continue
            return json.loads(text), (
                f"{path} is not UTF-8, read as {encoding.upper()}; if the names of its classes "
                "look wrong, save it as UTF-8"
            )
        raise ReadError(f"{path}: is text in no known encoding; save it as UTF-8")


def _in_likely_order(stored: bytes) -> tuple[str, ...]:
    """Return the encodings of Windows, the likeliest first.

    GB18030 takes nearly every text of Big5, as rare characters. So it goes first only if the text
    fits its core of frequent simplified characters, GB2312. The western one takes whatever is left.
    """
    try:
        is_simplified = _NOT_CHINESE.search(stored.decode("gb2312")) is None
    except UnicodeDecodeError:
        is_simplified = False
    return _OLD if is_simplified else ("big5", "gb18030", "cp1252")


def inside_polygon(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Draw the pixels whose centre lies in a polygon.

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
    """Draw the pixels whose centre lies in the rectangle between two opposite corners.

    Example:
        >>> inside_rectangle(np.array([[3, 1], [1, 0]]), (2, 4)).astype(int)
        array([[0, 1, 1, 0],
               [0, 0, 0, 0]])
    """
    (left, top), (right, bottom) = np.sort(np.asarray(points, float).reshape(2, 2), axis=0)
    rows, columns = _centres(size)
    return np.asarray((rows >= top) & (rows < bottom) & (columns >= left) & (columns < right))


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
    """Draw the pixels whose centre lies in a circle, given by its centre and a point on it.

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
