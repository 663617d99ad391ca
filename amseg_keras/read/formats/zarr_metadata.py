"""What the metadata of an OME-Zarr image say: its arrays, pixel size and time between frames."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amseg_keras.read.errors import ReadError
from amseg_keras.read.formats.tiff_metadata import square
from amseg_keras.read.formats.units import in_micrometres, in_seconds

_LARGEST_TEXT = 4 << 20


@dataclass(frozen=True)
class Spacing:
    """What lies between two pixels and two frames.

    Attributes:
        pixel_size_um: Edge of a square pixel in micrometres; None if not said.
        frame_rate_hz: Frames per second; None if not said.
    """

    pixel_size_um: float | None = None
    frame_rate_hz: float | None = None


def read_spacing(place: Path) -> Spacing:
    """Read the scale of an array from the metadata of its image.

    A length or time counts only where its axis names a unit; without one, a scale is a mere number.

    Args:
        place: Folder of the array.
    """
    for folder in (place.parent, *place.parent.parents[:2]):
        image = multiscale(folder)
        for dataset in image.get("datasets", []):
            if folder / str(dataset.get("path")) == place:
                return _spacing(image, dataset)
    return Spacing()


def multiscale(folder: Path) -> dict[str, Any]:
    """Read the first image that a folder describes; empty if it describes none."""
    attributes = document(folder / ".zattrs") or document(folder / "zarr.json").get(
        "attributes", {}
    )
    images = attributes.get("ome", attributes).get("multiscales") or [{}]
    return images[0] if isinstance(images[0], dict) else {}


def document(path: Path) -> dict[str, Any]:
    """Read a metadata file; empty if there is none.

    Raises:
        ReadError: It is larger than any metadata, or of another form.
    """
    if not path.is_file():
        return {}
    if path.stat().st_size > _LARGEST_TEXT:
        raise ReadError(f"{path}: is larger than any metadata; copy or export it again")
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ReadError(f"{path}: is no metadata of Zarr; copy or export it again")
    return found


def _spacing(image: dict[str, Any], dataset: dict[str, Any]) -> Spacing:
    units = {}
    for at, axis in enumerate(image.get("axes", [])):
        if isinstance(axis, dict) and isinstance(axis.get("unit"), str):
            units[str(axis.get("name"))[:1].upper()] = at, axis["unit"]
    scale = [1.0] * len(image.get("axes", []))
    for step in (*_steps(dataset), *_steps(image)):
        if len(step) != len(scale):
            return Spacing()
        scale = [one * two for one, two in zip(scale, step, strict=True)]
    if not (*_steps(dataset), *_steps(image)):
        return Spacing()
    edges = []
    for axis in "YX":
        at, unit = units.get(axis, (0, ""))
        unit_um = in_micrometres(unit)
        edges.append(scale[at] * unit_um if unit_um is not None and scale[at] > 0 else None)
    at, unit = units.get("T", (0, ""))
    unit_s = in_seconds(unit)
    rate = 1 / (scale[at] * unit_s) if unit_s is not None and scale[at] > 0 else None
    if edges[0] is None or edges[1] is None:
        return Spacing(None, rate)
    return Spacing(square(edges[1], edges[0]), rate)


def _steps(described: dict[str, Any]) -> list[list[float]]:
    """The scales that an image or an array of it states, for each axis."""
    return [
        [float(one) for one in step["scale"]]
        for step in described.get("coordinateTransformations") or []
        if isinstance(step, dict) and step.get("type") == "scale" and "scale" in step
    ]
