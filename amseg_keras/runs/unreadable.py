"""What a record says of frames that have no result."""

from __future__ import annotations

from typing import Any

from amseg_keras.read import FrameStack


def unreadable_frame(stack: FrameStack, index: int, error: str) -> dict[str, Any]:
    """Describe a frame that could not be read, and whether it was never there.

    Example:
        >>> from amseg_keras.read import open_stack
        >>> with open_stack("sample:esrf-welding") as stack:
        ...     unreadable_frame(stack, 3, "scan.tif: frame 3 is damaged")
        {'frame': 3, 'error': 'scan.tif: frame 3 is damaged'}
    """
    missing = {"missing": True} if stack.is_missing(index) else {}
    return {"frame": index, "error": error} | missing
