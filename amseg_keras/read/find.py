"""From what a user types, files, folders and patterns, to the stacks they mean."""

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from amseg_keras.read.errors import ReadError, reading
from amseg_keras.read.formats import (
    SUPPORTED,
    FrameReader,
    holds_datasets,
    is_supported,
    open_reader,
)
from amseg_keras.read.group import Group, group_files, natural_order
from amseg_keras.read.names import safe_name, unique_names
from amseg_keras.read.stack import FrameStack
from amseg_keras.samples import PREFIX, sample_names, sample_path

from .formats.sequence import SequenceReader

_SEPARATOR = "::"
_LISTED = 8


@dataclass(frozen=True)
class StackSource:
    """A stack that was found and not yet opened.

    Attributes:
        name: Unique among the stacks found with it, safe as a file name.
        source: The file, folder or pattern as the user would recognise it.
        files: The one file, or the members of a sequence in order.
        dataset: Path inside an HDF5 file, if one was given.

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

    def open(self) -> FrameStack:
        """Open it.

        Raises:
            ReadError: It cannot be read; of a sequence, none of its files can.
        """
        if len(self.files) > 1:
            reader: FrameReader = SequenceReader(self.source, self.files)
            return FrameStack(self.name, self.source, reader, self.files)
        reader = open_reader(self.files[0], self.dataset)
        return FrameStack(self.name, self.source, reader, self.files, self.dataset)


def find_stacks(
    inputs: Sequence[str | os.PathLike[str]],
) -> tuple[list[StackSource], list[ReadError]]:
    """Find every stack that the inputs name, without opening more than a file of each sequence.

    An input is a file, a dataset ``file.h5::/path``, a folder (not its subfolders), a pattern
    such as ``frames/*.tif`` or a sample of this package, ``sample:esrf-lpbf``. Single-frame files
    of a folder whose names differ only in their last number are one sequence, whether they come
    from a folder, a pattern or one by one, as a shell gives them for an unquoted pattern; every
    other file is a stack of its own. In a folder, hidden files and files that are no images are
    passed over.

    Args:
        inputs: What a user typed, one or more of these.

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
    sequences = _sequences_of_files(paths)
    for path in paths:
        try:
            found += [sequences[path]] if path in sequences else _find_one(path, errors)
        except ReadError as error:
            errors.append(error)
    distinct: dict[tuple[object, ...], StackSource] = {}
    for stack in found:
        distinct.setdefault((stack.files, stack.dataset), stack)
    stacks = list(distinct.values())
    names = unique_names([_name_parts(stack) for stack in stacks])
    return [replace(stack, name=name) for stack, name in zip(stacks, names, strict=True)], errors


def open_stack(path: str | os.PathLike[str]) -> FrameStack:
    """Open the one stack that a file, dataset ``file.h5::/path``, folder or pattern holds.

    Args:
        path: As an input of `find_stacks`.

    Returns:
        The stack, open; with `with` its file is closed at the end.

    Raises:
        ReadError: There is none, or there are several (the message lists them).

    Example:
        >>> with open_stack("sample:esrf-lpbf") as stack:
        ...     print(len(stack))
        24
    """
    stacks, errors = find_stacks([path])
    if len(stacks) > 1:
        names = ", ".join(stack.source for stack in stacks[:_LISTED])
        more = f" and {len(stacks) - _LISTED} more" if len(stacks) > _LISTED else ""
        raise ReadError(
            f"{os.fspath(path)}: holds {len(stacks)} stacks, open one of them: {names}{more}"
        )
    if errors:
        raise errors[0]
    return stacks[0].open()


def _sequences_of_files(paths: Sequence[str]) -> dict[str, StackSource]:
    """The sequence that each of the files given one by one is part of, if it is."""
    files = {path: Path(path) for path in paths if os.path.isfile(path)}
    groups = group_files([file for file in dict.fromkeys(files.values()) if is_supported(file)])
    sequences = {
        file: _from_group(None, group)
        for group in groups
        if len(group.files) > 1
        for file in group.files
    }
    return {path: sequences[file] for path, file in files.items() if file in sequences}


def _find_one(given: str, errors: list[ReadError]) -> list[StackSource]:
    if given.startswith(PREFIX):
        return [_sample(given)]
    with reading(given, "a path"):
        if os.path.lexists(given):
            if os.path.isdir(given):
                return _find_in_folder(given, errors)
            return [_single(Path(given), given)]
    if _SEPARATOR in given:
        file, dataset = given.split(_SEPARATOR, 1)
        return [_dataset(given, Path(file), dataset)]
    if any(sign in given for sign in "*?["):
        return _find_by_pattern(given, errors)
    with reading(given, "a path"):
        os.stat(given)  # raises, and tells a path that is forbidden from one that is missing
    raise ReadError(f"{given}: no such file or folder; check the path")


def _find_in_folder(given: str, errors: list[ReadError]) -> list[StackSource]:
    with reading(given, "a folder"):
        entries = [Path(entry.path) for entry in os.scandir(given)]
    images = _image_files(entries, errors)
    if not images:
        raise ReadError(
            f"{given}: is a folder without images; supported are {', '.join(SUPPORTED)}"
        )
    return _to_sources(given, images)


def _find_by_pattern(given: str, errors: list[ReadError]) -> list[StackSource]:
    matches = [Path(match) for match in glob.glob(given, recursive=True)]
    images = _image_files([match for match in matches if not match.is_dir()], errors)
    found = _to_sources(given, images) if images else []
    for folder in sorted((match for match in matches if match.is_dir()), key=natural_order):
        try:
            found += _find_in_folder(str(folder), errors)
        except ReadError as error:
            errors.append(error)
    if not found and not errors:
        raise ReadError(
            f"{given}: no image matches this pattern; check it, or give the folder instead"
        )
    return found


def _image_files(paths: Sequence[Path], errors: list[ReadError]) -> list[Path]:
    images = []
    for path in sorted(paths, key=natural_order):
        if path.name.startswith(".") or not is_supported(path):
            continue
        if path.is_dir():
            errors.append(
                ReadError(
                    f"{path}: is a folder, not an image; give it as an input of its own if it "
                    "holds frames, or rename it"
                )
            )
        else:
            images.append(path)
    return images


def _to_sources(given: str, files: Sequence[Path]) -> list[StackSource]:
    groups = group_files(files)
    return [_from_group(given if len(groups) == 1 else None, group) for group in groups]


def _from_group(given: str | None, group: Group) -> StackSource:
    first = group.files[0]
    if len(group.files) == 1:
        return _single(first, str(first))
    folder = first.parent
    neighbours = [Path(name) for name in os.listdir(folder) if not name.startswith(".")]
    if sum(map(is_supported, neighbours)) == len(group.files):
        return StackSource(_folder_name(folder), given or str(folder), group.files)
    name = group.prefix.strip("._- ") or _folder_name(folder)
    pattern = str(folder / f"{group.prefix}*{first.suffix}")
    return StackSource(safe_name(name), given or pattern, group.files)


def _single(file: Path, given: str) -> StackSource:
    if not is_supported(file):
        raise ReadError(
            f"{given}: files of type '{file.suffix}' are not supported; "
            f"save it as one of {', '.join(SUPPORTED)}"
        )
    return StackSource(safe_name(file.stem), given, (file,))


def _sample(given: str) -> StackSource:
    try:
        file = sample_path(given.removeprefix(PREFIX))
    except KeyError as error:
        raise ReadError(
            f"{given}: no such sample; there are {', '.join(PREFIX + n for n in sample_names())}"
        ) from error
    return StackSource(file.stem, given, (file,))


def _dataset(given: str, file: Path, dataset: str) -> StackSource:
    with reading(str(file), "a path"):
        os.stat(file)
    if not holds_datasets(file):
        raise ReadError(f"{given}: '::' names a dataset, but {file} is no HDF5 file; leave it out")
    name = "_".join((file.stem, *filter(None, dataset.split("/"))))
    return StackSource(safe_name(name), given, (file,), dataset)


def _folder_name(folder: Path) -> str:
    # Also of "." and "..".
    return safe_name(Path(os.path.abspath(folder)).name)


def _name_parts(stack: StackSource) -> tuple[str, str, str]:
    """(folder to put in front, name, extension), for `unique_names`."""
    first = stack.files[0]
    folder = Path(os.path.abspath(first.parent))
    if len(stack.files) > 1 and stack.name == _folder_name(folder):
        folder = folder.parent
    return folder.name, stack.name, first.suffix.lstrip(".").lower()
