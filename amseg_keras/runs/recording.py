"""The recording that a finished run was made from."""

from __future__ import annotations

from amseg_keras.outputs import input_content
from amseg_keras.read import FrameStack, ReadError, ReadOptions, open_stack
from amseg_keras.read.errors import reading
from amseg_keras.runs.labelled_run import LabelledRun


def open_recording(run: LabelledRun) -> tuple[FrameStack | None, str | None]:
    """Open the frames that were segmented, if they are there and still the same.

    Args:
        run: The finished run.

    Returns:
        The frames, to be closed by the caller, and None; or None and the reason why not.
    """
    try:
        options = ReadOptions(**run.record.get("reading", {}))
        stack = open_stack(run.source, options)
    except (ReadError, TypeError) as error:
        return None, str(error)
    if stack.shape == run.shape:
        if (changed := _changed_since(stack, run)) is None:
            return stack, None
        stack.close()
        return None, f"{changed}, so its frames are not those of the labels"
    found, wanted = (" x ".join(map(str, shape)) for shape in (stack.shape, run.shape))
    stack.close()
    return None, f"{run.source}: is now {found} and was {wanted} when it was segmented"


def _changed_since(stack: FrameStack, run: LabelledRun) -> str | None:
    """How the recording differs from the one that was segmented; None if it does not."""
    there = run.record.get("input")
    if not isinstance(there, dict):
        return None
    with reading(stack.source, "a file"):
        return input_content(stack.made_of.files).difference(there, stack.source)
