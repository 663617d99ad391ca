"""Masks whose pixels are class ids: TIFF stacks of ImageJ and napari, or a picture a frame."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from amseg_keras.classes import IGNORE
from amseg_keras.datasets.guess import name_classes
from amseg_keras.datasets.label_image import as_class_ids, read_label_image
from amseg_keras.datasets.masks.base import ClassIds, PageName, check_size
from amseg_keras.read import FrameStack, ReadError, open_stack
from amseg_keras.read.grey import COLOUR_NOTE

_TIFF = (".tif", ".tiff")


class LabelImages:
    """Class ids in files: stacks with a page a frame, or a picture a frame.

    ImageJ and napari save such stacks. A palette's indices are the ids, not its colours. Signed,
    wide and real-valued pixels are accepted as long as each is a whole number from 0 to 255.

    Args:
        files: In the order of the frames.
        class_names: Name of each id in the files; without it the ids are read once, and are the
            paper's classes where they fit, else `class_0`, `class_1`, ...

    Raises:
        ReadError: A file cannot be read or holds colours.
    """

    has_background = False

    def __init__(self, files: Sequence[Path], class_names: Sequence[str] | None = None) -> None:
        self._where: list[tuple[Path, int]] = []
        pages = []
        for file in files:
            count = _count_pages(file)
            self._where += [(file, page) for page in range(count)]
            pages += [PageName(file.stem, page, count) for page in range(count)]
        self.pages = tuple(pages)
        self._open: tuple[Path, FrameStack] | None = None
        self._notes: list[str] = []
        if class_names is None:
            names, self._notes = name_classes(self._read(k) for k in range(len(pages)))
            self.class_names = names
        else:
            self.class_names = tuple(class_names)

    def draw(self, index: int, size: tuple[int, int], ids: ClassIds) -> np.ndarray:
        found = self._read(index)
        where = self._label(index)
        check_size(where, found.shape, size)
        table = np.arange(256)
        table[: len(self.class_names)] = [ids.by_name[name] for name in self.class_names]
        known = (found < len(self.class_names)) | (found == IGNORE)
        if not known.all():
            unknown = ", ".join(map(str, np.unique(found[~known])))
            raise ReadError(
                f"{where}: holds the class ids {unknown}, but there are names for 0 to "
                f"{len(self.class_names) - 1} only; name them all with --classes"
            )
        return table[found].astype(np.uint8)

    def notes(self) -> list[str]:
        return self._notes

    def _label(self, index: int) -> str:
        file, page = self._where[index]
        return f"{file}: page {page + 1}" if self.pages[index].pages > 1 else str(file)

    def _read(self, index: int) -> np.ndarray:
        file, page = self._where[index]
        if self.pages[index].pages == 1:
            return read_label_image(file)
        if self._open is None or self._open[0] != file:
            if self._open is not None:
                self._open[1].close()
            stack = open_stack(file)
            self._open = file, stack
            # Nobody says when the last mask was drawn.
            weakref.finalize(self, stack.close)
        return as_class_ids(self._open[1][page], self._label(index))


def _count_pages(file: Path) -> int:
    if file.suffix.lower() in (".jpg", ".jpeg"):
        raise ReadError(
            f"{file}: is a JPEG, whose compression changes class ids; save it as PNG, or say what "
            "its grey levels mean: --colours"
        )
    if file.suffix.lower() not in _TIFF:
        return 1
    with open_stack(file) as stack:
        if COLOUR_NOTE in stack.notes:
            raise ReadError(f"{file}: is a colour picture; say what its colours mean: --colours")
        return len(stack)
