"""The class names that label files of this package carry."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import tifffile

from amseg_keras.read import ReadError
from amseg_keras.read.formats import is_store
from amseg_keras.read.formats.zarr import document


def stored_class_names(path: Path) -> tuple[str, ...] | None:
    """Read the class names in a label file: TIFF, OME-TIFF, Zarr or OME-Zarr.

    Args:
        path: File, or folder of a Zarr store.

    Returns:
        Name of each class id; None if the file does not say them.

    Example:
        >>> import numpy as np, tempfile
        >>> from amseg_keras.report.label_files import write_tiff
        >>> labels = np.zeros((1, 4, 6), np.uint8)
        >>> folder = Path(tempfile.mkdtemp())
        >>> stored_class_names(folder / write_tiff(folder, labels, labels.shape, ["gas", "melt"]))
        ('gas', 'melt')
    """
    try:
        if is_store(path):
            return _of_store(path)
        if path.suffix.lower() in (".tif", ".tiff"):
            with tifffile.TiffFile(path) as tiff:
                return _checked(_of_tiff(tiff))
    except (OSError, ValueError, KeyError, TypeError, ReadError, ElementTree.ParseError):
        return None  # Whoever reads the labels says what is wrong with the file.
    return None


def label_dataset(path: Path) -> str | None:
    """Find the first labels of an OME-Zarr image; None if a store has none.

    Args:
        path: Folder of the store.
    """
    names = _attributes(path / "labels").get("labels")
    if not isinstance(names, list) or not names:
        return None
    image = _attributes(path / "labels" / str(names[0])).get("multiscales", [{}])[0]
    return f"labels/{names[0]}/{image['datasets'][0]['path']}"


def _of_store(path: Path) -> tuple[str, ...] | None:
    own = _attributes(path)
    if "class_names" in own:
        return _checked(own)
    dataset = label_dataset(path)
    place = path if dataset is None else (path / dataset).parent
    properties = _attributes(place)["image-label"]["properties"]
    by_id = {int(one["label-value"]): str(one["class"]) for one in properties}
    return _checked({"class_names": [by_id[number] for number in range(len(by_id))]})


def _of_tiff(tiff: tifffile.TiffFile) -> Mapping[str, Any]:
    if tiff.is_ome and tiff.ome_metadata:
        for element in ElementTree.fromstring(tiff.ome_metadata).iter():
            if element.tag.endswith("}Description"):
                return dict(json.loads(element.text or "{}"))
    return dict(json.loads(str((tiff.imagej_metadata or {}).get("Info", "{}"))))


def _checked(known: Mapping[str, Any]) -> tuple[str, ...] | None:
    names = known.get("class_names")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    return tuple(names)


def _attributes(folder: Path) -> dict[str, Any]:
    """The metadata of a group or array; that of OME-Zarr 0.5 as in 0.4."""
    found = document(folder / "zarr.json").get("attributes") or document(folder / ".zattrs")
    return dict(found.get("ome", found))
