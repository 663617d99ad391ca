"""Everything that is wrong with a data set, not only the first thing."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from amseg_keras.classes import IGNORE
from amseg_keras.datasets.dataset import DATASET_FILE, Dataset, LabelledFrame
from amseg_keras.datasets.statistics import SPLIT_BY, unknown_ids
from amseg_keras.read import ReadError
from amseg_keras.read.formats import is_supported
from amseg_keras.read.group import natural_order

_SPLIT_AGAIN = "split again with: amseg dataset split --overwrite"


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Example:
        >>> print(Fault("labels/7.png", "holds the class id 9 (12 pixels)", "correct the label"))
        labels/7.png: holds the class id 9 (12 pixels); correct the label
    """

    file: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}: {self.problem}; {self.remedy}"


@dataclass
class _Seen:
    """Frames that were checked so far."""

    sizes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    ids: set[int] = field(default_factory=set)
    pixels: dict[bytes, list[LabelledFrame]] = field(default_factory=lambda: defaultdict(list))


def validate(data: Dataset, advance: Callable[[], object] | None = None) -> list[Fault]:
    """Find everything that is wrong with a data set.

    Files that are missing, unreadable, listed twice or listed nowhere; labels that are missing,
    of another size than their image, or with ids that have no name; frames of another size than
    their sequence; equal frames, or frames of one sequence, in two splits; frames in no split
    though others are. Each frame is in memory once, and only one at a time.

    Args:
        data: Data set from `open_dataset`.

    Returns:
        The faults, in the order of the frames where they belong to one; none for a good data set.
    """
    seen = _Seen()
    faults = list(_listed_twice(data))
    for frame in data.frames:
        faults += _check_frame(data, frame, seen)
        if advance is not None:
            advance()
    if seen.ids == {0, IGNORE}:
        faults.append(
            Fault(
                DATASET_FILE,
                f"all labels hold 0 and {IGNORE} alone, and {IGNORE} is 'ignore'",
                "if it is a class, import the masks with: amseg dataset import --classes "
                "background,NAME",
            )
        )
    faults += _odd_sizes(data, seen)
    faults += _duplicates(seen)
    faults += _torn_sequences(data)
    faults += _unlisted(data)
    return faults


def _check_frame(data: Dataset, frame: LabelledFrame, seen: _Seen) -> Iterator[Fault]:
    size = None
    try:
        image = data.image(frame)
    except ReadError as error:
        yield _from_error(data.folder, frame.image, error)
    else:
        size = seen.sizes[frame.image] = image.shape
        seen.pixels[_digest(image)].append(frame)
    if frame.label is None:
        yield Fault(frame.image, "has no label", "label it or take it out")
        return
    try:
        labels = data.labels(frame)
    except ReadError as error:
        yield _from_error(data.folder, frame.label, error)
        return
    if size is not None and labels.shape != size:
        yield Fault(
            frame.label,
            f"is {_by(labels.shape)}, but its image {frame.image} is {_by(size)}",
            "label the frame itself, not a crop or a scaled copy",
        )
    seen.ids |= set(np.unique(labels).tolist())
    counts = np.bincount(labels.ravel(), minlength=256)
    if unknown := unknown_ids(counts, len(data.class_names)):
        listed = ", ".join(f"{number} ({count} pixels)" for number, count in unknown.items())
        yield Fault(
            frame.label,
            f"holds the unknown class id{'s' * (len(unknown) > 1)} {listed}",
            f"the {len(data.class_names)} classes are 0 to {len(data.class_names) - 1}, and 255 is "
            "'ignore': correct the label or name the class",
        )


def _from_error(folder: Path, file: str, error: ReadError) -> Fault:
    path = folder / file
    if not path.exists():
        return Fault(file, "is missing", "copy it there or take the frame out")
    problem, _, remedy = str(error).removeprefix(str(path)).lstrip(": ").partition("; ")
    return Fault(file, problem, remedy or "copy or export it again")


def _digest(image: np.ndarray) -> bytes:
    # As float64, so that a frame saved as 8 and as 16 bit is the same frame.
    values = np.ascontiguousarray(image, np.float64)
    head = ",".join(map(str, image.shape)).encode()
    return hashlib.blake2b(head + values.tobytes(), digest_size=16).digest()


def _listed_twice(data: Dataset) -> Iterator[Fault]:
    files = [frame.image for frame in data.frames]
    files += [frame.label for frame in data.frames if frame.label is not None]
    # "a/./b.png" is "a/b.png".
    for file, times in Counter(str(PurePosixPath(file)) for file in files).items():
        if times > 1:
            yield Fault(
                file, f"is listed {times} times in {DATASET_FILE}", "give each frame its own file"
            )


def _odd_sizes(data: Dataset, seen: _Seen) -> Iterator[Fault]:
    for name, frames in data.sequences().items():
        sizes = Counter(seen.sizes[f.image] for f in frames if f.image in seen.sizes)
        if len(sizes) < 2:
            continue
        usual = sizes.most_common(1)[0][0]
        for frame in frames:
            size = seen.sizes.get(frame.image, usual)
            if size != usual:
                yield Fault(
                    frame.image,
                    f"is {_by(size)}, but its sequence {name} is {_by(usual)}",
                    "put it into a sequence of its own",
                )


def _duplicates(seen: _Seen) -> Iterator[Fault]:
    for frames in seen.pixels.values():
        first = frames[0]
        for frame in frames[1:]:
            where = (frame.split, first.split)
            # Unsplit frames of one sequence stay together; of two they may be torn apart later.
            if frame.split == first.split and (
                frame.split is not None or frame.sequence == first.sequence
            ):
                continue
            names = " and ".join(one or "no split" for one in where) if any(where) else ""
            yield Fault(
                frame.image,
                f"shows the same pixels as {first.image}" + (f" (in {names})" if names else ""),
                "take one of them out, or put both into one sequence and split again",
            )


def _torn_sequences(data: Dataset) -> Iterator[Fault]:
    is_split = any(frame.split is not None for frame in data.frames)
    for name, frames in data.sequences().items():
        splits = sorted({frame.split for frame in frames if frame.split is not None})
        # Whoever split by frame or by time chose this.
        if len(splits) > 1 and data.other.get(SPLIT_BY) not in ("frame", "time"):
            yield Fault(
                DATASET_FILE,
                f"the sequence {name} is in {' and in '.join(splits)}",
                f"{_SPLIT_AGAIN}, or say that it was meant with --by frame or --by time",
            )
        left = sum(frame.split is None for frame in frames)
        if is_split and left:
            yield Fault(
                DATASET_FILE, f"{left} frames of the sequence {name} are in no split", _SPLIT_AGAIN
            )


def _unlisted(data: Dataset) -> Iterator[Fault]:
    listed = {
        PurePosixPath(file)
        for frame in data.frames
        for file in (frame.image, frame.label)
        if file is not None
    }
    folders = {file.parent for file in listed} | {PurePosixPath("images"), PurePosixPath("labels")}
    for folder in sorted(folders):
        here = data.folder / folder
        if not here.is_dir():
            continue
        for path in sorted(here.iterdir(), key=natural_order):
            file = folder / path.name
            if file in listed or path.name.startswith(".") or not path.is_file():
                continue
            if is_supported(path):
                yield Fault(
                    str(file),
                    f"is listed by no frame of {DATASET_FILE}"
                    if (data.folder / DATASET_FILE).exists()
                    else "has no partner of its name",
                    "add it or move it away",
                )


def _by(size: tuple[int, ...]) -> str:
    return f"{size[0]} rows x {size[1]} columns"
