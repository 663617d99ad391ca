"""The other files that the frames of an HDF5 dataset come from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import h5py


def linked_files(path: Path, dataset: h5py.Dataset) -> tuple[Path, ...]:
    """List the files that a dataset takes its frames from, beside the file that was opened.

    External links, sources of virtual datasets, sources of these, and raw storage are followed.
    Files that are missing are left out.

    Args:
        path: File that was opened.
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
    """Files of a source; `%b` in its name stands for the number of a block."""
    if name == ".":
        return [Path(home)]
    if "%b" in name:
        return sorted(folder.glob(name.replace("%b", "[0-9]*")))
    return [folder / name] if (folder / name).is_file() else []
