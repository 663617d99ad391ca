"""Workers: processes of this machine, or those of a dask scheduler."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from amseg_keras.backend import usable_cores

if TYPE_CHECKING:
    from distributed import Client

CONNECT_S = 20
"""Seconds in which a scheduler must answer."""


class ClusterError(ValueError):
    """Workers that cannot be had, or that cannot do their work; the message says what to do."""


@contextmanager
def connected(workers: int | None = None, scheduler: str | None = None) -> Iterator[Client]:
    """Start workers on this machine, or use those of a scheduler.

    Args:
        workers: Number of processes to start here; they end with the block.
        scheduler: Address of a running scheduler in place of them, `tcp://host:8786`.

    Yields:
        The client. What it was asked to do and has not done is cancelled at the end.

    Raises:
        ClusterError: dask.distributed is not installed, or the scheduler does not answer.
    """
    try:
        from distributed import Client, LocalCluster
    except ModuleNotFoundError as error:
        raise ClusterError(
            "more than one process needs dask.distributed: pip install 'amseg-keras[cluster]'"
        ) from error
    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"{scheduler}: no dask scheduler answers there ({type(error).__name__}); start one "
                "with: dask scheduler"
            ) from error
        with client:
            yield client
        return
    # Ctrl-C reaches the workers too, who would each say so; they are to end with the block.
    with _interrupts_ignored():
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address=None,
            # A network is as large as it is; there is nothing that could be moved to disk.
            memory_limit=0,
            silence_logs=logging.CRITICAL,
        )
    with cluster, Client(cluster, set_as_default=False) as client:
        yield client


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Processes that are started inside never learn of Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def threads_of_each(workers: int) -> int:
    """Threads for each of so many workers on this machine.

    Example:
        >>> threads_of_each(10_000)
        1
    """
    return max(1, usable_cores() // workers)
