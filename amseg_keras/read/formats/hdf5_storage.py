"""Check that the pixels of an HDF5 dataset are stored, there or in files it refers to.

HDF5 gives fill values, mostly zeros, for what no file holds: chunks that were never written,
regions of a virtual dataset without a source, sources that are missing.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from amseg_keras.read.errors import ReadError

Box = tuple[tuple[int, int], ...]
"""First index and end of each axis."""

_DEEPEST = 8
_FILES_OPEN = 32
_NO_LIMIT = (1 << 63) - 1


class Hole(Exception):  # noqa: N818 - no error of a user's, but what a frame lacks
    """A region that no file holds; the text says why."""


@dataclass(frozen=True)
class _Mapping:
    """A part of a virtual dataset and where it comes from, as indices along each axis."""

    target: tuple[np.ndarray, ...]
    file: str
    dataset: str
    source: tuple[np.ndarray, ...] | None  # None: all of the source
    growing: tuple[tuple[int, ...], ...] | None = None  # slab of a source without a limit


class Storage:
    """Finds what is not stored of the datasets of a file and of the files behind them."""

    def __init__(self) -> None:
        self._files: dict[Path, h5py.File] = {}
        self._mappings: dict[tuple[str, str], list[_Mapping]] = {}

    def close(self) -> None:
        """Close the files that were opened beside the dataset's own."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def check(self, dataset: h5py.Dataset, box: Box, depth: int = 0) -> None:
        """Raise `Hole` if a region of a dataset is not stored anywhere."""
        if depth > _DEEPEST:
            raise Hole("it refers to sources of sources without an end")
        if any(end > size for (_, end), size in zip(box, dataset.shape, strict=True)):
            raise Hole(f"{_name(dataset)} is smaller than the part that is taken from it")
        if dataset.is_virtual:
            self._check_virtual(dataset, box, depth)
        elif dataset.external is not None:
            check_external(dataset)
        elif dataset.chunks is None:
            if dataset.id.get_storage_size() == 0:
                raise Hole(f"{_name(dataset)} was never written")
        elif not is_complete(dataset) and not _has_chunks(dataset, box):
            raise Hole(
                "it was never written, the recording stopped early"
                if depth == 0
                else f"this part of {_name(dataset)} was never written"
            )

    def mapped_files(self, dataset: h5py.Dataset) -> list[tuple[str, bool]]:
        """Return the files that a virtual dataset names, and whether each exists."""
        names = dict.fromkeys(mapping.file for mapping in self._mapped(dataset))
        return [(name, _find_file(dataset, name) is not None) for name in names]

    def mapped_pixels(self, dataset: h5py.Dataset) -> int:
        """Return the largest number of values of a virtual dataset that can have a source."""
        return sum(
            math.prod(len(indices) for indices in mapping.target)
            for mapping in self._mapped(dataset)
        )

    def _check_virtual(self, dataset: h5py.Dataset, box: Box, depth: int) -> None:
        covered = np.zeros([end - start for start, end in box], bool)
        for mapping in self._mapped(dataset):
            places = [
                _between(indices, *limits)
                for indices, limits in zip(mapping.target, box, strict=True)
            ]
            if any(first == end for first, end in places):
                continue
            self._check_source(dataset, mapping, places, depth)
            inside = [
                indices[first:end] - start
                for indices, (first, end), (start, _) in zip(
                    mapping.target, places, box, strict=True
                )
            ]
            covered[np.ix_(*inside)] = True
        if not covered.all():
            share = 1 - np.count_nonzero(covered) / covered.size
            raise Hole(f"no source file gives {'it' if share == 1 else f'{share:.1%} of it'}")

    def _check_source(
        self,
        dataset: h5py.Dataset,
        mapping: _Mapping,
        places: Sequence[tuple[int, int]],
        depth: int,
    ) -> None:
        source = self._open(dataset, mapping)
        _check_dtype(dataset, source)
        selected = mapping.source or tuple(np.arange(size) for size in source.shape)
        if mapping.growing is not None:
            start, stride, count, block = mapping.growing
            selected = _axis_indices(start, stride, count, block, source.shape)
        if any(len(indices) == 0 for indices in selected):
            raise Hole(f"{_name(source)} is empty")
        shape = [len(indices) for indices in mapping.target]
        corners = ([first for first, _ in places], [end - 1 for _, end in places])
        within = [len(indices) for indices in selected]
        if mapping.growing is not None:
            # A source that grows more slowly than the others has no frame here yet.
            end = int(np.ravel_multi_index(corners[1], shape))
            if end >= math.prod(within):
                raise Hole(f"{_name(source)} does not reach so far")
        # The points of both selections belong together in the order in which they are stored.
        first, last = (
            np.array(
                np.unravel_index(
                    min(int(np.ravel_multi_index(corner, shape)), math.prod(within) - 1), within
                )
            )
            for corner in corners
        )
        box: list[tuple[int, int]] = []
        fixed = True
        for indices, start, end in zip(selected, first.tolist(), last.tolist(), strict=True):
            low, high = (start, end) if fixed else (0, len(indices) - 1)
            fixed = fixed and start == end
            box.append((int(indices[low]), int(indices[high]) + 1))
        self.check(source, tuple(box), depth + 1)

    def _open(self, dataset: h5py.Dataset, mapping: _Mapping) -> h5py.Dataset:
        if mapping.file == ".":
            file = dataset.file
        else:
            path = _find_file(dataset, mapping.file)
            if path is None:
                raise Hole(f"its source {mapping.file} is missing; put it beside this file")
            if path not in self._files:
                if len(self._files) >= _FILES_OPEN:
                    self.close()
                try:
                    self._files[path] = h5py.File(path, "r", locking="best-effort")
                except OSError as error:
                    raise Hole(f"its source {mapping.file} cannot be opened ({error})") from error
            file = self._files[path]
        found = file.get(mapping.dataset)
        if not isinstance(found, h5py.Dataset):
            raise Hole(f"its source {mapping.file} has no dataset {mapping.dataset}")
        return found

    def _mapped(self, dataset: h5py.Dataset) -> list[_Mapping]:
        key = dataset.file.filename, dataset.name
        if key not in self._mappings:
            self._mappings[key] = list(_read_mappings(dataset))
        return self._mappings[key]


