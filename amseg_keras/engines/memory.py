"""Memory that is free and yet this process'."""

from __future__ import annotations

import ctypes
import gc
import sys


def give_back_memory() -> None:
    """Return to the system what is not used any more, on Linux; elsewhere nothing happens.

    glibc keeps freed blocks of some megabytes, such as kernels of a network that was rewritten,
    and what comes next, in threads of its own, does not take them again.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none
        if trim is not None:
            trim(0)
