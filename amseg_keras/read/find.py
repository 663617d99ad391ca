"""Find the stacks that files, folders and patterns name."""

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from amseg_keras.read.errors import ReadError, reading
from amseg_keras.read.formats import (
    SUPPORTED,
    FrameReader,
    file_type,
    holds_datasets,
    is_store,
    is_supported,
    open_reader,
)
from amseg_keras.read.formats.sequence import JoinedReader, SequenceReader, without_lost_frames
from amseg_keras.read.group import Group, group_files, natural_order
from amseg_keras.read.names import safe_name, unique_names
from amseg_keras.read.stack import AS_FOUND, FrameStack, MadeOf, ReadOptions
from amseg_keras.samples import PREFIX, sample_names, sample_path

_SEPARATOR = "::"
_LISTED = 8


@dataclass(frozen=True)
class StackSource:
    """A stack that is not open yet.

    Attributes:
        name: Name that is unique among the stacks of the inputs and safe as a file name.
        source: The file, folder or pattern as the user would recognise it.
        files: The one file, or the members of a sequence in order.
        dataset: Path inside an HDF5 file, if one was given.
        positions: Frame number of each file of a sequence, with gaps where files are missing; None
            if each file may hold several frames.
        numbers: Number of each file of a sequence, from its name.
        axes: Meaning of the axes of an array, if the user said it.
        notes: Sentence for each assumption in finding the files.
        options: Options of the user, which find the same stack again.

    Example:
        >>> sources, _ = find_stacks(["sample:esrf-lpbf", "sample:esrf-welding"])
        >>> for source in sources:
        ...     with source.open() as stack:
        ...         print(source.name, stack.shape)
        esrf-lpbf (24, 256, 512)
        esrf-welding (12, 256, 512)
    """

    name: str
    source: str
    files: tuple[Path, ...]
    dataset: str | None = None
    positions: tuple[int, ...] | None = None
    numbers: tuple[int, ...] | None = None
    axes: str | None = None
    notes: tuple[str, ...] = ()
    options: ReadOptions = AS_FOUND

    def open(self, *, keep_nonfinite: bool = False) -> FrameStack:
        """Open it.

        Args:
            keep_nonfinite: Return NaN and infinite pixels, to repair them, instead of an error.

        Raises:
            ReadError: The file, or every file of a sequence, cannot be read.
        """
        reader: FrameReader
        notes: tuple[str, ...] = ()
        if len(self.files) == 1:
            opened = open_reader(self.files[0], self.dataset, self.axes)
            reader, notes = without_lost_frames(opened, self.files[0]), self.notes
        elif self.positions is None and self.numbers is not None:
            reader = JoinedReader(self.source, self.files, self.notes)
        else:
            reader = SequenceReader(self.source, self.files, self.positions, self.notes)
        made_of = MadeOf(self.files, self.dataset, self.axes, self.options)
        return FrameStack(
            self.name, self.source, reader, notes, keep_nonfinite=keep_nonfinite, made_of=made_of
        )


def find_stacks(
    inputs: Sequence[str | os.PathLike[str]], options: ReadOptions = AS_FOUND
) -> tuple[list[StackSource], list[ReadError]]:
    """Find every stack that the inputs name, without opening more than a file of each sequence.

    An input is a file, a dataset ``file.h5::/path``, a folder (not its subfolders), a Zarr store, a
    pattern such as ``frames/*.tif`` or a sample of this package, ``sample:esrf-lpbf``. Single-frame
    files of a folder whose names differ in the number that counts the frames are one sequence;
    numbers that are left out are missing frames. Files given one by one, and files of several
    frames, are stacks of their own, unless `options` says otherwise. In a folder, hidden files and
    files that are no images are skipped.

    Args:
        inputs: One or more inputs, as the user typed them.
        options: Options of the user, for an input that can be read in two ways.

    Returns:
        The stacks in the order of the inputs, and an error for each input or file that cannot be
        a stack. Files that are found broken only when read raise on `StackSource.open` or on
        reading the frame.

    Example:
        >>> stacks, errors = find_stacks(["sample:esrf-lpbf", "run_07"])
        >>> [stack.name for stack in stacks], [str(error) for error in errors]
        (['esrf-lpbf'], ['run_07: no such file or folder; check the path'])
    """
    found: list[StackSource] = []
    errors: list[ReadError] = []
    paths = [os.fspath(given) for given in inputs]
    try:
        sequences = _sequences_of_files(paths, options)
    except ReadError as error:
        return [], [error]
    finder = _Finder(options, errors)
    for path in paths:
        try:
            found += [sequences[path]] if path in sequences else finder.find(path)
        except ReadError as error:
            errors.append(error)
    distinct: dict[tuple[object, ...], StackSource] = {}
    for stack in found:
        distinct.setdefault((stack.files, stack.dataset), stack)
    stacks = [replace(stack, axes=options.axes, options=options) for stack in distinct.values()]
    names = unique_names([_name_parts(stack) for stack in stacks])
    return [replace(stack, name=name) for stack, name in zip(stacks, names, strict=True)], errors


