"""HDF5 and NeXus: one dataset of an open file, read frame by frame."""

import itertools
import math
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401 - registers bitshuffle, LZ4 and the other filters of detectors
import numpy as np

from amseg_keras.read.errors import ReadError, reading
from amseg_keras.read.formats.base import FrameReader, StackInfo
from amseg_keras.read.formats.hdf5_files import linked_files
from amseg_keras.read.formats.hdf5_search import describe, find_dataset, stack_axes
from amseg_keras.read.grey import plain_dtype


class Hdf5Reader(FrameReader):
    """A dataset ``(frames, height, width)`` or ``(height, width)``; a fourth axis may be 1.

    Args:
        path: The file.
        dataset: Path inside it; None finds it.
        swmr: Read beside a writer in single-writer-multiple-readers mode, and without a lock that
            could keep a writer out.
    """

    kind = "HDF5"

    def __init__(self, path: Path, dataset: str | None, *, swmr: bool = False) -> None:
        self.label = str(path) if dataset is None else f"{path}::{dataset}"
        with reading(self.label, self.kind):
            # Detectors' file systems are often read-only, where a lock cannot be taken.
            locking = False if swmr else "best-effort"
            self._file = h5py.File(path, "r", swmr=swmr, locking=locking)
            try:
                name, notes = find_dataset(self._file, str(path), dataset)
                self.label = f"{path}::{name}"
                self.info = self._inspect(self._file[name], notes)
                self.linked_files = linked_files(path, self._file[name])
                self._dataset = _with_chunk_cache(self._file, name, self._axes)
                self._complete = _is_complete(self._dataset)
            except BaseException:
                self._file.close()
                raise

    def read(self, index: int) -> np.ndarray:
        # HDF5 gives fill values for chunks that a recording reserved and never wrote.
        if not self._complete and not self._is_written(index):
            raise ReadError(
                f"{self.where(index)} was never written, the recording stopped early; "
                "leave it and the frames after it out"
            )
        return np.asarray(self._dataset[tuple(self._region(index))])

    def close(self) -> None:
        self._file.close()

    def _inspect(self, dataset: h5py.Dataset, notes: tuple[str, ...]) -> StackInfo:
        axes = stack_axes(dataset.shape)
        if axes is None:
            raise ReadError(
                f"{self.label}: has shape {describe(dataset)}; choose a dataset of shape "
                "(frames, height, width) or (height, width)"
            )
        self._axes = axes
        if dataset.is_virtual:
            self._check_virtual_sources(dataset)
        elif dataset.external is None and dataset.id.get_storage_size() == 0:
            raise ReadError(
                f"{self.label}: was created but never written, all its frames are missing; "
                "use the file of a finished recording"
            )
        sizes = [dataset.shape[axis] for axis in axes]
        return StackInfo(
            frames=sizes[0] if len(sizes) == 3 else 1,
            height=sizes[-2],
            width=sizes[-1],
            dtype=plain_dtype(dataset.dtype, self.label),
            pixel_size_um=_scale(dataset, "pixel_size_um"),
            frame_rate_hz=_scale(dataset, "frame_rate_hz"),
            notes=notes,
        )

    def _check_virtual_sources(self, dataset: h5py.Dataset) -> None:
        # HDF5 gives fill values, mostly zeros, where a source of a virtual dataset is missing.
        folder = Path(dataset.file.filename).parent
        for source in dataset.virtual_sources():
            name = source.file_name
            if name != "." and "%" not in name and not (folder / name).exists():
                raise ReadError(
                    f"{self.label}: takes frames from {name}, which is missing; "
                    "put it beside this file"
                )

    def _region(self, index: int) -> list[int | slice]:
        region: list[int | slice] = [0] * self._dataset.ndim
        for axis in self._axes[-2:]:
            region[axis] = slice(None)
        if len(self._axes) == 3:
            region[self._axes[0]] = index
        return region

    def _is_written(self, index: int) -> bool:
        """Whether all chunks of a frame are in the file; the dataset has chunks."""
        dataset = self._dataset
        corners = [
            range(0, size, chunk) if isinstance(at, slice) else (at // chunk * chunk,)
            for at, size, chunk in zip(
                self._region(index), dataset.shape, dataset.chunks, strict=True
            )
        ]
        return all(
            dataset.id.get_chunk_info_by_coord(corner).byte_offset is not None
            for corner in itertools.product(*corners)
        )


def open_hdf5(path: Path, dataset: str | None) -> Hdf5Reader:
    """Open a dataset of an HDF5 file; None finds it."""
    return Hdf5Reader(path, dataset)


def _scale(dataset: h5py.Dataset, name: str) -> float | None:
    """An attribute as `amseg prepare` writes it; None without it, or where it is no length."""
    value = np.asarray(dataset.attrs.get(name, np.nan))
    if value.size != 1 or value.dtype.kind not in "iuf":
        return None
    number = float(value.reshape(()))
    return number if math.isfinite(number) and number > 0 else None


def _with_chunk_cache(file: h5py.File, name: str, axes: tuple[int, ...]) -> h5py.Dataset:
    """Open a dataset with a cache for the chunks of one frame.

    The default cache is 1 MB; chunks of several frames that do not fit in it would be
    decompressed again for each of their frames.
    """
    dataset = file[name]
    if dataset.chunks is None:
        return dataset
    chunks_of_frame = math.prod(
        -(-dataset.shape[axis] // dataset.chunks[axis]) for axis in axes[-2:]
    )
    access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
    access.set_chunk_cache(
        10007, chunks_of_frame * math.prod(dataset.chunks) * dataset.dtype.itemsize, 1.0
    )
    # HDF5 shares what is open already, cache included, so the first handle has to go.
    del dataset
    return h5py.Dataset(h5py.h5d.open(file.id, name.encode(), access))


def _is_complete(dataset: h5py.Dataset) -> bool:
    if dataset.chunks is None:
        return True
    expected = math.prod(
        -(-size // chunk) for size, chunk in zip(dataset.shape, dataset.chunks, strict=True)
    )
    return dataset.id.get_num_chunks() == expected
