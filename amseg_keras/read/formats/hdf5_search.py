"""Find the dataset of an HDF5 file, and other files that hold its frames."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from amseg_keras.read.errors import ReadError
from amseg_keras.read.pixels import find_layout

_SMALLEST_PICTURE = 16
_LISTED = 8


def find_dataset(
    file: h5py.File, label: str, dataset: str | None, axes: str | None = None
) -> tuple[str, tuple[str, ...]]:
    """Find the path of the dataset to read, and write notes on how it was found.

    Args:
        dataset: The path the user named; None follows the NeXus attributes, and without them
            takes the only image stack there is.
        axes: Meaning of the axes of the dataset, if the user said it: as many must it have.

    Raises:
        ReadError: There is no such dataset, or not exactly one to choose.
    """
    if dataset is not None:
        found = file.get(dataset)
        if isinstance(found, h5py.Dataset):
            return "/" + dataset.strip("/"), ()
        what = "is no dataset of this file" if found is None else "is a group, not a dataset"
        there = [(name, item) for name, item in _walk(file) if item is not None]
        raise ReadError(f"{label}::{dataset}: {what}; there are {_listing(label, there)}")
    name = _nexus_signal(file, axes)
    items = [] if name is not None else list(_walk(file))
    if name is None:
        signals = [one for one, item in items if item is not None and _is_old_signal(item, axes)]
        name = signals[0] if len(signals) == 1 else None
    if name is not None:
        return name, (f"dataset {name} taken, as the NeXus attributes of the file say",)
    candidates = [
        (name, item) for name, item in items if item is not None and _is_stack(item, axes)
    ]
    broken = [name for name, item in items if item is None]
    missing = f"; links to missing files: {', '.join(broken[:_LISTED])}" if broken else ""
    if len(candidates) == 1:
        which = "image stack" if axes is None else f"dataset of {len(axes)} axes"
        note = f"dataset {candidates[0][0]} taken, the only {which} of the file{missing}"
        return candidates[0][0], (note,)
    if candidates:
        raise ReadError(
            f"{label}: holds {len(candidates)} image stacks, name one of them: "
            f"{_listing(label, candidates)}"
        )
    there = [(name, item) for name, item in items if item is not None]
    wanted = "numbers in 2-D or 3-D" if axes is None else f"numbers in {len(axes)}-D for --axes"
    advice = ""
    if axes is None and any(len(item.shape or ()) > 3 for _, item in there):
        advice = f"; if one is, name it and its axes: {label}::DATASET --axes TYXS"
    raise ReadError(
        f"{label}: holds no image stack ({wanted}){missing}; there are "
        f"{_listing(label, there)}{advice}"
    )


def known_axes(dataset: h5py.Dataset) -> str | None:
    """Return letters of the axes of a dataset, from its labels or the HDF5 image attributes.

    Example:
        >>> with h5py.File("a.h5", "w", driver="core", backing_store=False) as file:
        ...     file["data"] = np.zeros((4, 5, 6))
        ...     for axis, label in zip(file["data"].dims, "yxt"):
        ...         axis.label = label
        ...     known_axes(file["data"])
        'YXT'
    """
    labels = [dimension.label for dimension in dataset.dims]
    letters = "".join(label[:1].upper() for label in labels)
    if len(letters) == len(labels) and len(set(letters)) == len(letters) and letters.isalpha():
        # f(rame), t(ime), n and z count frames; r(ow) and h(eight), c(olumn) and w(idth) do not.
        letters = letters.translate(str.maketrans("RHWF", "YYXT"))
        if {"X", "Y"} <= set(letters) and len(set(letters)) == len(letters):
            return letters
    if _text(dataset.attrs.get("IMAGE_SUBCLASS", "")) == "IMAGE_TRUECOLOR" and dataset.ndim == 3:
        planes = {"INTERLACE_PLANE": "SYX", "INTERLACE_LINE": "YSX", "INTERLACE_PIXEL": "YXS"}
        return planes.get(_text(dataset.attrs.get("INTERLACE_MODE", "INTERLACE_PIXEL")))
    return None


def describe(dataset: h5py.Dataset) -> str:
    """Write shape and dtype for a message, such as ``25 x 400 x 1024 uint16``."""
    shape = " x ".join(map(str, dataset.shape or ())) or "of a single value"
    return f"{shape} {dataset.dtype}"


def _is_stack(dataset: h5py.Dataset, axes: str | None) -> bool:
    if axes is not None and dataset.dtype.kind in "buif":
        shape = dataset.shape or ()
        return len(shape) == len(axes) and (len(axes) > 2 or min(shape) >= _SMALLEST_PICTURE)
    layout = find_layout(dataset.shape or (), dataset.dtype, known_axes(dataset))
    if layout is None or dataset.dtype.kind not in "buif":
        return False
    return len(layout.axes) > 2 or min(dataset.shape) >= _SMALLEST_PICTURE


def _nexus_signal(file: h5py.File, axes: str | None) -> str | None:
    """Follow `default` from group to group, then `signal`; None if they lead to no stack."""
    group: h5py.Group = file
    for _ in range(8):
        default = _text(group.attrs.get("default", ""))
        following = group.get(default) if default else None
        if not isinstance(following, h5py.Group):
            break
        group = following
    signal = _text(group.attrs.get("signal", ""))
    found = group.get(signal) if signal else None
    if isinstance(found, h5py.Dataset) and _is_stack(found, axes):
        return f"{group.name.rstrip('/')}/{signal}"
    return None


def _is_old_signal(dataset: h5py.Dataset, axes: str | None) -> bool:
    """Tell whether a dataset has the mark of NeXus files before 2014, ``signal = 1``."""
    return _text(dataset.attrs.get("signal", "")) == "1" and _is_stack(dataset, axes)


def _text(attribute: object) -> str:
    """Return an attribute as text. It may be stored as text, bytes, or an array of one of them."""
    if isinstance(attribute, np.ndarray | h5py.Empty):
        values = [] if isinstance(attribute, h5py.Empty) else attribute.ravel().tolist()
        attribute = values[0] if len(values) == 1 else ""
    return attribute.decode("utf-8", "replace") if isinstance(attribute, bytes) else str(attribute)


def _walk(group: h5py.Group) -> Iterator[tuple[str, h5py.Dataset | None]]:
    """Yield each dataset below a group once, under its first path; None for a broken link.

    `visititems` would do but for soft and external links, which it leaves out; detectors that
    write a master file with one external link for each data file need them.
    """
    seen: set[tuple[int, int]] = set()
    pending = [("", group)]
    while pending:
        prefix, parent = pending.pop(0)
        for key in parent:
            name = f"{prefix}/{key}"
            try:
                item = parent[key]
                address = h5py.h5o.get_info(item.id)
            except (KeyError, OSError):
                yield name, None
                continue
            if (address.fileno, address.addr) in seen:
                continue
            seen.add((address.fileno, address.addr))
            if isinstance(item, h5py.Group):
                pending.append((name, item))
            elif isinstance(item, h5py.Dataset):
                yield name, item


def _listing(label: str, datasets: list[tuple[str, h5py.Dataset]]) -> str:
    if not datasets:
        return "no datasets in it"
    listed = [f"{label}::{name} ({describe(item)})" for name, item in datasets[:_LISTED]]
    more = len(datasets) - len(listed)
    return ", ".join(listed) + (f" and {more} more" if more else "")


def linked_files(path: Path, dataset: h5py.Dataset) -> tuple[Path, ...]:
    """List the files that a dataset takes its frames from, beside the file that was opened.

    External links, sources of virtual datasets, sources of these, and raw storage are followed.
    Files that are missing are left out.

    Args:
        dataset: Dataset of that file, or of a file that it links to.
    """
    opened = os.path.realpath(path)
    found = dict.fromkeys(_files_of(dataset, set()))
    found.pop(opened, None)
    return tuple(Path(file) for file in found)


def _files_of(dataset: h5py.Dataset, seen: set[tuple[str, str]]) -> Iterator[str]:
    home = os.path.realpath(dataset.file.filename)
    if (home, dataset.name) in seen:
        return
    seen.add((home, dataset.name))
    yield home
    # HDF5 looks for relative names beside the file itself, not beside a link to it.
    folder = Path(home).parent
    for name, _, _ in dataset.external or ():
        raw = folder / os.fsdecode(name)
        if raw.is_file():
            yield os.path.realpath(raw)
    if not dataset.is_virtual:
        return
    sources = dict.fromkeys((one.file_name, one.dset_name) for one in dataset.virtual_sources())
    for name, inside in sources:
        for file in _named(folder, name, home):
            yield os.path.realpath(file)
            try:
                with h5py.File(file, "r", locking=False) as other:
                    inner = other.get(inside)
                    if isinstance(inner, h5py.Dataset):
                        yield from _files_of(inner, seen)
            except OSError:  # reading the frames says it
                continue


def _named(folder: Path, name: str, home: str) -> list[Path]:
    """Return the files of a source; `%b` in its name stands for the number of a block."""
    if name == ".":
        return [Path(home)]
    if "%b" in name:
        return sorted(folder.glob(name.replace("%b", "[0-9]*")))
    return [folder / name] if (folder / name).is_file() else []
