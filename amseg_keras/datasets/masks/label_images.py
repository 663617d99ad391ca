"""Masks whose pixels are class ids: TIFF stacks of ImageJ and napari, or a picture a frame."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from amseg_keras.classes import IGNORE
from amseg_keras.datasets.guess import name_classes
from amseg_keras.datasets.label_image import (
    LabelPicture,
    as_class_ids,
    read_label_picture,
    shows_zero_white,
    unmirrored,
)
from amseg_keras.datasets.masks.base import ClassIds, PageName, check_size
from amseg_keras.read import ReadError
from amseg_keras.read.errors import reading
from amseg_keras.read.formats import FrameReader, open_reader
from amseg_keras.read.pixels import COLOUR_NOTE, class_ids

_TIFF = (".tif", ".tiff")


class LabelImages:
    """Class ids in files: stacks with a page a frame, or a picture a frame.

    ImageJ and napari save such stacks. A palette's indices are the ids, not its colours. Signed,
    wide and real-valued pixels are accepted as long as each is a whole number from 0 to 255. Masks
    of 0 and 255 alone are the two classes that are named; where other than two are, or none, they
    are refused.

    Args:
        files: In the order of the frames.
        class_names: Name of each id in the files; without it the ids are read once, and are the
            paper's classes where they fit, else `class_0`, `class_1`, ...
        axes: Meaning of the axes of TIFF files, as in `ReadOptions`.

    Raises:
        ReadError: A file cannot be read or holds colours.
    """

    has_background = False

    def __init__(
        self,
        files: Sequence[Path],
        class_names: Sequence[str] | None = None,
        axes: str | None = None,
    ) -> None:
        self._axes = axes
        self._where: list[tuple[Path, int]] = []
        self._said: dict[str, None] = {}
        pages = []
        for file in files:
            count = self._count_pages(file)
            self._where += [(file, page) for page in range(count)]
            pages += [PageName(file.stem, page, count) for page in range(count)]
        self.pages = tuple(pages)
        self._open: tuple[Path, FrameReader] | None = None
        self._is_binary = bool(pages) and self._find_binary()
        if self._is_binary:
            self.class_names = self._two_names(class_names)
        elif class_names is None:
            names, said = name_classes(self._read(k) for k in range(len(pages)))
            self.class_names = names
            self._said |= dict.fromkeys(said)
        else:
            self.class_names = tuple(class_names)

    def draw(self, index: int, size: tuple[int, int], ids: ClassIds) -> np.ndarray:
        found = self._read(index)
        where = self._label(index)
        check_size(where, found.shape, size)
        if self._is_binary:
            found = (found == IGNORE).astype(np.uint8)
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
        return list(self._said)

    def _find_binary(self) -> bool:
        """Whether the masks hold 0 and 255 alone; the first one with another value decides."""
        any_object = False
        for index in range(len(self._where)):
            try:
                values = set(np.unique(self._read(index)).tolist())
            except ReadError:
                continue  # `draw` says it of its frame
            if values - {0, IGNORE}:
                return False
            any_object |= IGNORE in values
        return any_object

    def _two_names(self, class_names: Sequence[str] | None) -> tuple[str, ...]:
        place = self._where[0][0]
        if class_names is None or len(class_names) != 2:
            which = "no classes are" if class_names is None else f"{len(class_names)} classes are"
            raise ReadError(
                f"{place}: holds 0 and 255 alone, as all masks here do, and {which} named; say "
                'which two classes they are: --colours "background=#000000,NAME=#ffffff"'
            )
        background, thing = class_names
        self._said[
            f"the masks hold 0 and 255 alone: 0 was taken as {background}, 255 as {thing}"
        ] = None
        return tuple(class_names)

    def _label(self, index: int) -> str:
        file, page = self._where[index]
        return f"{file}: page {page + 1}" if self.pages[index].pages > 1 else str(file)

    def _read(self, index: int) -> np.ndarray:
        file, page = self._where[index]
        if self._axes is None and self.pages[index].pages == 1:
            picture = read_label_picture(file)
        else:
            picture = self._read_page(file, page, self._label(index))
        self._said |= dict.fromkeys(picture.notes)
        return picture.ids

    def _read_page(self, file: Path, page: int, where: str) -> LabelPicture:
        if self._open is None or self._open[0] != file:
            if self._open is not None:
                self._open[1].close()
            reader = open_reader(file, None, self._axes)
            self._open = file, reader
            # Nobody says when the last mask was drawn.
            weakref.finalize(self, reader.close)
        reader = self._open[1]
        with reading(where, reader.kind), class_ids(where):
            ids = as_class_ids(reader.read(page), where)
        return unmirrored(ids, shows_zero_white(reader), str(file))

    def _count_pages(self, file: Path) -> int:
        if file.suffix.lower() in (".jpg", ".jpeg"):
            raise ReadError(
                f"{file}: is a JPEG, whose compression changes class ids; save it as PNG, or say "
                "what its grey levels mean: --colours"
            )
        if file.suffix.lower() not in _TIFF:
            return 1
        reader = open_reader(file, None, self._axes)
        reader.close()
        if COLOUR_NOTE in reader.info.notes:
            raise ReadError(f"{file}: is a colour picture; say what its colours mean: --colours")
        self._said |= dict.fromkeys(
            f"{file.name}: {note}" for note in reader.info.notes if "planes" in note
        )
        return reader.info.frames
