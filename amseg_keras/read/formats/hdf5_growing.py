"""HDF5 that is read while a detector writes it."""

from dataclasses import replace
from pathlib import Path

import h5py

from amseg_keras.read.errors import ReadError, reading
from amseg_keras.read.formats.hdf5 import Hdf5Reader

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_WRITING, _SWMR = 1, 4
_LARGEST_USER_BLOCK = 1 << 20


class GrowingHdf5Reader(Hdf5Reader):
    """A dataset whose writer, in SWMR mode, goes on appending to it or filling it.

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
    """Whether a program writes the file in SWMR mode, so that it can be read meanwhile.

    It also seems so after a writer that ended without closing the file.

    Raises:
        ReadError: The file cannot be opened.
    """
    with reading(str(path), "HDF5"):
        flags = _consistency_flags(path)
    return flags is not None and flags & (_WRITING | _SWMR) == _WRITING | _SWMR


def is_closed(path: Path) -> bool:
    """Whether no program has the file open for writing, as far as can be known.

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
    """Flags of the superblock, of version 3 and later; None where there are none."""
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
