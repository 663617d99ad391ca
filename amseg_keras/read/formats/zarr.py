"""Zarr and OME-Zarr: one array of a store, read frame by frame."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from amseg_keras.read.errors import ReadError, reading
from amseg_keras.read.formats.base import FrameReader, StackInfo, in_micrometres, in_seconds
from amseg_keras.read.formats.tiff_metadata import square
from amseg_keras.read.pixels import COLOUR_NOTE, asked_layout, find_layout, layout_note, plain_dtype

_LISTED = 8
_RATE_NOTE = (
    "the time between frames in the store was not taken, as channels and slices count as frames too"
)
_NOT_THERE = np.uint64((1 << 64) - 1)
# Codecs that turn bytes into numbers and nothing else; numcodecs has one that unpickles.
_CODECS = frozenset(
    {"bytes", "transpose", "gzip", "zstd", "blosc", "crc32c", "sharding_indexed", "zlib", "lz4"}
    | {"bz2", "lzma", "delta", "shuffle", "fixedscaleoffset", "packbits", "adler32", "bitround"}
)


class ZarrReader(FrameReader):
    """An array of a Zarr store, of version 2 or 3.

    Args:
        dataset: Path of the array in it; None takes the full resolution of an OME-Zarr image, or
            the only image stack there is.
        axes: Meaning of its axes, if the user said it.
    """

    kind = "Zarr"

    def __init__(self, path: Path, dataset: str | None, axes: str | None) -> None:
        self.label = str(path) if dataset is None else f"{path}::{dataset}"
        zarr = _zarr(self.label)
        with reading(self.label, self.kind):
            arrays = list(_find_arrays(path))
            place, known, notes = _choose(path, arrays, dataset)
            self.label = str(path) if place == path else f"{path}::{place.relative_to(path)}"
            _check_codecs(place, self.label)
            self._array = zarr.open_array(str(place), mode="r")
            shape, dtype = tuple(self._array.shape), np.dtype(self._array.dtype)
            if axes is not None:
                layout = asked_layout(shape, axes, self.label)
            else:
                found = find_layout(shape, dtype, known)
                if found is None:
                    raise ReadError(
                        f"{self.label}: has shape {' x '.join(map(str, shape))}; say what its axes "
                        "are: --axes"
                    )
                layout = found
        self._layout = layout
        # Sizes belong to the axes that the store names.
        spacing = read_spacing(place) if layout.axes == known else Spacing()
        rate = spacing.frame_rate_hz
        counts = any(
            size > 1 for size, axis in zip(shape, layout.axes, strict=True) if axis not in "TYXS"
        )
        said = (
            layout_note(layout, axes, known),
            COLOUR_NOTE if layout.has_colour else None,
            _RATE_NOTE if rate is not None and counts else None,
        )
        self.info = StackInfo(
            frames=layout.frames,
            height=layout.height,
            width=layout.width,
            dtype=plain_dtype(dtype, self.label),
            pixel_size_um=spacing.pixel_size_um,
            frame_rate_hz=None if counts else rate,
            notes=(*notes, *(note for note in said if note)),
        )
        self._place = place

    def read(self, index: int) -> np.ndarray:
        region = self._layout.region(index)
        if not self._is_stored(region):
            raise ReadError(
                f"{self.where(index)} has no chunk in the store: it was never written, or all "
                f"its pixels are the fill value ({self._array.fill_value}), which zarr does not "
                "store; leave it out, copy all of the store, or write it again with "
                "write_empty_chunks"
            )
        return self._layout.frame(self._array, index)

    def _is_stored(self, region: tuple[int | slice, ...]) -> bool:
        """Tell whether a chunk of the frame is stored; chunks of the fill value are left out."""
        chunks = getattr(self._array, "shards", None) or self._array.chunks
        metadata = self._array.metadata
        codec = _sharding(metadata)
        grid = [
            range(-(-size // chunk)) if isinstance(at, slice) else (at // chunk,)
            for at, size, chunk in zip(region, self._array.shape, chunks, strict=True)
        ]
        for corner in np.ndindex(*map(len, grid)):
            place = tuple(axis[at] for axis, at in zip(grid, corner, strict=True))
            file = self._place / metadata.encode_chunk_key(place)
            if file.is_file() and (codec is None or self._is_in_shard(file, codec, region)):
                return True
        return False

    def _is_in_shard(self, file: Path, codec: Any, region: tuple[int | slice, ...]) -> bool:
        """Tell whether a chunk of the frame is in a shard, which zarr pads with the fill value."""
        chunks, shards = codec.chunk_shape, self._array.shards
        inner = [
            list(range(shard // chunk)) if isinstance(at, slice) else [at % shard // chunk]
            for at, shard, chunk in zip(region, shards, chunks, strict=True)
        ]
        counts = [shard // chunk for shard, chunk in zip(shards, chunks, strict=True)]
        length = 16 * math.prod(counts)
        checksum = 4 * (len(codec.index_codecs) - 1)
        with file.open("rb") as stream:
            if str(codec.index_location.value) == "end":
                stream.seek(max(file.stat().st_size - length - checksum, 0))
            stored = stream.read(length)
        if len(stored) < length:
            raise ReadError(f"{self.label}: {file.name} is cut short; copy or export it again")
        index = np.frombuffer(stored, "<u8").reshape(*counts, 2)
        return bool((index[np.ix_(*inner)][..., 0] != _NOT_THERE).any())


def _sharding(metadata: Any) -> Any:
    """Return the codec of an array whose chunks are stored in shards with a readable index."""
    codecs: tuple[Any, ...] = getattr(metadata, "codecs", ())
    if len(codecs) != 1 or not hasattr(codecs[0], "index_codecs"):
        return None
    kinds = [codec.to_dict() for codec in codecs[0].index_codecs]
    plain = [kind["name"] for kind in kinds] in (["bytes"], ["bytes", "crc32c"])
    little = kinds[0].get("configuration", {}).get("endian") == "little"
    return codecs[0] if plain and little else None


def open_dataset(path: Path, dataset: str | None, axes: str | None = None) -> ZarrReader:
    """Open an array of a Zarr store; None finds it."""
    return ZarrReader(path, dataset, axes)


def _zarr(label: str) -> Any:
    try:
        import zarr
    except ModuleNotFoundError as error:
        raise ReadError(
            f'{label}: Zarr needs a package more; install it with: pip install "amseg-keras[zarr]"'
        ) from error
    return zarr


def _find_arrays(path: Path) -> Iterator[Path]:
    if (path / ".zarray").is_file() or document(path / "zarr.json").get("node_type") == "array":
        yield path
        return
    for metadata in sorted([*path.rglob(".zarray"), *path.rglob("zarr.json")]):
        inside = metadata.parent
        if metadata.name == ".zarray" or document(metadata).get("node_type") == "array":
            yield inside


def _choose(
    path: Path, arrays: list[Path], dataset: str | None
) -> tuple[Path, str | None, tuple[str, ...]]:
    """Choose an array: its folder, the letters of its axes if the store has them, and notes."""
    listed = ", ".join(f"{path}::{one.relative_to(path)}" for one in arrays[:_LISTED])
    if dataset:
        place = path / dataset.strip("/")
        if place not in arrays:
            raise ReadError(f"{path}::{dataset}: is no array of this store; there are {listed}")
        _, axes = _image(place.parent)
        return place, axes or _dimension_names(place), ()
    if path in arrays:
        return path, _dimension_names(path), ()
    name, axes = _image(path)
    if name is not None and path / name in arrays:
        return path / name, axes, (f"array {name} taken, the full resolution of the image",)
    if len(arrays) == 1:
        inside = arrays[0].relative_to(path)
        return arrays[0], _dimension_names(arrays[0]), (f"array {inside} taken, the only one",)
    raise ReadError(
        f"{path}: holds {len(arrays)} arrays and does not say which is the image; name one: "
        f"{listed}"
    )


def _image(folder: Path) -> tuple[str | None, str | None]:
    """Return path and axes of the full resolution, from the metadata of an OME-Zarr image."""
    image = multiscale(folder)
    if not image.get("datasets"):
        return None, None
    axes = image.get("axes", [])
    letters = "".join((axis["name"] if isinstance(axis, dict) else axis)[:1] for axis in axes)
    return str(image["datasets"][0]["path"]), letters.upper() or None


def _dimension_names(place: Path) -> str | None:
    names = document(place / "zarr.json").get("dimension_names") or []
    letters = "".join(str(name)[:1] for name in names).upper().replace("F", "T")
    return letters if {"X", "Y"} <= set(letters) and len(set(letters)) == len(letters) else None


def _check_codecs(place: Path, label: str) -> None:
    """Raise if an array names a codec that is not known to give numbers alone."""
    said = document(place / "zarr.json") or document(place / ".zarray")
    named = [said.get("compressor"), *(said.get("filters") or [])]
    pending = [*named, *(said.get("codecs") or [])]
    while pending:
        codec = pending.pop()
        if codec is None:
            continue
        name = str(codec.get("name", codec.get("id"))).removeprefix("numcodecs.")
        if name not in _CODECS:
            raise ReadError(f"{label}: is stored with {name}, which is not read; save it with zstd")
        inner = codec.get("configuration", {})
        pending += [*inner.get("codecs", []), *inner.get("index_codecs", [])]


_LARGEST_TEXT = 4 << 20


@dataclass(frozen=True)
class Spacing:
    """Distances between two pixels and between two frames.

    Attributes:
        pixel_size_um: Edge of a square pixel in micrometres; None if not said.
        frame_rate_hz: Frames per second; None if not said.
    """

    pixel_size_um: float | None = None
    frame_rate_hz: float | None = None


def read_spacing(place: Path) -> Spacing:
    """Read the scale of an array from the metadata of its image.

    A length or time counts only where its axis names a unit; without one, a scale is a mere number.
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
    """Return the scale of each axis, as an image or an array of the image states it."""
    return [
        [float(one) for one in step["scale"]]
        for step in described.get("coordinateTransformations") or []
        if isinstance(step, dict) and step.get("type") == "scale" and "scale" in step
    ]
