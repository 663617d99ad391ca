"""Read masks that are pictures: class ids, or a colour for each class."""

from __future__ import annotations

import json
import re
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile
from PIL import ImageOps

from amseg_keras.classes import IGNORE
from amseg_keras.datasets.label_image import (
    LabelPicture,
    as_class_ids,
    read_label_picture,
    shows_zero_white,
    unmirrored,
)
from amseg_keras.datasets.masks.base import ClassIds, PageName, check_size
from amseg_keras.datasets.open import name_classes
from amseg_keras.read import ReadError
from amseg_keras.read.errors import reading
from amseg_keras.read.formats import FrameReader, is_store, open_reader
from amseg_keras.read.formats.image import open_picture
from amseg_keras.read.formats.zarr import document
from amseg_keras.read.pixels import COLOUR_NOTE, class_ids


def stored_class_names(path: Path) -> tuple[str, ...] | None:
    """Read the class names in a label file: TIFF, OME-TIFF, Zarr or OME-Zarr.

    Returns:
        Name of each class id; None if the file does not say them.

    Example:
        >>> import numpy as np, tempfile
        >>> from amseg_keras.report.label_files import write_tiff
        >>> labels = np.zeros((1, 4, 6), np.uint8)
        >>> folder = Path(tempfile.mkdtemp())
        >>> stored_class_names(folder / write_tiff(folder, labels, labels.shape, ["gas", "melt"]))
        ('gas', 'melt')
    """
    try:
        if is_store(path):
            return _of_store(path)
        if path.suffix.lower() in (".tif", ".tiff"):
            with tifffile.TiffFile(path) as tiff:
                return _checked(_of_tiff(tiff))
    except (OSError, ValueError, KeyError, TypeError, ReadError, ElementTree.ParseError):
        return None  # Whoever reads the labels says what is wrong with the file.
    return None


def label_dataset(path: Path) -> str | None:
    """Find the first labels of an OME-Zarr image; None if a store has none."""
    names = _attributes(path / "labels").get("labels")
    if not isinstance(names, list) or not names:
        return None
    image = _attributes(path / "labels" / str(names[0])).get("multiscales", [{}])[0]
    return f"labels/{names[0]}/{image['datasets'][0]['path']}"


def _of_store(path: Path) -> tuple[str, ...] | None:
    own = _attributes(path)
    if "class_names" in own:
        return _checked(own)
    dataset = label_dataset(path)
    place = path if dataset is None else (path / dataset).parent
    properties = _attributes(place)["image-label"]["properties"]
    by_id = {int(one["label-value"]): str(one["class"]) for one in properties}
    return _checked({"class_names": [by_id[number] for number in range(len(by_id))]})


def _of_tiff(tiff: tifffile.TiffFile) -> Mapping[str, Any]:
    if tiff.is_ome and tiff.ome_metadata:
        for element in ElementTree.fromstring(tiff.ome_metadata).iter():
            if element.tag.endswith("}Description"):
                return dict(json.loads(element.text or "{}"))
    return dict(json.loads(str((tiff.imagej_metadata or {}).get("Info", "{}"))))


def _checked(known: Mapping[str, Any]) -> tuple[str, ...] | None:
    names = known.get("class_names")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    return tuple(names)


def _attributes(folder: Path) -> dict[str, Any]:
    """Read the metadata of a group or array; OME-Zarr 0.5 gives the form of 0.4."""
    found = document(folder / "zarr.json").get("attributes") or document(folder / ".zattrs")
    return dict(found.get("ome", found))


_TIFF = (".tif", ".tiff")


