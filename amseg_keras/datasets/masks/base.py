"""Shared by all readers of masks: places of masks, outlines in JSON, pixels inside an outline."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from amseg_keras._on_demand import needed
from amseg_keras.datasets.open import plain_stem
from amseg_keras.read import ReadError
from amseg_keras.read.errors import reading


@dataclass(frozen=True)
class PageName:
    """Place of a frame or a mask: its file and page.

    Attributes:
        stem: Name of the file without its folder and extension.
        page: Counted from 0.
        pages: Number of pages in the file; 0 if the file does not say it.
    """

    stem: str
    page: int = 0
    pages: int = 1


@dataclass(frozen=True)
class ClassIds:
    """The id to write for each class.

    Attributes:
        by_name: Id of each class of the data set.
        unlabelled: Id of pixels that no shape covers: the class `background`, or the first.

    Example:
        >>> ClassIds.of(["melt", "background"]).unlabelled
        1
    """

    by_name: Mapping[str, int]
    unlabelled: int

    @classmethod
    def of(cls, class_names: Sequence[str]) -> ClassIds:
        """Number names 0, 1, ... in their order."""
        by_name = {name: number for number, name in enumerate(class_names)}
        return cls(by_name, by_name.get("background", 0))


class Masks(Protocol):
    """Masks of some frames.

    Attributes:
        class_names: Classes that they name, in an order that is the same on every run.
        has_background: True if pixels without a shape are background, which needs a class.
        pages: Place of each mask, to match it with a frame.
    """

    @property
    def class_names(self) -> tuple[str, ...]: ...

    @property
    def has_background(self) -> bool: ...

    @property
    def pages(self) -> tuple[PageName, ...]: ...

    def draw(self, index: int, size: tuple[int, int], ids: ClassIds) -> np.ndarray:
        """Draw the class ids of one mask.

        Args:
            index: Index of the mask in `pages`.
            ids: Class id of each name, with all names of `class_names`.

        Returns:
            uint8 `(height, width)`, 255 for "ignore".

        Raises:
            ReadError: The mask is wrong or of another size.
        """
        ...

    def notes(self) -> list[str]:
        """Return what was assumed or left out in the masks drawn so far, a sentence each."""
        ...


def check_size(where: str, found: tuple[int, ...], frame: tuple[int, int]) -> None:
    """Raise if a mask is not of its frame's size.

    Example:
        >>> check_size("a.json", (9, 9), (9, 9))
    """
    if tuple(found) != tuple(frame):
        mask, image = (" rows x ".join(map(str, size)) + " columns" for size in (found, frame))
        raise ReadError(
            f"{where}: is {mask}, but its frame is {image}; label the frame itself, not a crop or "
            "a scaled copy"
        )


def match_pages(
    frames: Sequence[PageName], masks: Sequence[PageName]
) -> tuple[list[int | None], list[str]]:
    """Find the mask of each frame.

    By name where any name is equal (`NAME_mask` counts as `NAME`); else in order, where there are
    as many masks as frames. Masks that say their position in a stack of unknown length are matched
    by it.

    Returns:
        For each frame the index of its mask, or None; and what was assumed, a sentence each.

    Raises:
        ReadError: Two frames, or two masks, of one name could be meant.

    Example:
        >>> match_pages([PageName("a"), PageName("b")], [PageName("b_mask")])[0]
        [None, 0]
    """
    exact = {mask: number for number, mask in enumerate(masks)}
    plain = {
        PageName(plain_stem(f"{mask.stem}.png"), mask.page, mask.pages): number
        for number, mask in enumerate(masks)
    }
    found = [exact.get(frame, plain.get(frame)) for frame in frames]
    matched = Counter(
        frame for frame, number in zip(frames, found, strict=True) if number is not None
    )
    if matched:
        listed = Counter(masks)
        for page in matched:
            if matched[page] > 1 or listed[page] > 1:
                raise ReadError(
                    f"{page.stem}: is the name of several frames or masks, so that it is not clear "
                    "which belong together; import one folder at a time"
                )
        return found, []
    if masks and not any(mask.pages for mask in masks) and masks[-1].page < len(frames):
        by_page = {mask.page: number for number, mask in enumerate(masks)}
        return [by_page.get(number) for number in range(len(frames))], [
            f"the masks of {masks[0].stem} were matched with the frames by their position in the "
            "stack"
        ]
    if len(frames) == len(masks):
        return list(range(len(frames))), [
            "the names of masks and frames differ, so they were matched in order: the first mask "
            f"({masks[0].stem}) with the first frame ({frames[0].stem})"
        ]
    return found, []


_MOST_BYTES = 1 << 30
_OLD = ("gb18030", "big5", "cp1252")
"""Encodings of Windows, tried in the order of `_in_likely_order` where a file is no UTF-8."""

_NOT_CHINESE = re.compile("[\u0400-\u04ff\u2500-\u257f\u3040-\u312f]")
"""Cyrillic letters, box lines, kana and phonetic signs: what frequent characters of Big5 look like
when they are read as GB2312."""


def read_json(path: Path, kind: str) -> tuple[Any, str | None]:
    """Read a JSON file.

    Args:
        kind: Name of the format for error messages, such as ``"COCO JSON"``.

    Returns:
        Content of the file, and a sentence if the encoding had to be guessed.

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
    draw = needed("skimage.draw", "drawing a polygon")
    mask: np.ndarray = draw.polygon2mask(size, corners[:, ::-1] - 0.5)
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
