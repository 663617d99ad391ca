"""Masks drawn in LabelMe: a JSON file a frame."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from amseg_keras.classes import IGNORE
from amseg_keras.datasets.dataset import check_class_names
from amseg_keras.datasets.masks.base import (
    ClassIds,
    PageName,
    around_centre,
    check_size,
    inside_circle,
    inside_polygon,
    inside_rectangle,
    is_upright,
    read_json,
)
from amseg_keras.read import ReadError
from amseg_keras.read.errors import reading

BACKGROUND_LABELS = ("background", "_background_")
IGNORE_LABEL = "__ignore__"
_KIND = "LabelMe JSON"
_FEWEST_CORNERS = 3
_LISTED = 5
_MOST_PIXELS = 1 << 28


class LabelMeMasks:
    """Polygons, rectangles, circles and masks; a later shape lies over an earlier one.

    Pixels without a shape, and shapes called `_background_`, are background; `__ignore__` is
    ignored in training. Points, lines and masks without a picture are left out, as are shapes that
    cover no pixel. What reaches out of the picture is cut off. `notes` says all that. A file
    without shapes is all background.

    Raises:
        ReadError: One of them is not of LabelMe.
    """

    has_background = True

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = tuple(files)
        names: set[str] = set()
        pages = []
        self._guessed: list[str] = []
        for file in self._files:
            document, guessed = read_labelme(file)
            self._guessed += [guessed] if guessed else []
            with reading(str(file), _KIND):
                names |= {str(shape["label"]) for shape in document["shapes"]}
            pages.append(PageName(file.stem))
        found = tuple(sorted(names - {*BACKGROUND_LABELS, IGNORE_LABEL}))
        self.class_names = check_class_names(found, str(self._files[0].parent))
        self.pages = tuple(pages)
        self._without_area: Counter[str] = Counter()
        self._left_out: dict[str, list[str]] = {}
        self._cut = 0

    def draw(self, index: int, size: tuple[int, int], ids: ClassIds) -> np.ndarray:
        file = self._files[index]
        document, _ = read_labelme(file)
        found = document.get("imageHeight"), document.get("imageWidth")
        if all(isinstance(value, int) for value in found):
            check_size(str(file), found, size)  # type: ignore[arg-type]
        labels = np.full(size, ids.unlabelled, np.uint8)
        for number, shape in enumerate(document["shapes"], 1):
            with reading(f"{file}: shape {number}", _KIND):
                inside = self._inside(shape, size)
                if inside is None:
                    continue
                if not inside.any():
                    self._leave_out("cover no pixel of their picture", f"{file.name}: {number}")
                labels[inside] = _id_of(str(shape["label"]), ids)
        return labels

    def notes(self) -> list[str]:
        said = self._guessed[:1]
        if len(self._guessed) > 1:
            said.append(f"{len(self._guessed) - 1} more files are not UTF-8 and were read likewise")
        said += [
            f"{count} LabelMe shapes of type {kind} have no area and were left out"
            for kind, count in sorted(self._without_area.items())
        ]
        for why, places in sorted(self._left_out.items()):
            more = f" and {len(places) - _LISTED} more" if len(places) > _LISTED else ""
            said.append(
                f"{len(places)} LabelMe shapes {why} and were left out (shape "
                f"{', '.join(places[:_LISTED])}{more})"
            )
        if self._cut:
            said.append(
                f"{self._cut} painted masks reach out of the picture and were cut off there"
            )
        return said

    def _leave_out(self, why: str, where: str) -> None:
        self._left_out.setdefault(why, []).append(where)

    def _inside(self, shape: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray | None:
        kind = str(shape.get("shape_type") or "polygon")
        if kind == "mask":
            if not shape.get("mask"):
                self._without_area["mask without a picture"] += 1
                return None
            return self._painted(shape, size)
        points = np.array(shape["points"], float)
        corners = len(points)
        if kind == "circle" and corners == 2:
            return inside_circle(points, size)
        if kind == "rectangle" and (corners in (2, 3) or (corners == 4 and is_upright(points))):
            return inside_rectangle(np.array([points.min(axis=0), points.max(axis=0)]), size)
        # X-AnyLabeling writes the four corners of a turned rectangle.
        if kind in ("rectangle", "rotation") and corners == 4:
            return inside_polygon(around_centre(points), size)
        if kind != "polygon" or corners < _FEWEST_CORNERS:
            self._without_area[kind] += 1
            return None
        return inside_polygon(points, size)

    def _painted(self, shape: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray:
        """Draw a painted mask, or one that LabelMe's network proposed: a picture and its corner."""
        stored = io.BytesIO(base64.b64decode(shape["mask"]))
        with Image.open(stored, formats=("PNG",)) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                raise ValueError("a mask larger than any picture")
            part = np.asarray(picture.convert("L")) > 0
        left, top = (round(float(value)) for value in shape["points"][0])
        rows, columns = np.nonzero(part)
        rows, columns = rows + top, columns + left
        within = (rows >= 0) & (rows < size[0]) & (columns >= 0) & (columns < size[1])
        self._cut += not within.all()
        inside = np.zeros(size, bool)
        inside[rows[within], columns[within]] = True
        return inside


def read_labelme(file: Path) -> tuple[dict[str, Any], str | None]:
    """Read a JSON file of LabelMe.

    Returns:
        Content of the file, and a sentence if the encoding had to be guessed.

    Raises:
        ReadError: It is none; the message names it.
    """
    document, guessed = read_json(file, _KIND)
    if isinstance(document, dict) and "imagePath" in document and document.get("shapes") is None:
        document = {**document, "shapes": []}
    if (
        not isinstance(document, dict)
        or not isinstance(document.get("shapes"), list)
        or not all(isinstance(shape, dict) for shape in document["shapes"])
    ):
        raise ReadError(
            f'{file}: is no LabelMe file, it has no list "shapes"; take it out of the folder or '
            "give another --kind"
        )
    return document, guessed


def _id_of(label: str, ids: ClassIds) -> int:
    if label == IGNORE_LABEL:
        return IGNORE
    return ids.unlabelled if label in BACKGROUND_LABELS else ids.by_name[label]
