"""Processes that simulate, which take neither the GPU nor the cores of the one that trains."""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures import Executor, ProcessPoolExecutor

from amseg_keras.backend import usable_cores

_ALONE = {
    # The process that trains holds the accelerator and its memory.
    "JAX_PLATFORMS": "cpu",
    "CUDA_VISIBLE_DEVICES": "",
    # One thread each: there are as many processes as cores.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


def simulating_processes() -> Executor:
    """Start processes on all cores but one, at least one process.

    Each process ends with the process that started it, even if that one is killed.
    """
    count = max(1, usable_cores() - 1)
    return _Alone(count, mp_context=multiprocessing.get_context("spawn"), initializer=_begin)


class _Alone(ProcessPoolExecutor):
    """Processes that see no accelerator; the environment of this process stays as it is."""

    def submit(self, *arguments, **keywords):  # type: ignore[no-untyped-def]
        # Processes are started when something is submitted.
        before = {name: os.environ.get(name) for name in _ALONE}
        os.environ.update(_ALONE)
        try:
            return super().submit(*arguments, **keywords)
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _begin() -> None:
    """Prepare a process: one thread, low priority, and an end when its parent ends."""
    import cv2

    cv2.setNumThreads(1)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: object) -> None:
    parent.join()  # type: ignore[attr-defined]
    os._exit(1)
