"""Memory that nothing uses and that is still held."""

from __future__ import annotations

import ctypes
import gc
import sys


def give_back_memory() -> None:
    """Free what nothing uses any more, and on Linux return it to the system.

    Keras networks refer to themselves, so they wait for the collector. glibc keeps freed blocks of
    some megabytes, such as their kernels, and what comes next, in threads of its own, does not take
    them again.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none
        if trim is not None:
            trim(0)