def is_complete(dataset: h5py.Dataset) -> bool:
    """Tell whether all chunks of a dataset are in its file; true for a dataset without chunks."""
    if dataset.chunks is None:
        return True
    expected = math.prod(
        -(-size // chunk) for size, chunk in zip(dataset.shape, dataset.chunks, strict=True)
    )
    return bool(dataset.id.get_num_chunks() == expected)


def check_external(dataset: h5py.Dataset) -> None:
    """Raise unless the raw files of a dataset lie in the folder of its HDF5 file.

    Raises:
        ReadError: One lies elsewhere, so that the file could show any file of this machine as
            pixels.
        Hole: One is missing or too short.
    """
    folder = Path(dataset.file.filename).resolve().parent
    for name, offset, size in dataset.external or ():
        path = Path(name).resolve()
        if not path.is_relative_to(folder):
            raise ReadError(
                f"{dataset.file.filename}::{dataset.name}: takes its pixels from {name}, outside "
                "its own folder, which is not read; copy them into the HDF5 file with h5repack"
            )
        if not path.is_file() or (size < 1 << 62 and path.stat().st_size < offset + size):
            raise Hole(f"its raw file {name} is missing or cut short")


def _has_chunks(dataset: h5py.Dataset, box: Box) -> bool:
    corners = [
        range(start // chunk * chunk, end, chunk)
        for (start, end), chunk in zip(box, dataset.chunks, strict=True)
    ]
    return all(
        dataset.id.get_chunk_info_by_coord(corner).byte_offset is not None
        for corner in itertools.product(*corners)
    )


def _find_file(dataset: h5py.Dataset, name: str) -> Path | None:
    """Find the file of a source where HDF5 looks for it; None if there is no file."""
    if name == ".":
        return Path(dataset.file.filename)
    own = Path(dataset.file.filename)
    folders = [own.parent, own.resolve().parent, Path()]
    prefix = os.environ.get("HDF5_VDS_PREFIX")
    if prefix:
        folders.insert(0, Path(prefix.replace("${ORIGIN}", str(own.parent))))
    paths = [folder / name for folder in folders]
    return next((path for path in paths if path.is_file()), None)


def _read_mappings(dataset: h5py.Dataset) -> Iterator[_Mapping]:
    for number in range(len(dataset.virtual_sources())):
        given = dataset.virtual_sources()[number]
        blocks = _numbered_blocks(given, dataset.shape)
        if blocks is None and _has_no_limit(given.src_space):
            targets, slab = _selections(given.vspace, dataset.shape), _slab(given.src_space)
            for target in filter(None, targets):
                yield _Mapping(target, given.file_name, given.dset_name, None, slab)
        elif blocks is None:
            for target, source in zip(
                *_pair(
                    _selections(given.vspace, dataset.shape), _selections(given.src_space, None)
                ),
                strict=True,
            ):
                yield _Mapping(target, given.file_name, given.dset_name, source)
        else:
            source = _selections(given.src_space, None)[0]
            for block, target in enumerate(blocks):
                names = [_fill_in(name, block) for name in (given.file_name, given.dset_name)]
                yield _Mapping(target, names[0], names[1], source)


def _pair(
    targets: list[tuple[np.ndarray, ...] | None], sources: list[tuple[np.ndarray, ...] | None]
) -> tuple[list[tuple[np.ndarray, ...]], list[tuple[np.ndarray, ...] | None]]:
    """Several blocks of a target belong to blocks of the source where they are as many."""
    found = [target for target in targets if target is not None]
    if len(sources) == len(found):
        return found, sources
    return found, [None] * len(found)


def _fill_in(name: str, block: int) -> str:
    return name.replace("%%", "\0").replace("%b", str(block)).replace("\0", "%")


def _numbered_blocks(
    mapping: h5py._hl.vds.VDSmap, shape: Sequence[int]
) -> list[tuple[np.ndarray, ...]] | None:
    """Return the blocks of a mapping whose names hold their number (``%b``); None for others."""
    if "%b" not in mapping.file_name + mapping.dset_name:
        return None
    start, stride, count, block = _slab(mapping.vspace)
    axis = next((at for at, times in enumerate(count) if times > shape[at]), None)
    if axis is None:
        axis = int(np.argmax(count))
    whole = list(_axis_indices(start, stride, count, block, shape))
    blocks = []
    for first in range(start[axis], shape[axis], max(stride[axis], 1)):
        last = min(first + block[axis], shape[axis])
        part = np.arange(first, last)
        blocks.append((*whole[:axis], part, *whole[axis + 1 :]))
    return blocks


def _selections(
    space: h5py.h5s.SpaceID, shape: Sequence[int] | None
) -> list[tuple[np.ndarray, ...] | None]:
    """Return what a dataspace selects, as indices along each axis; several if it is irregular."""
    kind = space.get_select_type()
    if kind == h5py.h5s.SEL_ALL:
        # The size that a source was said to have may not be the size that it has.
        extent = shape or space.get_simple_extent_dims()
        return [tuple(np.arange(size) for size in extent)]
    if kind != h5py.h5s.SEL_HYPERSLABS:
        return [None]
    extent = shape or space.get_simple_extent_dims()
    if space.is_regular_hyperslab():
        start, stride, count, block = _slab(space)
        return [_axis_indices(start, stride, count, block, extent)]
    blocks = space.get_select_hyper_blocklist()
    return [
        tuple(np.arange(first, last + 1) for first, last in zip(*block, strict=True))
        for block in blocks
    ]


def _slab(space: h5py.h5s.SpaceID) -> tuple[tuple[int, ...], ...]:
    if space.get_select_type() != h5py.h5s.SEL_HYPERSLABS or not space.is_regular_hyperslab():
        extent = tuple(space.get_simple_extent_dims())
        ones = (1,) * len(extent)
        return (0,) * len(extent), ones, ones, extent
    start, stride, count, block = space.get_regular_hyperslab()
    return tuple(start), tuple(stride), tuple(count), tuple(block)


def _has_no_limit(space: h5py.h5s.SpaceID) -> bool:
    """Tell whether a selection grows with its dataset, which HDF5 stores without an extent."""
    if space.get_select_type() != h5py.h5s.SEL_HYPERSLABS or not space.is_regular_hyperslab():
        return False
    _, _, count, block = space.get_regular_hyperslab()
    return any(size >= _NO_LIMIT for size in (*count, *block))


def _check_dtype(dataset: h5py.Dataset, source: h5py.Dataset) -> None:
    """Raise if values of a source do not fit, which HDF5 cuts off without a word."""
    if dataset.dtype.kind in "iu" and not np.can_cast(source.dtype, dataset.dtype):
        raise ReadError(
            f"{dataset.file.filename}::{dataset.name}: holds {dataset.dtype} and takes its pixels "
            f"from {_name(source)}, which holds {source.dtype}: larger values would be cut off; "
            f"make it again as {source.dtype}, or give the source itself"
        )


def _axis_indices(
    start: Sequence[int],
    stride: Sequence[int],
    count: Sequence[int],
    block: Sequence[int],
    shape: Sequence[int],
) -> tuple[np.ndarray, ...]:
    indices = []
    for at, size in enumerate(shape):
        # Counts and blocks without a limit end with the dataset.
        step = max(int(stride[at]), 1)
        most = max(-(-(size - int(start[at])) // step), 0)
        times = np.arange(min(int(count[at]), most)) * step + int(start[at])
        width = np.arange(min(int(block[at]), size))
        every = (times[:, None] + width[None, :]).ravel()
        indices.append(every[every < size])
    return tuple(indices)


def _between(indices: np.ndarray, start: int, end: int) -> tuple[int, int]:
    return int(np.searchsorted(indices, start)), int(np.searchsorted(indices, end))


def _name(dataset: h5py.Dataset) -> str:
    return f"{Path(dataset.file.filename).name}::{dataset.name}"
