"""Identify a run by the content of its input, its weights and its settings.

The name that the user typed says nothing: another recording may have the same name, and the same
recording may have moved to another disk. So an input is known by a digest of its files.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from amseg_keras.read.errors import reading

if TYPE_CHECKING:
    from amseg_keras.preprocess import GreyRange
    from amseg_keras.read import FrameStack
    from amseg_keras.segment import Segmenter

RESULT_FORMAT = 2
"""Version of the result folders; it rises when a result means something else than before."""

WHOLE_BYTES = 100_000_000
"""Inputs up to this size are digested whole; of larger ones, sampled blocks."""

SAMPLED_BLOCKS = 128
BLOCK_BYTES = 1 << 16


@dataclass(frozen=True)
class InputContent:
    """The content of the files that an input is made of.

    Attributes:
        path: Absolute path of the file, or of the folder of a sequence, links resolved.
        files: Number of files.
        bytes: Size of all files together.
        digest: BLAKE2 digest of the content, of the file names where there are several, and of
            the order.
        sampled: True if only blocks of the files went into the digest.
        modified: Time at which the newest file was written, ISO 8601 with microseconds, in UTC.
    """

    path: str
    files: int
    bytes: int
    digest: str
    sampled: bool
    modified: str

    def same_content(self, other: InputContent) -> bool:
        """Tell whether two inputs hold the same, wherever they are."""
        return self._content == other._content

    def difference(self, there: Mapping[str, Any], source: str) -> str | None:
        """Say in words how this input differs from the input of a result; None if it does not."""
        other = InputContent(**there)
        if not self.same_content(other):
            if self.path == other.path:
                return f"{source} changed since then"
            return f"it was made from another input, {other.path}"
        if self.sampled and self.path == other.path and self.modified != other.modified:
            return (
                f"{source} was written to since then ({_day(self.modified)}); only samples of "
                f"its {self.bytes / 1e9:.1f} GB were compared, and these are equal"
            )
        return None

    @property
    def _content(self) -> tuple[Any, ...]:
        return self.files, self.bytes, self.digest, self.sampled


@dataclass(frozen=True)
class InputPlace:
    """The place of an input, for results that every command makes again.

    Attributes:
        path: Absolute path of the input, links resolved.
        from_output: Path of the input as seen from the output folder; it stays the same when both
            are moved together.
    """

    path: str
    from_output: str

    def difference(self, there: Mapping[str, Any], source: str) -> str | None:
        """Say in words how this input differs from the input of a result; None if it does not."""
        other = InputPlace(**there)
        if self.path == other.path or self.from_output == other.from_output:
            return None
        return f"it was made from another input, {other.path}, not from {source}"


def input_place(path: Path, output: Path) -> InputPlace:
    """Tell where an input is, absolutely and as seen from an output folder.

    Args:
        output: Output folder; it need not exist yet.
    """
    there, here = os.path.realpath(path), os.path.realpath(output)
    try:
        from_output = os.path.relpath(there, here)
    except ValueError:  # another drive
        from_output = there
    return InputPlace(there, from_output)


def input_content(files: Sequence[Path]) -> InputContent:
    """Digest the files of an input.

    Files of up to 100 MB together are read whole. Of larger inputs 128 blocks of 64 kB are read,
    the first and the last among them, so that 20 GB take no longer than a small file.

    Args:
        files: Files of the input in their order, at least one.

    Returns:
        The content.

    Raises:
        OSError: A file cannot be read.

    Example:
        >>> import tempfile
        >>> here = Path(tempfile.mkdtemp())
        >>> first, copy = here / "scan.raw", here / "copy.raw"
        >>> first.write_bytes(b"frames"), copy.write_bytes(b"frames")
        (6, 6)
        >>> input_content([first]).same_content(input_content([copy]))
        True
    """
    paths = [os.fspath(file) for file in files]
    status = [os.stat(path) for path in paths]
    sizes = [one.st_size for one in status]
    total = sum(sizes)
    digest = hashlib.blake2b(digest_size=16)
    if len(paths) > 1:
        for path, size in zip(paths, sizes, strict=True):
            digest.update(f"{os.path.basename(path)}\0{size}\0".encode("utf-8", "surrogateescape"))
    sampled = total > WHOLE_BYTES
    for part in _sampled(paths, sizes) if sampled else _whole(paths):
        digest.update(part)
    first = Path(paths[0])
    place = os.path.realpath(first if len(paths) == 1 else first.parent)
    newest = datetime.fromtimestamp(max(one.st_mtime for one in status), UTC)
    return InputContent(
        place, len(paths), total, digest.hexdigest(), sampled, newest.isoformat("T", "microseconds")
    )


def _whole(paths: Iterable[str]) -> Iterable[bytes]:
    for path in paths:
        with open(path, "rb") as file:
            while block := file.read(1 << 22):
                yield block


def _sampled(paths: Sequence[str], sizes: Sequence[int]) -> Iterable[bytes]:
    """Yield blocks at even distances through all files, as if they were one."""
    ends = np.cumsum(sizes)
    last = max(int(ends[-1]) - BLOCK_BYTES, 0)
    offsets = np.linspace(0, last, SAMPLED_BLOCKS).astype(np.int64)
    place, file = -1, None
    try:
        for offset in offsets.tolist():
            index = int(np.searchsorted(ends, offset, side="right"))
            if index != place:
                if file is not None:
                    file.close()
                place, file = index, open(paths[index], "rb", buffering=0)  # noqa: SIM115
            assert file is not None
            file.seek(offset - int(ends[index] - sizes[index]))
            yield file.read(BLOCK_BYTES)
    finally:
        if file is not None:
            file.close()


@dataclass(frozen=True)
class RunIdentity:
    """Input, settings and choices of a run, in values that JSON can hold.

    Attributes:
        source: Input as the user typed it, for messages.
        input: Content of the input, or its place for a result that every command makes again.
        frames: Properties of the frames: `shape`, `dtype`, `dataset`, `axes`.
        settings: Everything else that changes what is found: weights, grey levels.
        choices: Settings that change the files but not the result: formats, frames of a movie.
    """

    source: str
    input: InputContent | InputPlace | None
    frames: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    choices: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Give the entries of a record that tell whether another run is the same."""
        values: dict[str, Any] = {
            "result_format": RESULT_FORMAT,
            "source": self.source,
            **self.frames,
            **self.settings,
            **self.choices,
        }
        if self.input is not None:
            values["input"] = asdict(self.input)
        stored: dict[str, Any] = json.loads(json.dumps(values))
        return stored

    def difference(self, record: Mapping[str, Any]) -> str | None:
        """Say in words how a result differs from what this run would make; None if it does not.

        Args:
            record: Record of the result, or what an unfinished run has written of itself.
        """
        if record.get("result_format") != RESULT_FORMAT:
            return "it was made by another version of amseg, which does not say from which input"
        return (
            self.input_difference(record)
            or self._changed(record, self.settings)
            or self._changed(record, self.choices)
        )

    def input_difference(self, record: Mapping[str, Any]) -> str | None:
        """Say in words how the input of a result differs from this run's; None if it does not.

        Args:
            record: Record of a run, as in `difference`.
        """
        if self.input is None:
            return None
        try:
            found = self.input.difference(record["input"], self.source)
        except (KeyError, TypeError):
            return "it does not say from which input it was made"
        return found or self._changed(record, self.frames)

    def finds_the_same(self, record: Mapping[str, Any]) -> bool:
        """Tell whether an unfinished run finds the same in its frames, whatever files it writes."""
        return (
            record.get("result_format") == RESULT_FORMAT
            and self.input_difference(record) is None
            and self._changed(record, self.settings) is None
        )

    def _changed(self, record: Mapping[str, Any], part: Mapping[str, Any]) -> str | None:
        wanted = self.as_json()
        for key in part:
            if record.get(key) != wanted[key]:
                return f"{key} was {_short(record.get(key))} and is now {_short(wanted[key])}"
        return None


def stack_identity(
    stack: FrameStack, settings: Mapping[str, Any], choices: Mapping[str, Any] | None = None
) -> RunIdentity:
    """Identify a run over the frames of a stack.

    Args:
        settings: Everything else that changes what is found.
        choices: Settings that change only the files.

    Raises:
        ReadError: A file of the stack cannot be read.
    """
    made_of = stack.made_of
    frames = {
        "shape": list(stack.shape),
        "dtype": str(stack.dtype),
        "dataset": made_of.dataset,
        "axes": made_of.axes,
    }
    with reading(stack.source, "a file"):
        content = input_content(made_of.files)
    return RunIdentity(stack.source, content, frames, settings, choices or {})


def network_settings(
    segmenter: Segmenter, weights_sha256: str, grey_range: GreyRange
) -> dict[str, Any]:
    """List what of a network changes its labels.

    Args:
        grey_range: Grey levels that are scaled to the ends of the network's input.
    """
    return {
        "weights_sha256": weights_sha256,
        "precision": segmenter.precision,
        "class_names": list(segmenter.class_names),
        "grey_range": asdict(grey_range),
    }


def _day(modified: str) -> str:
    return datetime.fromisoformat(modified).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
