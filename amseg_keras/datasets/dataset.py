"""A data set: frames, their labels, and what is known of them, in one folder."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from amseg_keras.atomic import complete_or_absent
from amseg_keras.classes import IGNORE
from amseg_keras.datasets.label_image import read_label_image
from amseg_keras.read import ReadError, StackSource
from amseg_keras.read.errors import reading


def check_class_names(names: tuple[str, ...], where: str) -> tuple[str, ...]:
    """Refuse class names that a spreadsheet or a terminal would run.

    Returns:
        The names.

    Raises:
        ReadError: One begins like a formula, which is what a spreadsheet makes of it in the header
            of a table, or holds control characters.

    Example:
        >>> check_class_names(("pore", "=1+1"), "coco.json")
        Traceback (most recent call last):
        amseg_keras.read.errors.ReadError: coco.json: names a class '=1+1', which spreadsheets run
        as a formula; rename it
    """
    for name in names:
        if name.lstrip()[:1] in ("=", "+", "-", "@"):
            raise ReadError(
                f"{where}: names a class {name[:40]!r}, which spreadsheets run as a formula; "
                "rename it"
            )
        if not name.strip() or not name.isprintable():
            raise ReadError(
                f"{where}: names a class {name[:40]!r}, which cannot be printed; rename it"
            )
    return names


DATASET_FILE = "dataset.json"
SPLITS = ("train", "validation", "test")
_TEXTS = ("split", "facility", "process", "material")
_NUMBERS = ("power_W", "speed_mm_s", "pixel_size_um")


@dataclass(frozen=True)
class LabelledFrame:
    """One frame of a data set.

    Attributes:
        image: File of the frame, relative to the data set's folder, with forward slashes.
        label: File of the class ids; None if the frame is not labelled.
        sequence: Name of the shot that it was recorded in.
        frame: Number of the frame in the sequence.
        split: "train", "validation" or "test", or None before the data set is split.
        facility: "esrf", "aps", "dls", "hpdc" or another name.
        process: "lpbf", "welding", "ded" or another name.
        material: Name of the alloy.
        power_W: Laser power in W.
        speed_mm_s: Scan speed in mm/s.
        pixel_size_um: Pixel size in um, if it differs from the rest of the data set.
        other: Further entries of the frame in `dataset.json`, kept as they are.

    Example:
        >>> frame = LabelledFrame(
        ...     "images/scan3_00012.tif", "labels/scan3_00012.png", sequence="scan3", frame=12,
        ...     material="Ti6Al4V", power_W=400.0, speed_mm_s=1200.0,
        ... )
        >>> data = Dataset(Path("data"), ("gas", "melt"), (frame,))
        >>> [(one.frame, one.power_W) for one in data.sequences()["scan3"]]
        [(12, 400.0)]
    """

    image: str
    label: str | None
    sequence: str
    frame: int
    split: str | None = None
    facility: str | None = None
    process: str | None = None
    material: str | None = None
    power_W: float | None = None
    speed_mm_s: float | None = None
    pixel_size_um: float | None = None
    other: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Dataset:
    """Frames and labels in a folder.

    Attributes:
        folder: Folder of the data set.
        class_names: Names of the class ids 0, 1, ...: the owner's own, any number.
        frames: Frames in the order of `dataset.json`.
        pixel_size_um: Size of a pixel in um, None if unknown.
        origin: One sentence on where the frames come from; simulated ones say so here.
        other: Further entries of `dataset.json`, kept as they are.
        assumed: Sentence for each assumption on opening the folder.
    """

    folder: Path
    class_names: tuple[str, ...]
    frames: tuple[LabelledFrame, ...]
    pixel_size_um: float | None = None
    origin: str = ""
    other: Mapping[str, Any] = field(default_factory=dict)
    assumed: tuple[str, ...] = ()

    def image(self, frame: LabelledFrame) -> np.ndarray:
        """Read the grey levels of a frame, `(height, width)`, in the file's own dtype.

        Args:
            frame: Frame out of `frames`.

        Raises:
            ReadError: It cannot be read, or its file holds more than one frame.
        """
        path = self.folder / frame.image
        with StackSource(path.stem, str(path), (path,)).open() as stack:
            if len(stack) != 1:
                raise ReadError(
                    f"{path}: holds {len(stack)} frames, but a data set has one in a file; "
                    "give the stack to: amseg dataset import"
                )
            return stack[0]

    def labels(self, frame: LabelledFrame) -> np.ndarray:
        """Read the class ids of a frame, uint8 `(height, width)`; 255 is "ignore".

        Args:
            frame: Frame out of `frames`.

        Raises:
            ReadError: It has none, or they cannot be read.
        """
        if frame.label is None:
            raise ReadError(f"{self.folder / frame.image}: has no labels; label it or leave it out")
        return read_label_image(self.folder / frame.label)

    def of_split(self, split: str) -> Dataset:
        """Return the frames of one split; none if the data set is not split.

        Example:
            >>> from pathlib import Path
            >>> frame = LabelledFrame("images/1.tif", None, "shot", 1, split="test")
            >>> data = Dataset(Path("data"), ("gas", "melt"), (frame,))
            >>> len(data.of_split("test").frames), len(data.of_split("train").frames)
            (1, 0)
        """
        return replace(self, frames=tuple(one for one in self.frames if one.split == split))

    def sequences(self) -> dict[str, tuple[LabelledFrame, ...]]:
        """Return the frames of each sequence in the order of time."""
        found: dict[str, list[LabelledFrame]] = {}
        for frame in self.frames:
            found.setdefault(frame.sequence, []).append(frame)
        return {
            name: tuple(sorted(frames, key=lambda frame: frame.frame))
            for name, frames in found.items()
        }

    def save(self) -> None:
        """Write `dataset.json` into the folder."""
        document: dict[str, Any] = {"class_names": list(self.class_names)}
        if self.pixel_size_um is not None:
            document["pixel_size_um"] = self.pixel_size_um
        if self.origin:
            document["origin"] = self.origin
        document |= self.other
        head = json.dumps(document, indent=1)
        # A frame to a line: readable, and changes show in a comparison of two versions.
        lines = ",\n  ".join(json.dumps(_as_entry(frame)) for frame in self.frames)
        with complete_or_absent(self.folder / DATASET_FILE) as temporary:
            temporary.write_text(
                f'{head[:-2]},\n "frames": [\n  {lines}\n ]\n}}\n', encoding="utf-8"
            )


def read_dataset_file(folder: Path) -> Dataset:
    """Read the data set that `dataset.json` in a folder describes, without opening images.

    Raises:
        ReadError: It is not there or wrong; the message names the entry.
    """
    path = folder / DATASET_FILE
    with reading(str(path), "JSON"):
        document = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict) or not isinstance(document.get("frames"), list):
        raise ReadError(f'{path}: has no list "frames"; see the format in the documentation')
    names = document.pop("class_names", None)
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise ReadError(f'{path}: "class_names" must be a list of names, one for each class id')
    if not 2 <= len(names) <= IGNORE or len(set(names)) < len(names):
        raise ReadError(f'{path}: "class_names" must be 2 to {IGNORE} different names')
    check_class_names(tuple(names), str(path))
    entries = document.pop("frames")
    frames = tuple(_from_entry(path, number, entry) for number, entry in enumerate(entries, 1))
    size = document.pop("pixel_size_um", None)
    if size is not None and not _is_positive(size):
        raise ReadError(f'{path}: "pixel_size_um" is {size!r}, it must be a positive number')
    origin = str(document.pop("origin", ""))
    return Dataset(folder, tuple(names), frames, size, origin, document)


def write_frame(
    folder: Path, image: np.ndarray, labels: np.ndarray | None, about: LabelledFrame
) -> LabelledFrame:
    """Write a frame as `images/NAME.tif` and its labels as `labels/NAME.png`.

    Args:
        image: Grey levels `(height, width)`, in any dtype that TIFF knows.
        labels: Class ids, uint8 `(height, width)`, 255 where they are to be ignored; or None.
        about: Facts about the frame; NAME is its sequence and its frame number.

    Returns:
        `about` with the names of the files.
    """
    named = with_files(about, labelled=labels is not None)
    (folder / named.image).parent.mkdir(parents=True, exist_ok=True)
    with complete_or_absent(folder / named.image) as temporary:
        tifffile.imwrite(temporary, image, photometric="minisblack", compression="zlib")
    if named.label is not None:
        (folder / named.label).parent.mkdir(exist_ok=True)
        with complete_or_absent(folder / named.label) as temporary:
            Image.fromarray(np.asarray(labels, np.uint8)).save(temporary)
    return named


def with_files(about: LabelledFrame, labelled: bool) -> LabelledFrame:
    """Name the files of a frame as `write_frame` does."""
    name = f"{about.sequence}_{about.frame:05}"
    return replace(
        about, image=f"images/{name}.tif", label=f"labels/{name}.png" if labelled else None
    )


def _as_entry(frame: LabelledFrame) -> dict[str, Any]:
    entry: dict[str, Any] = {"image": frame.image}
    if frame.label is not None:
        entry["label"] = frame.label
    entry |= {"sequence": frame.sequence, "frame": frame.frame}
    for name in (*_TEXTS, *_NUMBERS):
        if (value := getattr(frame, name)) is not None:
            entry[name] = value
    return entry | dict(frame.other)


def _from_entry(path: Path, number: int, entry: object) -> LabelledFrame:
    where = f"{path}: frame {number}"
    if not isinstance(entry, dict):
        raise ReadError(f'{where} is no object like {{"image": "images/0001.tif", ...}}')
    left = dict(entry)
    image = left.pop("image", None)
    if not isinstance(image, str) or not image:
        raise ReadError(f'{where} names no "image"')
    where = f"{where} ({image})"
    label = left.pop("label", None)
    _check_inside(where, (name for name in (image, label) if name is not None))
    sequence = left.pop("sequence", None)
    index = left.pop("frame", number)
    if isinstance(index, bool) or not isinstance(index, int):
        raise ReadError(f'{where}: "frame" is {index!r}, it must be a whole number')
    known: dict[str, Any] = {}
    for name in _TEXTS:
        known[name] = _checked(where, name, left.pop(name, None), str)
    for name in _NUMBERS:
        known[name] = _checked(where, name, left.pop(name, None), float)
    if known["split"] not in (None, *SPLITS):
        raise ReadError(f'{where}: "split" is {known["split"]!r}, not one of {", ".join(SPLITS)}')
    # A frame that names no sequence is its own, lest two of one shot part unseen.
    name = PurePosixPath(image).stem if sequence is None else str(sequence)
    return LabelledFrame(image, label, name, index, other=left, **known)


def _check_inside(where: str, files: Iterable[object]) -> None:
    for file in files:
        if not isinstance(file, str) or not file:
            raise ReadError(f"{where}: {file!r} is no file name")
        parts: Sequence[str] = PurePosixPath(file.replace("\\", "/")).parts
        if ".." in parts or file.startswith(("/", "\\")) or ":" in parts[0]:
            raise ReadError(f"{where}: {file} is outside the data set's folder; copy it into it")


def _checked(where: str, name: str, value: object, kind: type) -> Any:
    if value is None or (kind is str and isinstance(value, str)):
        return value
    if kind is float and _is_positive(value):
        return value
    wanted = "a text" if kind is str else "a positive number"
    raise ReadError(f'{where}: "{name}" is {value!r}, it must be {wanted}')


def _is_positive(value: object) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and value > 0
    )
