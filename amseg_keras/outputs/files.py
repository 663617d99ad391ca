"""The files of an output folder: their names, the records, and the errors of writing them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amseg_keras.atomic import complete_or_absent


class OutputError(ValueError):
    """A result cannot be put into its output folder; the message says why and what to do.

    Example:
        >>> issubclass(OutputTakenError, OutputError)
        True
    """


class OutputTakenError(OutputError):
    """The output folder holds something else, or is in use; nothing in it was touched.

    Example:
        >>> import tempfile
        >>> from amseg_keras.preprocess import Median, Stretch
        >>> from amseg_keras.read import open_stack
        >>> from amseg_keras.runs import prepare_stack
        >>> folder = Path(tempfile.mkdtemp())
        >>> with open_stack("sample:esrf-welding") as raw:
        ...     done = prepare_stack(raw, [Stretch()], folder)
        ...     try:
        ...         prepare_stack(raw, [Stretch(), Median(3)], folder)
        ...     except OutputTakenError as error:
        ...         print(str(error).partition(": ")[2].partition(" (")[0])
        holds the result of another run
    """


class CannotWriteError(OutputError):
    """A file of the output folder cannot be written; the message says why and what to do."""


@dataclass(frozen=True)
class OutputFiles:
    """Names of the files that a command writes into its output folder.

    Attributes:
        command: Command as the user types it, `"amseg quantify"`.
        record: Name of the file that is written last.
        names: Names of the other files and folders; `*` and `?` stand for characters.
        tables: Columns of each table that no other command writes together, by its name.
    """

    command: str
    record: str
    names: Sequence[str]
    tables: Mapping[str, Sequence[str]] = field(default_factory=dict)


RECORDS = {
    "run.json": "amseg segment, watch or train",
    "prepare.json": "amseg prepare",
    "explain.json": "amseg explain",
    "quantities.json": "amseg quantify",
    "evaluation.json": "amseg evaluate",
    "correlation.json": "amseg correlate",
    "dataset.json": "a data set",
}
"""Records by which the result of another command is known, so that nothing writes over it."""


def result_of_another(folder: Path, record: str) -> str | None:
    """Say whether a folder holds the result of another command.

    Args:
        folder: Folder to write into; it may be missing.
        record: Name of the record of the command that wants to write.

    Returns:
        Phrase that names the other command and its record; None if the folder is free.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "prepare.json").write_text("{}")
        2
        >>> result_of_another(folder, "dataset.json")
        'holds the result of amseg prepare (prepare.json)'
        >>> result_of_another(folder, "prepare.json") is None
        True
    """
    for name, command in RECORDS.items():
        if name != record and (folder / name).is_file():
            return f"holds the result of {command} ({name})"
    return None


def read_record(path: Path) -> dict[str, Any] | None:
    """Read a record; None if there is none, empty if it is damaged.

    Args:
        path: Path of the record.
    """
    try:
        record = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write values as JSON, whole or not at all.

    Args:
        path: Path of the file to write.
        values: Values that JSON can hold.
    """
    with complete_or_absent(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2) + "\n", "utf-8")


def remove(path: Path) -> None:
    """Delete a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