class LabelImages:
    """Class ids in files: stacks with a page a frame, Zarr stores, or a picture a frame.

    ImageJ and napari save such stacks. Of an OME-Zarr image its first labels are taken. A palette's
    indices are the ids, not its colours. Signed, wide and real-valued pixels are accepted as long
    as each is a whole number from 0 to 255. Masks of 0 and 255 alone are
    the two classes that are named; where other than two are, or none, they are refused.

    Args:
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
        return np.asarray(table[found].astype(np.uint8))

    def notes(self) -> list[str]:
        return list(self._said)

    def _find_binary(self) -> bool:
        """Tell whether the masks hold only 0 and 255; the first mask with another value decides."""
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
        if self._axes is None and self.pages[index].pages == 1 and not is_store(file):
            picture = read_label_picture(file)
        else:
            picture = self._read_page(file, page, self._label(index))
        self._said |= dict.fromkeys(picture.notes)
        return picture.ids

    def _read_page(self, file: Path, page: int, where: str) -> LabelPicture:
        if self._open is None or self._open[0] != file:
            if self._open is not None:
                self._open[1].close()
            reader = self._open_reader(file)
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
        if file.suffix.lower() not in _TIFF and not is_store(file):
            return 1
        reader = self._open_reader(file)
        reader.close()
        if COLOUR_NOTE in reader.info.notes:
            raise ReadError(f"{file}: is a colour picture; say what its colours mean: --colours")
        self._said |= dict.fromkeys(
            f"{file.name}: {note}" for note in reader.info.notes if "planes" in note
        )
        return reader.info.frames

    def _open_reader(self, file: Path) -> FrameReader:
        dataset = label_dataset(file) if is_store(file) else None
        return open_reader(file, dataset, self._axes)


Colour = tuple[int, int, int]

TOLERANCE = 48.0
"""Largest distance of a colour from the colour of its class, in red, green and blue (0 to
255): JPEG and antialiased edges stay mostly below it."""

_FORMATS = ("PNG", "JPEG", "BMP", "TIFF")
_ORIENTATION = 274
_HEX = re.compile(r"#?([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")


class ColourMasks:
    """Colour-coded pictures: each pixel is the class of the nearest colour.

    A pixel farther than `tolerance` from every colour is ignored in training, and `notes` says
    how many there were. Where neither the name background nor the colour black is given, black
    is background.

    Args:
        files: Pictures, or TIFFs with a page a frame, in the order of the frames.

    Raises:
        ReadError: A file cannot be read.
    """

    has_background = False

    def __init__(
        self, files: Sequence[Path], palette: Mapping[str, Colour], tolerance: float = TOLERANCE
    ) -> None:
        self._where: list[tuple[Path, int]] = []
        pages = []
        for file in files:
            with reading(str(file), "a colour picture"), open_picture(file, _FORMATS) as picture:
                count = getattr(picture, "n_frames", 1)
            self._where += [(file, page) for page in range(count)]
            pages += [PageName(file.stem, page, count) for page in range(count)]
        self.pages = tuple(pages)
        self._palette = dict(palette)
        self._black_assumed = "background" not in palette and (0, 0, 0) not in palette.values()
        if self._black_assumed:
            self._palette = {"background": (0, 0, 0), **palette}
        self.class_names = tuple(self._palette)
        self._tolerance = tolerance
        self._ignored = 0
        self._drawn = 0

    def draw(self, index: int, size: tuple[int, int], ids: ClassIds) -> np.ndarray:
        file, page = self._where[index]
        with reading(str(file), "a colour picture"), open_picture(file, _FORMATS) as picture:
            picture.seek(page)
            # Pillow mixes the pixels of a TIFF up whose rows become columns.
            if picture.format == "TIFF" and picture.getexif().get(_ORIENTATION, 1) > 4:
                raise ReadError(f"{file}: is stored turned by 90 degrees; save it as PNG")
            pixels = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
        check_size(str(file), pixels.shape[:2], size)
        nearest = nearest_colours(pixels, list(self._palette.values()), self._tolerance)
        self._ignored += int(np.count_nonzero(nearest == IGNORE))
        self._drawn += nearest.size
        table = np.full(256, IGNORE, np.uint8)
        table[: len(self.class_names)] = [ids.by_name[name] for name in self.class_names]
        return np.asarray(table[nearest])

    def notes(self) -> list[str]:
        said = []
        if self._black_assumed:
            said.append("black is background, which the colours did not name")
        if self._ignored:
            said.append(
                f"{self._ignored} pixels ({self._ignored / self._drawn:.2%}) are farther than "
                f"{self._tolerance:g} from every colour and will be ignored in training"
            )
        return said


def nearest_colours(pixels: np.ndarray, palette: Sequence[Colour], tolerance: float) -> np.ndarray:
    """Find the number of the nearest colour in a palette.

    Args:
        pixels: uint8 `(height, width, 3)`.
        palette: Red, green, blue; at most 255 of them.

    Returns:
        uint8 `(height, width)`: index into `palette`, 255 where none is near.

    Example:
        >>> nearest_colours(np.array([[[250, 5, 9], [0, 255, 0]]], np.uint8), [(255, 0, 0)], 20)
        array([[  0, 255]], dtype=uint8)
    """
    # A mask has few colours, even after JPEG: the distances are taken once for each.
    codes = pixels.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    colours, inverse = np.unique(codes, return_inverse=True)
    channels = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=-1).astype(float)
    distance = np.stack(
        [np.linalg.norm(channels - np.array(colour, float), axis=1) for colour in palette], axis=1
    )
    number = np.where(distance.min(axis=1) <= tolerance, distance.argmin(axis=1), IGNORE)
    return number.astype(np.uint8)[inverse.reshape(pixels.shape[:2])]


def read_palette(given: str) -> dict[str, Colour]:
    """Read the colours of the classes from a text or a JSON file.

    Args:
        given: ``"pore=#d62728,keyhole=#541352"``, or a JSON file of
            ``{"pore": "#d62728", "keyhole": [84, 19, 82]}``.

    Raises:
        ReadError: It cannot be understood, or two classes have one colour.

    Example:
        >>> read_palette("background=#000000,pore=#ff0000")
        {'background': (0, 0, 0), 'pore': (255, 0, 0)}
    """
    if "=" in given and not Path(given).is_file():
        parts = (part.partition("=") for part in given.split(","))
        pairs: list[tuple[str, object]] = [(name.strip(), text.strip()) for name, _, text in parts]
    else:
        with reading(given, "JSON"):
            pairs = list(dict(json.loads(Path(given).read_text(encoding="utf-8"))).items())
    palette: dict[str, Colour] = {}
    for name, value in pairs:
        colour = _to_colour(value)
        if not name or name in palette or colour is None or colour in palette.values():
            raise ReadError(
                f"{given}: {name}={value} is not one name with one colour of its own; write it "
                'as "background=#000000,keyhole=#ff0000"'
            )
        palette[name] = colour
    if not palette:
        raise ReadError(f"{given}: names no colours; write them as keyhole=#ff0000")
    return palette


def _to_colour(value: object) -> Colour | None:
    if isinstance(value, str):
        match = _HEX.fullmatch(value)
        return None if match is None else (int(match[1], 16), int(match[2], 16), int(match[3], 16))
    if isinstance(value, list) and len(value) == 3 and all(v in range(256) for v in value):
        return int(value[0]), int(value[1]), int(value[2])
    return None
