"""Masks in a COCO file: polygons, run lengths and boxes of all frames in one JSON."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from amseg_keras.datasets.dataset import check_class_names
from amseg_keras.datasets.masks.base import (
    ClassIds,
    PageName,
    check_size,
    inside_polygon,
    inside_rectangle,
    read_json,
)
from amseg_keras.read import ReadError
from amseg_keras.read.errors import reading

BACKGROUND = "background"
_KIND = "COCO JSON"
_FEWEST_NUMBERS = 6  # x and y of three corners
_LISTED = 5
_BOX = "have a box and no outline: the whole box was taken as the object"
_NOTHING = "have neither an outline with an area nor a box and were left out"
_NO_PIXEL = "cover no pixel of their picture and were left out"
_PARTS = "have parts of fewer than 3 corners in their outline, which were left out"


class CocoMasks:
    """Annotations of a COCO file; a later one lies over an earlier one.

    Polygons, run lengths as lists and compressed run lengths are read. Where an annotation has a
    box and no usable outline, the whole box is taken. An annotation that has neither, or covers no
    pixel, is left out. `notes` says both, with the ids. Every image in the file counts as labelled:
    one without annotations is all background.

    Raises:
        ReadError: It is not of COCO, or two images or two categories have one id; the message says
            what is wrong.
    """

    has_background = True

    def __init__(self, file: Path) -> None:
        self._file = file
        document, guessed = read_json(file, _KIND)
        self._notes = [] if guessed is None else [guessed]
        with reading(str(file), _KIND):
            self._images = [_checked_image(file, one) for one in _list(file, document, "images")]
            _check_different(file, "images", self._images)
            self._names = _category_names(file, _list(file, document, "categories"))
            annotations = _list(file, document, "annotations")
            self._shapes = self._sort(annotations)
        self.pages = tuple(PageName(_stem(one["file_name"])) for one in self._images)
        self.class_names = check_class_names(
            tuple(dict.fromkeys(name for name in self._names.values() if name != BACKGROUND)),
            str(file),
        )
        self._told: dict[str, list[str]] = {}

    def draw(self, index: int, size: tuple[int, int], ids: ClassIds) -> np.ndarray:
        image = self._images[index]
        if "height" in image and "width" in image:
            where = f"{self._file}: {image['file_name']}"
            check_size(where, (image["height"], image["width"]), size)
        labels = np.full(size, ids.unlabelled, np.uint8)
        for annotation in self._shapes[_key(image["id"])]:
            with reading(f"{self._file}: annotation {annotation.get('id')}", _KIND):
                inside = self._inside(annotation, size)
                if inside is None:
                    continue
                if not inside.any():
                    self._tell(_NO_PIXEL, annotation)
                name = self._names[_key(annotation["category_id"])]
                labels[inside] = ids.by_name.get(name, ids.unlabelled)
        return labels

    def notes(self) -> list[str]:
        said = list(self._notes)
        for what, ids in sorted(self._told.items()):
            more = f" and {len(ids) - _LISTED} more" if len(ids) > _LISTED else ""
            said.append(f"{len(ids)} annotations {what} (id {', '.join(ids[:_LISTED])}{more})")
        return said

    def _tell(self, what: str, annotation: Mapping[str, Any]) -> None:
        self._told.setdefault(what, []).append(str(annotation["id"])[:40])

    def _inside(self, annotation: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray | None:
        """Draw the pixels of an annotation; None if it has no area."""
        segmentation = annotation.get("segmentation")
        if isinstance(segmentation, list):
            parts = _polygons(segmentation)
            segmentation = [part for part in parts if len(part) >= _FEWEST_NUMBERS]
            if 0 < len(segmentation) < len(parts):
                self._tell(_PARTS, annotation)
        if segmentation:
            return inside_segmentation(segmentation, size)
        corners = _box(annotation.get("bbox"))
        if corners is None:
            self._tell(_NOTHING, annotation)
            return None
        inside = inside_rectangle(corners, size)
        if inside.any():
            self._tell(_BOX, annotation)
        return inside

    def _sort(self, annotations: list[Any]) -> dict[str, list[dict[str, Any]]]:
        """Sort the annotations by image, and write a note on annotations without an image."""
        known = {_key(one["id"]) for one in self._images}
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        strays: list[str] = []
        for number, annotation in enumerate(annotations):
            if not isinstance(annotation, dict):
                raise ReadError(f"{self._file}: annotation {number} is no object; export it again")
            image, category = (_key(annotation.get(key)) for key in ("image_id", "category_id"))
            if category not in self._names:
                raise ReadError(
                    f"{self._file}: has annotations of the category {category[:40]}, which its "
                    "list of categories does not name; export it again"
                )
            if image in known:
                if annotation.get("id") is None:
                    annotation = {**annotation, "id": f"none, number {number + 1} in the file"}
                found[image].append(annotation)
            else:
                strays.append(image)
        if strays and not found:
            raise ReadError(
                f"{self._file}: all of its {len(strays)} annotations are of images that it does "
                f"not list (such as {strays[0][:40]}); export images and annotations together"
            )
        if strays:
            listed = ", ".join(dict.fromkeys(one[:40] for one in strays[:5]))
            self._notes.append(
                f"{len(strays)} annotations are of images that {self._file} does not list "
                f"({listed}) and were left out"
            )
        return found


def _list(file: Path, document: Any, name: str) -> list[Any]:
    found = document.get(name) if isinstance(document, dict) else None
    if not isinstance(found, list):
        raise ReadError(f'{file}: has no list "{name}", as COCO has; export it again')
    return found


def _checked_image(file: Path, image: Any) -> dict[str, Any]:
    if (
        not isinstance(image, dict)
        or not isinstance(image.get("file_name"), str)
        or image.get("id") is None
    ):
        raise ReadError(f'{file}: has an image without "id" or "file_name"; export it again')
    sizes = {key: _whole(image[key]) for key in ("height", "width") if key in image}
    if not all(isinstance(size, int) for size in sizes.values()):
        raise ReadError(f"{file}: says no size of {image['file_name'][:80]}; export it again")
    return image | sizes


def _check_different(file: Path, what: str, listed: list[dict[str, Any]]) -> None:
    """Refuse two images or categories of one id: an annotation could mean either of them."""
    for one, count in Counter(_key(one["id"]) for one in listed).items():
        if count > 1:
            raise ReadError(
                f"{file}: lists {count} {what} of the id {one[:40]}, so that it is not clear which "
                "one an annotation means; give each an id of its own"
            )


def _category_names(file: Path, categories: list[Any]) -> dict[str, str]:
    for one in categories:
        if not isinstance(one, dict) or one.get("id") is None or one.get("name") is None:
            raise ReadError(f'{file}: has a category without "id" or "name"; export it again')
    _check_different(file, "categories", categories)
    numbered = all(isinstance(one["id"], int | float) for one in categories)
    ordered = sorted(categories, key=lambda one: one["id"] if numbered else str(one["id"]))
    return {_key(one["id"]): str(one["name"]) for one in ordered}


def _key(value: object) -> str:
    """Return an id as text: some programs write 7 in one place and "7" or 7.0 in another."""
    return str(_whole(value))


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _polygons(segmentation: list[Any]) -> list[list[Any]]:
    """Return the polygons of an outline; some programs write one polygon without a list."""
    if segmentation and isinstance(segmentation[0], int | float):
        return [segmentation]
    return segmentation


def _box(box: Any) -> np.ndarray | None:
    """Return two opposite corners of the field "bbox"; None if it holds no numbers."""
    if not isinstance(box, list) or len(box) != 4:
        return None
    if not all(isinstance(value, int | float) and np.isfinite(value) for value in box):
        return None
    left, top, width, height = box
    return np.array([[left, top], [left + width, top + height]], float)


def _stem(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).stem


def inside_segmentation(segmentation: Any, size: tuple[int, int]) -> np.ndarray:
    """Draw the pixels of COCO's field "segmentation".

    Args:
        segmentation: A list of polygons `[x, y, x, y, ...]`, which are joined, or run lengths
            `{"size": [height, width], "counts": [...] or "..."}`.

    Returns:
        bool `(height, width)`.

    Example:
        >>> inside_segmentation({"size": [2, 3], "counts": [1, 2, 3]}, (2, 3)).astype(int)
        array([[0, 1, 0],
               [1, 0, 0]])
    """
    if isinstance(segmentation, list):
        inside = np.zeros(size, bool)
        for part in _polygons(segmentation):
            inside |= inside_polygon(np.array(part, float), size)
        return inside
    counts = segmentation["counts"]
    if tuple(segmentation["size"]) != tuple(size):
        raise ValueError(f"run lengths for a picture of {segmentation['size']}")
    if isinstance(counts, str):
        counts = decode_counts(counts)
    pixels = size[0] * size[1]
    if not all(isinstance(count, int) and 0 <= count <= pixels for count in counts):
        raise ValueError("run lengths that are no lengths")
    lengths = np.array(counts, np.int64)
    if lengths.sum() != pixels:
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
        if not 0 <= bits < 64 or shift > 60:
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
