"""Masks drawn in LabelMe: a JSON file a frame."""

from __future__ import annotations

import base64
import io
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from amseg_keras.classes import IGNORE
from amseg_keras.datasets.masks.base import ClassIds, PageName, check_size
from amseg_keras.datasets.masks.polygons import inside_circle, inside_polygon, inside_rectangle
from amseg_keras.read import ReadError
from amseg_keras.read.errors import reading

BACKGROUND_LABELS = ("background", "_background_")
IGNORE_LABEL = "__ignore__"
_SHAPES: Mapping[str, Callable[[np.ndarray, tuple[int, int]], np.ndarray]] = {
    "polygon": inside_polygon,
    "rectangle": inside_rectangle,
    "circle": inside_circle,
}


class LabelMeMasks:
    """Polygons, rectangles, circles and masks; a later shape lies over an earlier one.

    Pixels without a shape, and shapes called `_background_`, are background; `__ignore__` is
    ignored in training. Points and lines have no area and are left out, which `notes` says.

    Args:
        files: JSON files, one a frame.

    Raises:
        ReadError: One of them is not of LabelMe.
    """

    has_background = True

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = tuple(files)
        names: set[str] = set()
        pages = []
        for file in self._files:
            document = read_labelme(file)
            with reading(str(file), "LabelMe JSON"):
                names |= {str(shape["label"]) for shape in document["shapes"]}
            pages.append(PageName(file.stem))
        self.class_names = tuple(sorted(names - {*BACKGROUND_LABELS, IGNORE_LABEL}))
        self.pages = tuple(pages)
        self._without_area: Counter[str] = Counter()

    def draw(self, index: int, size: tuple[int, int], ids: ClassIds) -> np.ndarray:
        file = self._files[index]
        document = read_labelme(file)
        found = document.get("imageHeight"), document.get("imageWidth")
        if None not in found:
            check_size(str(file), found, size)  # type: ignore[arg-type]
        labels = np.full(size, ids.unlabelled, np.uint8)
        for number, shape in enumerate(document["shapes"], 1):
            with reading(f"{file}: shape {number}", "LabelMe JSON"):
                inside = self._inside(shape, size)
                if inside is not None:
                    labels[inside] = _id_of(str(shape["label"]), ids)
        return labels

    def notes(self) -> list[str]:
        return [
            f"{count} LabelMe shapes of type {kind} have no area and were left out"
            for kind, count in sorted(self._without_area.items())
        ]

    def _inside(self, shape: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray | None:
        kind = shape.get("shape_type") or "polygon"
        if kind == "mask":
            return _painted(shape, size)
        if kind not in _SHAPES:
            self._without_area[kind] += 1
            return None
        return _SHAPES[kind](np.array(shape["points"], float), size)


def read_labelme(file: Path) -> dict[str, Any]:
    """Read a JSON file of LabelMe.

    Raises:
        ReadError: It is none; the message names it.
    """
    with reading(str(file), "LabelMe JSON"):
        document = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(document, dict) or not isinstance(document.get("shapes"), list):
        raise ReadError(
            f'{file}: is no LabelMe file, it has no list "shapes"; take it out of the folder or '
            "give another --kind"
        )
    return document


def _id_of(label: str, ids: ClassIds) -> int:
    if label == IGNORE_LABEL:
        return IGNORE
    return ids.unlabelled if label in BACKGROUND_LABELS else ids.by_name[label]


def _painted(shape: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray:
    """A mask that was painted, or proposed by LabelMe's network: a picture and its corner."""
    with Image.open(io.BytesIO(base64.b64decode(shape["mask"]))) as picture:
        part = np.asarray(picture.convert("L")) > 0
    left, top = (round(float(value)) for value in shape["points"][0])
    if left < 0 or top < 0 or top + part.shape[0] > size[0] or left + part.shape[1] > size[1]:
        raise ValueError("a mask that reaches out of the picture")
    inside = np.zeros(size, bool)
    inside[top : top + part.shape[0], left : left + part.shape[1]] = part
    return inside
