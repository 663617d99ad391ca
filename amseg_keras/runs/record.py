"""What an output folder says of the run that made it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amseg_keras.atomic import complete_or_absent

if TYPE_CHECKING:
    from amseg_keras.preprocess import GreyRange
    from amseg_keras.read import FrameStack
    from amseg_keras.segment import Segmenter


class OutputTakenError(ValueError):
    """The output folder holds the result of another run; nothing in it was touched.

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
        ...         print(str(error).partition(": ")[2])
        holds the result of another run (sample:esrf-welding); give another -o, or --overwrite to
        replace it
    """


def finished_record(path: Path, wanted: dict[str, Any], overwrite: bool) -> dict[str, Any] | None:
    """The record of an earlier run if it did the same, None if a new run may begin.

    Args:
        path: of the record, which a run writes last.
        wanted: what must be equal for the run to be the same, as it reads back from JSON.
        overwrite: a new run may begin whatever is there.

    Raises:
        OutputTakenError: the folder holds another run's result and `overwrite` is off.
    """
    if overwrite or not path.exists():
        return None
    try:
        record = json.loads(path.read_text("utf-8"))
    except ValueError:
        record = {}
    if all(record.get(key) == value for key, value in wanted.items()):
        return record
    made_from = ", ".join(record[key] for key in ("source", "model") if key in record)
    raise OutputTakenError(
        f"{path.parent}: holds the result of another run ({made_from or 'unknown'}); "
        "give another -o, or --overwrite to replace it"
    )


def identity_of(
    stack: FrameStack, segmenter: Segmenter, weights_sha256: str, grey_range: GreyRange
) -> dict[str, Any]:
    """Which frames a run saw with which network: what makes two runs the same.

    Args:
        stack: The frames.
        segmenter: The network.
        weights_sha256: Of its weights.
        grey_range: The grey levels that were scaled to the ends of its input.
    """
    return {
        "source": stack.source,
        "dtype": str(stack.dtype),
        "weights_sha256": weights_sha256,
        "precision": segmenter.precision,
        "class_names": list(segmenter.class_names),
        "grey_range": asdict(grey_range),
    }


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write the record, whole or not at all."""
    with complete_or_absent(path) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
