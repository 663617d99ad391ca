"""Make a data set of frames and of the masks that another program saved."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from amseg_keras.classes import IGNORE
from amseg_keras.datasets.dataset import (
    DATASET_FILE,
    Dataset,
    LabelledFrame,
    check_class_names,
    write_frame,
)
from amseg_keras.datasets.masks.base import ClassIds, Masks, PageName, match_pages, read_json
from amseg_keras.datasets.masks.coco import CocoMasks
from amseg_keras.datasets.masks.labelme import LabelMeMasks
from amseg_keras.datasets.masks.pictures import (
    TOLERANCE,
    Colour,
    ColourMasks,
    LabelImages,
    stored_class_names,
)
from amseg_keras.datasets.masks.rois import ROI_TYPES, RoiMasks
from amseg_keras.datasets.open import LABEL_TYPES, open_dataset
from amseg_keras.outputs import UNFINISHED, result_of_another
from amseg_keras.read import FrameStack, ReadError, ReadOptions, StackSource, find_stacks
from amseg_keras.read.errors import reading
from amseg_keras.read.formats import is_store
from amseg_keras.read.formats.image import open_picture
from amseg_keras.read.group import natural_order
from amseg_keras.read.names import safe_name
from amseg_keras.read.pixels import is_colour

KINDS = ("auto", "label-image", "labelme", "coco", "colours", "imagej-rois")
_PICTURES = (*LABEL_TYPES, ".jpg", ".jpeg")


def open_masks(
    path: str | os.PathLike[str],
    kind: str = "auto",
    class_names: Sequence[str] | None = None,
    palette: Mapping[str, Colour] | None = None,
    tolerance: float = TOLERANCE,
    axes: str | None = None,
) -> Masks:
    """Open the masks that a file or a folder holds.

    Args:
        path: A TIFF stack or picture, a Zarr store, a .zip or .roi file of ImageJ, a JSON file of
            COCO or LabelMe, or a folder of pictures or of LabelMe files.
        kind: Kind of the masks out of `KINDS`; ``"auto"`` looks into the files.
        tolerance: Largest distance of a pixel from the colour of its class, for colours.
        axes: Meaning of the axes of TIFF label images, as in `ReadOptions`.

    Raises:
        ReadError: There are no such masks; the message says what to give.

    Example:
        >>> open_masks("nowhere")
        Traceback (most recent call last):
        amseg_keras.read.errors.ReadError: nowhere: no such file or folder; check the path
    """
    place = Path(path)
    documents, pictures = _files(place)
    if kind == "imagej-rois" or (kind == "auto" and place.suffix.lower() in ROI_TYPES):
        return RoiMasks(place)
    if kind == "auto":
        kind = _find_kind(place, documents, pictures, palette)
    wanted = documents if kind in ("coco", "labelme") else pictures
    if not wanted:
        types = ".json" if kind in ("coco", "labelme") else ", ".join(_PICTURES)
        raise ReadError(f"{place}: holds no masks of kind {kind} ({types}); check --masks, --kind")
    if kind == "coco":
        if len(wanted) > 1:
            raise ReadError(f"{place}: holds {len(wanted)} JSON files; give the one of COCO")
        return CocoMasks(wanted[0])
    if kind == "labelme":
        return LabelMeMasks(wanted)
    if kind == "colours":
        if palette is None:
            raise ReadError(f'{place}: say what its colours mean: --colours "pore=#ff0000,..."')
        return ColourMasks(wanted, palette, tolerance)
    return LabelImages(wanted, class_names, axes)


def _files(place: Path) -> tuple[list[Path], list[Path]]:
    """List the JSON files and the pictures of a path."""
    with reading(str(place), "masks"):
        # Raises for a path that is missing or forbidden.
        os.stat(place)
        if is_store(place):
            return [], [place]
        paths = list(place.iterdir()) if os.path.isdir(place) else [place]
    paths = sorted((path for path in paths if not path.name.startswith(".")), key=natural_order)
    documents = [path for path in paths if path.suffix.lower() == ".json"]
    return documents, [path for path in paths if path.suffix.lower() in _PICTURES]


def _find_kind(
    place: Path,
    documents: Sequence[Path],
    pictures: Sequence[Path],
    palette: Mapping[str, Colour] | None,
) -> str:
    if palette is not None:
        return "colours"
    # LabelMe keeps its files beside the frames, so JSON goes before pictures.
    if documents:
        with reading(str(documents[0]), "JSON"):
            keys = dict(read_json(documents[0], "JSON")[0])
        if "annotations" in keys and "images" in keys:
            return "coco"
        if "shapes" in keys or "imagePath" in keys:
            return "labelme"
        if not pictures:
            raise ReadError(
                f"{documents[0]}: is of neither LabelMe nor COCO; give --kind, or another file"
            )
    if pictures and pictures[0].suffix.lower() not in (".tif", ".tiff") and pictures[0].is_file():
        with reading(str(pictures[0]), "a picture"), open_picture(pictures[0]) as picture:
            # A palette's indices are class ids.
            if picture.mode != "P" and is_colour(np.asarray(picture)):
                return "colours"
    return "label-image"


def _nothing_known() -> LabelledFrame:
    return LabelledFrame("", None, "", 0)


@dataclass(frozen=True)
class ImportOptions:
    """Settings of an import, and facts about the frames.

    Attributes:
        kind: Kind of the masks out of `KINDS`.
        class_names: Name of each id in label images that do not name their classes, or name them
            wrongly; and the class ids of a new data set.
        palette: Colour of each class, for colour-coded masks.
        tolerance: Largest distance of a pixel from the colour of its class, for colours.
        add_classes: True to append classes that the data set lacks.
        about: Facts about every frame; its sequence, if any, is the sequence of all frames.
        reading: Options of the user, for frames and masks that can be read in two ways.
    """

    kind: str = "auto"
    class_names: tuple[str, ...] | None = None
    palette: dict[str, Colour] | None = None
    tolerance: float = TOLERANCE
    add_classes: bool = False
    about: LabelledFrame = field(default_factory=_nothing_known)
    reading: ReadOptions = ReadOptions()  # noqa: RUF009 - frozen


@dataclass(frozen=True)
class Imported:
    """Result of an import."""

    data: Dataset
    frames: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Frame:
    """A frame that was found: its stack, where in it, and what it will be called."""

    stack: int
    index: int
    page: PageName
    about: LabelledFrame


def import_masks(
    images: Sequence[str | os.PathLike[str]],
    masks: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    options: ImportOptions | None = None,
    advance: Callable[[], object] | None = None,
) -> Imported:
    """Add frames and their masks to the data set of a folder, or make a new data set.

    Frames without a mask are left out. Nothing in the folder is overwritten. Either all frames are
    added or none. The class ids of a data set stay: `add_classes` appends the classes that it
    lacks, so that no id changes its meaning.

    Args:
        images: Files, folders, patterns: whatever `find_stacks` reads.
        masks: Masks, as `open_masks` reads them.
        options: Reading of the masks, and facts about the frames.

    Returns:
        Data set, and notes on what was assumed or left out.

    Raises:
        ReadError: Something cannot be read, masks and frames do not fit, or a class or sequence
            clashes with what is there; or the folder holds the result of another command.
    """
    options = options or ImportOptions()
    check_class_names(options.class_names or (), "--classes")
    check_class_names(tuple(options.palette or ()), "--colours")
    target = Path(folder)
    data, notes = _existing(target)
    own = stored_class_names(Path(masks)) if options.palette is None else None
    named = options.class_names or own or (data.class_names if data else None)
    axes = options.reading.axes
    found = open_masks(masks, options.kind, named, options.palette, options.tolerance, axes)
    sources, errors = find_stacks(images, options.reading)
    if errors:
        raise errors[0]
    frames = _name_frames(sources, options.about, notes)
    partners, said = match_pages([frame.page for frame in frames], found.pages)
    notes += said
    pairs = [(f, mask) for f, mask in zip(frames, partners, strict=True) if mask is not None]
    if not pairs:
        raise ReadError(
            f"{os.fspath(masks)}: holds {len(found.pages)} masks, and none belongs to one of the "
            f"{len(frames)} frames by name; name each mask as its frame, or give one for each"
        )
    notes += _say_left_out(len(frames) - len(pairs), len(found.pages) - len(set(partners) - {None}))
    names = _agree(data, found, options, notes)
    if data is None:
        data = Dataset(target, names, (), options.about.pixel_size_um)
    data = replace(data, class_names=names)
    _check_clashes(data, [frame.about for frame, _ in pairs])
    added = _Writer(sources, found, ClassIds.of(names), target)
    saved = added.write(data, pairs, advance)
    return Imported(saved, len(pairs), tuple(notes + found.notes()))


def _existing(folder: Path) -> tuple[Dataset | None, list[str]]:
    if not folder.exists():
        return None, []
    with reading(str(folder), "a folder"):
        names = {path.name for path in folder.iterdir()}
        held = result_of_another(folder, DATASET_FILE)
    if held is None and UNFINISHED in names:
        held = f"holds an unfinished run ({UNFINISHED})"
    if held is not None:
        raise ReadError(f"{folder}: {held}; give another folder for the data set: -o")
    if not names & {DATASET_FILE, "images"}:
        return None, []
    data = open_dataset(folder)
    return replace(data, assumed=()), list(data.assumed)


def _name_frames(
    sources: Sequence[StackSource], about: LabelledFrame, notes: list[str]
) -> list[_Frame]:
    frames: list[_Frame] = []
    taken: dict[str, set[int]] = {}
    for number, source in enumerate(sources):
        sequence = safe_name(about.sequence or source.name)
        numbers = taken.setdefault(sequence, set())
        with source.open() as stack:
            notes += [f"{source.name}: {note}" for note in stack.notes]
            size = about.pixel_size_um or stack.pixel_size_um
            for index, page, count in _pages(source, stack):
                while count in numbers:  # two movies under one name follow each other
                    count = max(numbers) + 1
                numbers.add(count)
                known = replace(about, sequence=sequence, frame=count, pixel_size_um=size)
                frames.append(_Frame(number, index, page, known))
    return frames


def _pages(source: StackSource, stack: FrameStack) -> Iterator[tuple[int, PageName, int]]:
    """Return index, place and number of each frame: the number in its name, if it has a file."""
    if source.positions is not None and source.numbers is not None:
        first = min(0, *source.numbers)  # a frame is counted from 0 on
        places = zip(source.files, source.positions, source.numbers, strict=True)
        for file, index, number in places:
            yield index, PageName(file.stem), number - first
        return
    for index in range(len(stack)):
        yield index, PageName(source.files[0].stem, index, len(stack)), index


def _say_left_out(frames: int, masks: int) -> list[str]:
    said = []
    if frames:
        said.append(f"{frames} frames have no mask and were left out")
    if masks:
        said.append(f"{masks} masks have no frame and were left out")
    return said


def _agree(
    data: Dataset | None, masks: Masks, options: ImportOptions, notes: list[str]
) -> tuple[str, ...]:
    """Return the classes that the data set will have."""
    named = data.class_names if data else options.class_names
    needed = [*(options.class_names or ()), *masks.class_names]
    if not named and not needed:
        raise ReadError(
            "the masks name no classes, as none of them holds a shape; say which classes the data "
            "set has: --classes background,NAME"
        )
    if named is None:
        named = ("background",) if masks.has_background else ()
        named = tuple(dict.fromkeys((*named, *needed)))
    missing = [name for name in dict.fromkeys(needed) if name not in named]
    if missing and (not options.add_classes or data is None):
        where = f"the data set {data.folder}" if data else "--classes"
        raise ReadError(
            f"{', '.join(missing)}: named in the masks, but {where} has {', '.join(named)}; "
            + ("append them with --add-classes, or correct the names" if data else "name them too")
        )
    names = (*named, *missing)
    if not 2 <= len(names) <= IGNORE:
        raise ReadError(f"{', '.join(names)}: a data set has 2 to {IGNORE} classes; see --classes")
    if masks.has_background and "background" not in names:
        notes.append(f"pixels without a shape are {names[0]}, the first class")
    return names


def _check_clashes(data: Dataset, added: Sequence[LabelledFrame]) -> None:
    clash = sorted({frame.sequence for frame in added} & set(data.sequences()))
    if clash:
        raise ReadError(
            f"{data.folder}: has a sequence {clash[0]} already; give the new frames another name "
            "with --sequence"
        )


@dataclass(frozen=True)
class _Writer:
    """Writes frames beside the data set first, and moves them into it when all are there."""

    sources: Sequence[StackSource]
    masks: Masks
    ids: ClassIds
    folder: Path

    def write(
        self,
        data: Dataset,
        pairs: Sequence[tuple[_Frame, int]],
        advance: Callable[[], object] | None,
    ) -> Dataset:
        """Write all frames, then `dataset.json`; on any error the folder is as it was."""
        self.folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".import-", dir=self.folder))
        moved: list[Path] = []
        try:
            written = []
            for frame in self._stage(staging, pairs):
                if frame.pixel_size_um == data.pixel_size_um:
                    frame = replace(frame, pixel_size_um=None)
                written.append(frame)
                if advance is not None:
                    advance()
            files = [file for frame in written for file in (frame.image, frame.label) if file]
            for file in files:
                self._move(staging / file, self.folder / file, moved)
            saved = replace(data, frames=(*data.frames, *written))
            saved.save()
        except BaseException:
            for path in moved:
                path.unlink(missing_ok=True)
            raise
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return saved

    def _stage(self, staging: Path, pairs: Sequence[tuple[_Frame, int]]) -> Iterator[LabelledFrame]:
        opened: tuple[int, FrameStack] | None = None
        try:
            for frame, mask in pairs:
                if opened is None or opened[0] != frame.stack:
                    if opened is not None:
                        opened[1].close()
                    opened = frame.stack, self.sources[frame.stack].open()
                image = opened[1][frame.index]
                size = int(image.shape[0]), int(image.shape[1])
                labels = self.masks.draw(mask, size, self.ids)
                yield write_frame(staging, image, labels, frame.about)
        finally:
            if opened is not None:
                opened[1].close()

    def _move(self, source: Path, target: Path, moved: list[Path]) -> None:
        if target.exists():
            raise ReadError(
                f"{target}: is there already, and {DATASET_FILE} does not list it; move it away"
            )
        target.parent.mkdir(exist_ok=True)
        os.replace(source, target)
        moved.append(target)
