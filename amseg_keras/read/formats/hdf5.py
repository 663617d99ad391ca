"""HDF5 and NeXus: one dataset, read frame by frame, also while a detector writes it."""

import math
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from amseg_keras._on_demand import is_installed, needed
from amseg_keras.read.errors import ReadError, reading
from amseg_keras.read.formats.base import FrameReader, StackInfo
from amseg_keras.read.formats.hdf5_search import describe, find_dataset, known_axes, linked_files
from amseg_keras.read.formats.hdf5_storage import Box, Hole, Storage, check_external, is_complete
from amseg_keras.read.pixels import (
    COLOUR_NOTE,
    Layout,
    asked_layout,
    find_layout,
    layout_note,
    plain_dtype,
)

_FEWEST_STORED = 100
"""One frame of as many must be stored; a dataset of more empty frames is damaged or a trap."""


class Hdf5Reader(FrameReader):
    """A dataset ``(frames, height, width)`` or ``(height, width)``; a fourth axis may be 1.

    Args:
        dataset: Path inside it; None finds it.
        axes: Meaning of its axes, if the user said it.
        swmr: Read beside a writer in single-writer-multiple-readers mode, and without a lock that
            could keep a writer out.
    """

    kind = "HDF5"

    def __init__(
        self, path: Path, dataset: str | None, axes: str | None = None, *, swmr: bool = False
    ) -> None:
        self.label = str(path) if dataset is None else f"{path}::{dataset}"
        with reading(self.label, self.kind):
            self._file = _open_file(path, swmr)
            self._storage = Storage()
            try:
                name, notes = find_dataset(self._file, str(path), dataset, axes)
                self.label = f"{path}::{name}"
                _register_filters(self._file[name])
                self.info = self._inspect(self._file[name], axes, notes)
                self.linked_files = linked_files(path, self._file[name])
                self._dataset = _with_chunk_cache(self._file, name, self._layout)
                self._complete = self._is_stored_whole()
            except BaseException:
                self.close()
                raise

    def read(self, index: int) -> np.ndarray:
        if not self._complete:
            self._check_stored(index)
        try:
            return self._layout.frame(self._dataset, index)
        except OSError:
            # Nobody has looked into the files behind it, whose filter may be missing.
            if self._dataset.is_virtual and not is_installed("hdf5plugin"):
                needed("hdf5plugin", "the compression of this dataset")
            raise

    def close(self) -> None:
        self._storage.close()
        self._file.close()

    def _inspect(
        self, dataset: h5py.Dataset, asked: str | None, notes: tuple[str, ...]
    ) -> StackInfo:
        known = known_axes(dataset)
        shape = dataset.shape or ()
        if asked is not None:
            layout: Layout | None = asked_layout(shape, asked, self.label)
        else:
            layout = find_layout(shape, dataset.dtype, known)
        if layout is None:
            raise ReadError(
                f"{self.label}: has shape {describe(dataset)}; choose a dataset of shape "
                "(frames, height, width) or (height, width), or say what its axes are: --axes"
            )
        self._layout = layout
        self._check_plausible(dataset)
        said = (layout_note(layout, asked, known), COLOUR_NOTE if layout.has_colour else None)
        return StackInfo(
            frames=layout.frames,
            height=layout.height,
            width=layout.width,
            dtype=plain_dtype(dataset.dtype, self.label),
            pixel_size_um=_positive(dataset, "pixel_size_um"),
            frame_rate_hz=_positive(dataset, "frame_rate_hz"),
            notes=(*notes, *(note for note in said if note)),
            first_number=_first_number(dataset),
        )

    def _check_plausible(self, dataset: h5py.Dataset) -> None:
        """Raise if nothing of a dataset, or next to nothing, is stored."""
        frames = self._layout.frames
        stored = frames
        if dataset.is_virtual:
            files = self._storage.mapped_files(dataset)
            if files and not any(there for _, there in files):
                raise ReadError(
                    f"{self.label}: takes frames from {files[0][0]}, which is missing; "
                    "put it beside this file"
                )
            per_frame = math.prod(dataset.shape) // max(frames, 1)
            stored = -(-self._storage.mapped_pixels(dataset) // per_frame)
        elif dataset.external is not None:
            try:
                check_external(dataset)
            except Hole as hole:
                raise ReadError(f"{self.label}: {hole}; copy it beside this file") from hole
        elif dataset.id.get_storage_size() == 0:
            stored = 0
        elif dataset.chunks is not None:
            pixels = dataset.id.get_num_chunks() * math.prod(dataset.chunks)
            stored = -(-pixels * frames // math.prod(dataset.shape))
        if stored == 0:
            raise ReadError(
                f"{self.label}: was created but never written, all its frames are missing; "
                "use the file of a finished recording"
            )
        if frames > _FEWEST_STORED * (stored + 10):
            raise ReadError(
                f"{self.label}: promises {frames} frames and holds about {stored}; it is damaged "
                "or was never finished: use the file of a finished recording"
            )

    def _is_stored_whole(self) -> bool:
        dataset = self._dataset
        return not dataset.is_virtual and dataset.external is None and is_complete(dataset)

    def _box(self, index: int) -> Box:
        return tuple(
            (0, size) if isinstance(at, slice) else (at, at + 1)
            for at, size in zip(self._layout.region(index), self._dataset.shape, strict=True)
        )

    def _is_written(self, index: int) -> bool:
        """Tell whether a frame is stored."""
        try:
            self._storage.check(self._dataset, self._box(index))
        except Hole:
            return False
        return True

    def _check_stored(self, index: int) -> None:
        try:
            self._storage.check(self._dataset, self._box(index))
        except Hole as hole:
            why = str(hole)
            if why.startswith("it was never written"):
                raise ReadError(
                    f"{self.where(index)} was never written, the recording stopped early; "
                    "leave it and the frames after it out"
                ) from hole
            raise ReadError(f"{self.where(index)} is stored nowhere: {why}") from hole


def open_dataset(path: Path, dataset: str | None, axes: str | None = None) -> Hdf5Reader:
    """Open a dataset of an HDF5 file; None finds it."""
    return Hdf5Reader(path, dataset, axes)


def _register_filters(dataset: h5py.Dataset) -> None:
    """Import the filters of detectors, such as bitshuffle and LZ4, where a dataset may want them.

    Raises:
        MissingPackageError: The dataset wants one, and they are not installed.
    """
    chosen = dataset.id.get_create_plist()
    filters = [chosen.get_filter(index) for index in range(chosen.get_nfilters())]
    missing = [one for one in filters if not h5py.h5z.filter_avail(one[0])]
    if missing:
        name = missing[0][3].decode("utf-8", "replace").partition(";")[0] or f"{missing[0][0]}"
        needed("hdf5plugin", f"the compression of this dataset ({name})")
    elif dataset.is_virtual and is_installed("hdf5plugin"):
        needed("hdf5plugin", "the compression of this dataset")


def _open_file(path: Path, swmr: bool) -> h5py.File:
    # Detectors' file systems are often read-only, where a lock cannot be taken.
    locking = False if swmr else "best-effort"
    try:
        return h5py.File(path, "r", swmr=swmr, locking=locking)
    except OSError as error:
        if "h5clear" not in str(error) and "already open for" not in str(error):
            raise
        raise ReadError(
            f"{path}: is marked as open for writing: a program writes it still (for frames as they "
            "come: amseg watch), or crashed; then copy the file and run: h5clear -s COPY"
        ) from error


def _positive(dataset: h5py.Dataset, name: str) -> float | None:
    """Return an attribute that `amseg prepare` writes; None if it is absent or no length."""
    value = np.asarray(dataset.attrs.get(name, np.nan))
    if value.size != 1 or value.dtype.kind not in "iuf":
        return None
    number = float(value.reshape(()))
    return number if math.isfinite(number) and number > 0 else None


def _first_number(dataset: h5py.Dataset) -> int | None:
    """Return the number of the first image in a data file of a Dectris detector."""
    value = np.asarray(dataset.attrs.get("image_nr_low", -1))
    return (
        int(value.reshape(()))
        if value.size == 1 and value.dtype.kind in "iu" and value >= 0
        else None
    )


def _with_chunk_cache(file: h5py.File, name: str, layout: Layout) -> h5py.Dataset:
    """Open a dataset with a cache for the chunks of one frame.

    The default cache is 1 MB; chunks of several frames that do not fit in it would be
    decompressed again for each of their frames.
    """
    dataset = file[name]
    if dataset.chunks is None:
        return dataset
    chunks_of_frame = math.prod(
        -(-size // chunk)
        for size, chunk, axis in zip(layout.shape, dataset.chunks, layout.axes, strict=True)
        if axis in "YXS"
    )
    needed = chunks_of_frame * math.prod(dataset.chunks) * dataset.dtype.itemsize
    access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
    access.set_chunk_cache(10007, min(needed, 1 << 31), 1.0)
    # HDF5 shares what is open already, cache included, so the first handle has to go.
    del dataset
    return h5py.Dataset(h5py.h5d.open(file.id, name.encode(), access))


_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_WRITING, _SWMR = 1, 4
_LARGEST_USER_BLOCK = 1 << 20


class GrowingHdf5Reader(Hdf5Reader):
    """A dataset that a writer in SWMR mode is appending to or filling.

    It takes no lock: a reader's lock would keep out a writer that opens the file again. Frames
    count from the first one as far as all of their chunks are written, so that a dataset that is
    reserved in full and filled one chunk after the other grows too. Where a chunk holds several
    frames, the writer must lengthen the dataset by what it writes.

    Args:
        path: The file; no writer has it open but one in SWMR mode.
        dataset: Path inside it; None finds it.

    Raises:
        ReadError: There is no frame yet, or the dataset is not stored in chunks of its own, which
            is what SWMR needs.
    """

    def __init__(self, path: Path, dataset: str | None) -> None:
        super().__init__(path, dataset, swmr=True)
        try:
            if (
                self._dataset.chunks is None
                or self._dataset.is_virtual
                or (self._layout.frames < 2 and len(self._dataset.shape) < 3)
            ):
                raise ReadError(
                    f"{self.label}: is not stored frame by frame, so that it cannot be read while "
                    "it is written; wait until its writer has closed it"
                )
            self._frames = 0
            self.refresh()
            if not self._frames:
                raise ReadError(f"{self.label}: has no frame yet; wait for the first one")
        except BaseException:
            self.close()
            raise

    def refresh(self) -> None:
        """Look how many frames there are by now; `info` tells."""
        with reading(self.label, self.kind):
            self._dataset.id.refresh()
            self._layout = replace(self._layout, shape=tuple(self._dataset.shape))
            while self._frames < self._layout.frames and self._is_written(self._frames):
                self._frames += 1
        # The first frames that there are, all of them with all their chunks.
        self._complete = True
        self.info = replace(self.info, frames=self._frames)


def is_growing(path: Path) -> bool:
    """Tell whether a program writes the file in SWMR mode, so that it can be read meanwhile.

    It also seems so after a writer that ended without closing the file.

    Raises:
        ReadError: The file cannot be opened.
    """
    with reading(str(path), "HDF5"):
        flags = _consistency_flags(path)
    return flags is not None and flags & (_WRITING | _SWMR) == _WRITING | _SWMR


def is_closed(path: Path) -> bool:
    """Tell whether no program has the file open for writing, if that can be known.

    Files of the latest format have flags for it. For older ones the writer's lock is asked for,
    for a moment; some file systems have no locks.

    Returns:
        Also true for what is no HDF5 file: reading it will tell.

    Raises:
        ReadError: The file cannot be opened.
    """
    with reading(str(path), "HDF5"):
        flags = _consistency_flags(path)
    if flags is not None:
        return not flags & _WRITING
    try:
        h5py.File(path, "r", locking="best-effort").close()
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _consistency_flags(path: Path) -> int | None:
    """Read the flags of a superblock of version 3 or later; None for earlier versions."""
    with open(path, "rb") as file:
        offset = 0
        while offset <= _LARGEST_USER_BLOCK:
            file.seek(offset)
            block = file.read(12)
            if len(block) < 12:
                return None
            if block.startswith(_SIGNATURE):
                return block[11] if block[8] >= 3 else None
            # The superblock may come behind a block of the user's, of 512 bytes or twice that.
            offset = max(512, 2 * offset)
    return None