def open_stack(path: str | os.PathLike[str], options: ReadOptions = AS_FOUND) -> FrameStack:
    """Open the one stack that a file, dataset ``file.h5::/path``, folder or pattern holds.

    Args:
        path: Input, as of `find_stacks`.
        options: As in `find_stacks`.

    Returns:
        The stack, open; with `with` its file is closed at the end.

    Raises:
        ReadError: There is no stack, or there are several (the message lists them).

    Example:
        >>> with open_stack("sample:esrf-lpbf") as stack:
        ...     print(len(stack))
        24
    """
    stacks, errors = find_stacks([path], options)
    if len(stacks) > 1:
        names = ", ".join(stack.source for stack in stacks[:_LISTED])
        more = f" and {len(stacks) - _LISTED} more" if len(stacks) > _LISTED else ""
        raise ReadError(
            f"{os.fspath(path)}: holds {len(stacks)} stacks, open one of them: {names}{more}"
        )
    if errors:
        raise errors[0]
    return stacks[0].open()


def _sequences_of_files(paths: Sequence[str], options: ReadOptions) -> dict[str, StackSource]:
    """Group files that were given one by one, if several of them are numbered alike."""
    files = {path: Path(path) for path in paths if os.path.isfile(path)}
    if options.separate or len(files) < 2:
        return {}
    groups = group_files(
        [file for file in dict.fromkeys(files.values()) if is_supported(file)], options
    )
    found: dict[Path, StackSource] = {}
    for group in groups:
        source = _from_group(None, group)
        for file in group.files:
            if options.join or len(group.files) == 1:
                found[file] = source
            else:
                note = (
                    f"one of {len(group.files)} numbered files that were given one by one, each a "
                    "stack of its own; if they are frames of one recording: --join, or give the "
                    "folder"
                )
                found[file] = replace(_single(file, str(file)), notes=(note,))
    return {path: found[file] for path, file in files.items() if file in found}


