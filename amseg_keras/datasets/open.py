"""Open the data set in a folder, with or without a `dataset.json`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from amseg_keras.classes import CLASS_NAMES, IGNORE
from amseg_keras.datasets.dataset import DATASET_FILE, Dataset, LabelledFrame, read_dataset_file
from amseg_keras.datasets.label_image import read_label_image
from amseg_keras.read import ReadError
from amseg_keras.read.errors import reading
from amseg_keras.read.formats import is_supported
from amseg_keras.read.group import group_files, natural_order
from amseg_keras.read.names import unique_names


def open_dataset(folder: str | os.PathLike[str]) -> Dataset:
    """Open the data set of a folder.

    With a `dataset.json` no image is read. Without one, frames and labels are matched by their
    names, each label is read once for the ids in it, and what was assumed is in `assumed`.

    Args:
        folder: Folder of `dataset.json`, or of the frames and their labels.

    Raises:
        ReadError: There is none, its `dataset.json` is wrong, or its names match nothing.

    Example:
        >>> open_dataset("no_such_folder")
        Traceback (most recent call last):
        amseg_keras.read.errors.ReadError: no_such_folder: no such file or folder; check the path
    """
    path = Path(folder)
    if (path / DATASET_FILE).exists():
        return read_dataset_file(path)
    return guess_dataset(path)


IMAGE_FOLDERS = ("images", "imagestr", "image", "imgs", "frames", "raw")
LABEL_FOLDERS = ("labels", "labelstr", "label", "masks", "mask", "annotations", "segmentations")
LABEL_TYPES = (".png", ".tif", ".tiff", ".bmp")
_ENDING = re.compile(r"[._ -](masks?|labels?|seg|segmentation|gt)$", re.IGNORECASE)
_CHANNEL = "_0000"


def plain_stem(name: str) -> str:
    """Return the stem of a label file without the part that marks it as a label file.

    Example:
        >>> plain_stem("shot_0007_mask.png"), plain_stem("shot_0007.tif")
        ('shot_0007', 'shot_0007')
    """
    return _ENDING.sub("", Path(name).stem)


def last_number(name: str) -> int | None:
    """Return the last number in a file's stem, which counts the frames of a sequence.

    Example:
        >>> last_number("ti64_200W_0042.tif"), last_number("plate.tif")
        (42, None)
    """
    numbers = re.findall(r"\d+", Path(name).stem)
    return int(numbers[-1]) if numbers else None


def guess_dataset(folder: Path) -> Dataset:
    """Find images and labels in a folder by their names.

    Images are in `images`, labels in `labels` (or another of `IMAGE_FOLDERS` and
    `LABEL_FOLDERS`), or both side by side with labels called `NAME_mask` or `NAME_label`. Each
    label is read once, for the class ids in it.

    Args:
        folder: Without a `dataset.json`.

    Returns:
        The data set, with a sentence in `assumed` for each thing that the folder does not say.

    Raises:
        ReadError: The folder is missing, or no image has a label.
    """
    images, labels = _find_files(folder)
    pairs, assumed = _match(images, labels)
    if not any(label is not None for label in pairs.values()):
        raise ReadError(
            f"{folder}: is no data set: it has no {DATASET_FILE}, and no files in images/ and "
            "labels/ whose names are equal; make one with: amseg dataset import"
        )
    first, first_label = next((image, label) for image, label in pairs.items() if label)
    assumed.insert(
        0,
        f"there is no {DATASET_FILE}: labels were found by name, as "
        f"{_inside(first, folder)} with {_inside(first_label, folder)}",
    )
    class_names, said = name_classes(label for label in pairs.values() if label is not None)
    frames = _to_frames(folder, pairs)
    count = len({frame.sequence for frame in frames})
    assumed += [
        *said,
        f"files that differ only in the number that counts them are frames of one sequence, which "
        f"makes {count} sequence{'s' * (count > 1)}",
    ]
    return Dataset(folder, class_names, frames, assumed=tuple(assumed))


def name_classes(labels: Iterable[Path | np.ndarray]) -> tuple[tuple[str, ...], list[str]]:
    """Name the class ids of labels that come without names.

    Args:
        labels: Files, or arrays of class ids; files that cannot be read are passed over, since
            `validate` names them.

    Returns:
        The paper's five where the ids fit them, else `class_0`, `class_1`, ...; and what was
        assumed, a sentence each.

    Example:
        >>> name_classes([np.array([[0, 7]])])[0][-1]
        'class_7'
    """
    present: set[int] = set()
    for label in labels:
        try:
            ids = label if isinstance(label, np.ndarray) else read_label_image(label)
        except ReadError:
            continue
        present |= set(np.unique(ids).tolist())
    highest = max(present - {IGNORE}, default=0)
    said = []
    if present == {0, IGNORE}:
        said.append(
            f"the labels hold only 0 and {IGNORE}, and {IGNORE} is taken as 'ignore'; if it is a "
            "class, import them with: amseg dataset import --colours "
            '"background=#000000,NAME=#ffffff"'
        )
    if highest < len(CLASS_NAMES):
        listed = ", ".join(f"{number} {name}" for number, name in enumerate(CLASS_NAMES))
        said.append(f"the class ids follow the order of the paper: {listed}")
        return CLASS_NAMES, said
    names = tuple(f"class_{number}" for number in range(highest + 1))
    said.append(f"the classes have no names and are called class_0 to class_{highest}")
    return names, said


def _find_files(folder: Path) -> tuple[list[Path], list[Path]]:
    with reading(str(folder), "a folder"):
        inside = {entry.name.lower(): Path(entry) for entry in os.scandir(folder) if entry.is_dir()}
    image_folder = next((inside[name] for name in IMAGE_FOLDERS if name in inside), None)
    label_folder = next((inside[name] for name in LABEL_FOLDERS if name in inside), None)
    if label_folder is None:
        together = _files(image_folder or folder)
        labels = [path for path in together if plain_stem(path.name) != path.stem]
        return [path for path in together if path not in set(labels)], _labels(labels)
    return _files(image_folder or folder), _labels(_files(label_folder))


def _files(folder: Path) -> list[Path]:
    with reading(str(folder), "a folder"):
        paths = [Path(entry) for entry in os.scandir(folder) if entry.is_file()]
    wanted = (path for path in paths if not path.name.startswith(".") and is_supported(path))
    return sorted(wanted, key=natural_order)


def _labels(files: Sequence[Path]) -> list[Path]:
    return [path for path in files if path.suffix.lower() in LABEL_TYPES]


def _match(
    images: Sequence[Path], labels: Sequence[Path]
) -> tuple[dict[Path, Path | None], list[str]]:
    """Find the label of each image, and write notes on images and labels without a partner."""
    by_stem: dict[str, Path] = {}
    for label in labels:
        by_stem.setdefault(plain_stem(label.name), label)
    # An exact name goes before one that had to be shortened.
    by_stem |= {label.stem: label for label in labels}
    # nnU-Net numbers the channels of an image; a grey frame has one channel.
    has_channels = _has_channels(images)
    pairs: dict[Path, Path | None] = {}
    for image in images:
        found = by_stem.get(image.stem)
        if found is None and has_channels:
            found = by_stem.get(image.stem.removesuffix(_CHANNEL))
        pairs[image] = found
    alone = sum(label is None for label in pairs.values())
    left = len(set(labels) - set(pairs.values()))
    said = []
    if alone:
        said.append(f"{alone} of {len(images)} images have no label of their name")
    if left:
        said.append(f"{left} of {len(labels)} labels have no image of their name and are left out")
    return pairs, said


def _has_channels(images: Sequence[Path]) -> bool:
    return bool(images) and all(image.stem.endswith(_CHANNEL) for image in images)


def _to_frames(folder: Path, pairs: dict[Path, Path | None]) -> tuple[LabelledFrame, ...]:
    # Of names that end with a channel the labels have the frame number last.
    named = _has_channels(list(pairs))
    by_name = {(label or image) if named else image: image for image, label in pairs.items()}
    groups = group_files(list(by_name))
    # A sequence whose names are bare numbers is called as the folder that holds it.
    parts = [
        (folder.name, group.prefix.strip("._- ") or Path(os.path.abspath(folder)).name, "")
        for group in groups
    ]
    frames = []
    for name, group in zip(unique_names(parts), groups, strict=True):
        # A frame is counted from 0 on.
        numbers = group.numbers or (last_number(group.files[0].name) or 0,)
        first = min(0, *numbers)
        for file, number in zip(group.files, numbers, strict=True):
            image = by_name[file]
            label = pairs[image]
            frames.append(
                LabelledFrame(
                    _inside(image, folder),
                    None if label is None else _inside(label, folder),
                    name,
                    number - first,
                )
            )
    return tuple(frames)


def _inside(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
