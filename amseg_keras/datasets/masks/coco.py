"""Masks in a COCO file: polygons and run lengths of all frames in one JSON."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from amseg_keras.datasets.masks.base import ClassIds, PageName, check_size
from amseg_keras.datasets.masks.polygons import inside_polygon
from amseg_keras.read import ReadError
from amseg_keras.read.errors import reading

BACKGROUND = "background"


class CocoMasks:
    """Annotations of a COCO file; a later one lies over an earlier one.

    Polygons, run lengths as lists and compressed run lengths are read. Every image in the file
    counts as labelled: one without annotations is all background.

    Args:
        file: The JSON file.

    Raises:
        ReadError: It is not of COCO; the message says what is missing.
    """

    has_background = True

    def __init__(self, file: Path) -> None:
        self._file = file
        with reading(str(file), "COCO JSON"):
            document = json.loads(file.read_text(encoding="utf-8"))
            self._images = list(document["images"])
            categories = sorted(document["categories"], key=lambda one: one["id"])
            self._names: dict[int, str] = {one["id"]: str(one["name"]) for one in categories}
            self._shapes: dict[int, list[dict[str, Any]]] = defaultdict(list)
            for annotation in document["annotations"]:
                self._shapes[annotation["image_id"]].append(annotation)
            self.pages = tuple(PageName(Path(str(one["file_name"])).stem) for one in self._images)
        used = {one["category_id"] for shapes in self._shapes.values() for one in shapes}
        if unknown := used - set(self._names):
            raise ReadError(
                f"{file}: has annotations of the category {min(unknown)}, which its list of "
                "categories does not name; export it again"
            )
        self.class_names = tuple(
            dict.fromkeys(name for name in self._names.values() if name != BACKGROUND)
        )

    def draw(self, index: int, size: tuple[int, int], ids: ClassIds) -> np.ndarray:
        image = self._images[index]
        if "height" in image and "width" in image:
            where = f"{self._file}: {image['file_name']}"
            check_size(where, (image["height"], image["width"]), size)
        labels = np.full(size, ids.unlabelled, np.uint8)
        for annotation in self._shapes[image["id"]]:
            with reading(f"{self._file}: annotation {annotation.get('id')}", "COCO JSON"):
                inside = inside_segmentation(annotation["segmentation"], size)
                name = self._names[annotation["category_id"]]
                labels[inside] = ids.by_name.get(name, ids.unlabelled)
        return labels

    def notes(self) -> list[str]:
        return []


def inside_segmentation(segmentation: Any, size: tuple[int, int]) -> np.ndarray:
    """The pixels of COCO's field "segmentation".

    Args:
        segmentation: A list of polygons `[x, y, x, y, ...]`, which are joined, or run lengths
            `{"size": [height, width], "counts": [...] or "..."}`.
        size: Rows and columns of the picture.

    Returns:
        bool `(height, width)`.

    Example:
        >>> inside_segmentation({"size": [2, 3], "counts": [1, 2, 3]}, (2, 3)).astype(int)
        array([[0, 1, 0],
               [1, 0, 0]])
    """
    if isinstance(segmentation, list):
        inside = np.zeros(size, bool)
        for part in segmentation:
            inside |= inside_polygon(np.array(part, float), size)
        return inside
    counts = segmentation["counts"]
    if tuple(segmentation["size"]) != tuple(size):
        raise ValueError(f"run lengths for a picture of {segmentation['size']}")
    if isinstance(counts, str):
        counts = decode_counts(counts)
    lengths = np.array(counts, np.int64)
    if (lengths < 0).any() or lengths.sum() != size[0] * size[1]:
        raise ValueError("run lengths that do not add up to the picture")
    # Runs of 0 and 1 in turn, down the columns.
    values = np.arange(len(lengths)) % 2 == 1
    return np.repeat(values, lengths).reshape(size[::-1]).T


def decode_counts(text: str) -> list[int]:
    """Run lengths from COCO's compressed string.

    Each number is in characters of 5 bits, lowest first, from "0" on; bit 6 says that more
    follow, and the highest bit of the last is the sign. From the fourth on, a number is the
    difference to the one two before.

    Example:
        >>> decode_counts("123"), decode_counts("1231")
        ([1, 2, 3], [1, 2, 3, 3])
    """
    counts: list[int] = []
    number = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise ValueError(f"the character {character!r} in run lengths")
        number |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            number -= 1 << shift
        counts.append(number + (counts[-2] if len(counts) > 2 else 0))
        number = shift = 0
    if shift:
        raise ValueError("run lengths that are cut short")
    return counts