@dataclass
class _Finder:
    """Search for the stacks of one input after the other; errors of single files are kept."""

    options: ReadOptions
    errors: list[ReadError]

    def find(self, given: str) -> list[StackSource]:
        if given.startswith(PREFIX):
            return [_sample(given)]
        with reading(given, "a path"):
            if os.path.lexists(given):
                path = Path(given)
                if os.path.isdir(given) and not is_store(path):
                    return self._in_folder(given)
                return [_single(path, given)]
        if _SEPARATOR in given:
            return [_dataset(given)]
        if any(sign in given for sign in "*?["):
            return self._by_pattern(given)
        with reading(given, "a path"):
            os.stat(given)  # raises, and tells a path that is forbidden from one that is missing
        raise ReadError(f"{given}: no such file or folder; check the path")

    def _in_folder(self, given: str) -> list[StackSource]:
        with reading(given, "a folder"):
            entries = [Path(entry.path) for entry in os.scandir(given)]
        images = self._image_files(entries)
        if not images:
            raise ReadError(
                f"{given}: is a folder without images; supported are {', '.join(SUPPORTED)}"
            )
        return self._to_sources(given, images)

    def _by_pattern(self, given: str) -> list[StackSource]:
        matches = [Path(match) for match in glob.glob(given, recursive=True)]
        folders = [match for match in matches if match.is_dir() and not is_store(match)]
        images = self._image_files([match for match in matches if match not in set(folders)])
        found = self._to_sources(given, images) if images else []
        for folder in sorted(folders, key=natural_order):
            try:
                found += self._in_folder(str(folder))
            except ReadError as error:
                self.errors.append(error)
        if not found and not self.errors:
            hint = (
                "; in a pattern [ab] means a or b, so write [[] for a [ that is part of a name"
                if "[" in given
                else ""
            )
            raise ReadError(
                f"{given}: no image matches this pattern; check it, or give the folder instead"
                f"{hint}"
            )
        return found

    def _image_files(self, paths: Sequence[Path]) -> list[Path]:
        images = []
        for path in sorted(paths, key=natural_order):
            if path.name.startswith(".") or not is_supported(path):
                continue
            if path.is_dir() and not is_store(path):
                self.errors.append(
                    ReadError(
                        f"{path}: is a folder, not an image; give it as an input of its own if it "
                        "holds frames, or rename it"
                    )
                )
            else:
                images.append(path)
        return images

    def _to_sources(self, given: str, files: Sequence[Path]) -> list[StackSource]:
        groups = group_files(files, self.options)
        return [_from_group(given if len(groups) == 1 else None, group) for group in groups]


def _from_group(given: str | None, group: Group) -> StackSource:
    first = group.files[0]
    if len(group.files) == 1:
        return replace(_single(first, str(first)), notes=group.notes)
    folder = first.parent
    neighbours = [Path(name) for name in os.listdir(folder) if not name.startswith(".")]
    if sum(map(is_supported, neighbours)) == len(group.files):
        name, source = _folder_name(folder), given or str(folder)
    else:
        name = safe_name(group.prefix.strip("._- ") or _folder_name(folder))
        source = given or str(folder / group.pattern)
    return StackSource(
        name,
        source,
        group.files,
        positions=group.positions,
        numbers=group.numbers,
        notes=group.notes,
    )


def _single(file: Path, given: str) -> StackSource:
    if not is_supported(file) and not is_store(file):
        raise ReadError(
            f"{given}: files of type '{file.suffix}' are not supported; "
            f"save it as one of {', '.join(SUPPORTED)}"
        )
    return StackSource(safe_name(_stem(file)), given, (file,))


def _sample(given: str) -> StackSource:
    try:
        file = sample_path(given.removeprefix(PREFIX))
    except KeyError as error:
        raise ReadError(
            f"{given}: no such sample; there are {', '.join(PREFIX + n for n in sample_names())}"
        ) from error
    return StackSource(file.stem, given, (file,))


def _dataset(given: str) -> StackSource:
    # A file name may hold the separator too: the longest one that is there is meant.
    file, dataset = given.split(_SEPARATOR, 1)
    for at in range(len(given) - 1, 0, -1):
        if given.startswith(_SEPARATOR, at) and os.path.lexists(given[:at]):
            file, dataset = given[:at], given[at + len(_SEPARATOR) :]
            break
    path = Path(file)
    with reading(file, "a path"):
        os.stat(path)
    if not holds_datasets(path) and not is_store(path):
        raise ReadError(
            f"{given}: '::' names a dataset, but {file} is no HDF5 file and no Zarr store; leave "
            "it out"
        )
    name = "_".join((_stem(path), *filter(None, dataset.split("/"))))
    return StackSource(safe_name(name), given, (path,), dataset)


def _stem(file: Path) -> str:
    return file.name[: len(file.name) - len(file_type(file))] or file.name


def _folder_name(folder: Path) -> str:
    # Also of "." and "..".
    return safe_name(Path(os.path.abspath(folder)).name)


def _name_parts(stack: StackSource) -> tuple[str, str, str]:
    """Return (folder to put in front, name, extension), for `unique_names`."""
    first = stack.files[0]
    folder = Path(os.path.abspath(first.parent))
    if len(stack.files) > 1 and stack.name == _folder_name(folder):
        folder = folder.parent
    return folder.name, stack.name, first.suffix.lstrip(".").lower()
