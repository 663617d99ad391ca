"""Which reader is for which masks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from amseg_keras.datasets.masks.base import Masks
from amseg_keras.datasets.masks.coco import CocoMasks
from amseg_keras.datasets.masks.labelme import LabelMeMasks
from amseg_keras.datasets.masks.outlines import read_json
from amseg_keras.datasets.masks.pictures import TOLERANCE, Colour, ColourMasks, LabelImages
from amseg_keras.datasets.masks.rois import ROI_TYPES, RoiMasks
from amseg_keras.datasets.open import LABEL_TYPES
from amseg_keras.read import ReadError
from amseg_keras.read.errors import reading
from amseg_keras.read.formats import is_store
from amseg_keras.read.formats.image import open_picture
from amseg_keras.read.group import natural_order
from amseg_keras.read.pixels import is_colour

KINDS = ("auto", "label-image", "labelme", "coco", "colours", "imagej-rois")
_PICTURES = (*LABEL_TYPES, ".jpg", ".jpeg")


def open_masks(
    path: str | os.PathLike[str],
    kind: str = "auto",
    class_names: Sequence[str] | None = None,
    palette: Mapping[str, Colour] | None = None,
    tolerance: float = TOLERANCE,
    axes: str | None = None,
) -> Masks:
    """Open the masks that a file or a folder holds.

    Args:
        path: A TIFF stack or picture, a Zarr store, a .zip or .roi file of ImageJ, a JSON file of
            COCO or LabelMe, or a folder of pictures or of LabelMe files.
        kind: One of `KINDS`; ``"auto"`` looks into the files.
        class_names: Name of each id, for label images.
        palette: Colour of each class, for colour-coded pictures.
        tolerance: For these: how far a pixel may be from the colour of its class.
        axes: Meaning of the axes of TIFF label images, as in `ReadOptions`.

    Raises:
        ReadError: There are no such masks; the message says what to give.

    Example:
        >>> open_masks("nowhere")
        Traceback (most recent call last):
        amseg_keras.read.errors.ReadError: nowhere: no such file or folder; check the path
    """
    place = Path(path)
    documents, pictures = _files(place)
    if kind == "imagej-rois" or (kind == "auto" and place.suffix.lower() in ROI_TYPES):
        return RoiMasks(place)
    if kind == "auto":
        kind = _find_kind(place, documents, pictures, palette)
    wanted = documents if kind in ("coco", "labelme") else pictures
    if not wanted:
        types = ".json" if kind in ("coco", "labelme") else ", ".join(_PICTURES)
        raise ReadError(f"{place}: holds no masks of kind {kind} ({types}); check --masks, --kind")
    if kind == "coco":
        if len(wanted) > 1:
            raise ReadError(f"{place}: holds {len(wanted)} JSON files; give the one of COCO")
        return CocoMasks(wanted[0])
    if kind == "labelme":
        return LabelMeMasks(wanted)
    if kind == "colours":
        if palette is None:
            raise ReadError(f'{place}: say what its colours mean: --colours "pore=#ff0000,..."')
        return ColourMasks(wanted, palette, tolerance)
    return LabelImages(wanted, class_names, axes)


def _files(place: Path) -> tuple[list[Path], list[Path]]:
    """The JSON files and the pictures of a path."""
    with reading(str(place), "masks"):
        # Raises for a path that is missing or forbidden.
        os.stat(place)
        if is_store(place):
            return [], [place]
        paths = list(place.iterdir()) if os.path.isdir(place) else [place]
    paths = sorted((path for path in paths if not path.name.startswith(".")), key=natural_order)
    documents = [path for path in paths if path.suffix.lower() == ".json"]
    return documents, [path for path in paths if path.suffix.lower() in _PICTURES]


def _find_kind(
    place: Path,
    documents: Sequence[Path],
    pictures: Sequence[Path],
    palette: Mapping[str, Colour] | None,
) -> str:
    if palette is not None:
        return "colours"
    # LabelMe keeps its files beside the frames, so JSON goes before pictures.
    if documents:
        with reading(str(documents[0]), "JSON"):
            keys = dict(read_json(documents[0], "JSON")[0])
        if "annotations" in keys and "images" in keys:
            return "coco"
        if "shapes" in keys or "imagePath" in keys:
            return "labelme"
        if not pictures:
            raise ReadError(
                f"{documents[0]}: is of neither LabelMe nor COCO; give --kind, or another file"
            )
    if pictures and pictures[0].suffix.lower() not in (".tif", ".tiff") and pictures[0].is_file():
        with reading(str(pictures[0]), "a picture"), open_picture(pictures[0]) as picture:
            # A palette's indices are class ids.
            if picture.mode != "P" and is_colour(np.asarray(picture)):
                return "colours"
    return "label-image"
