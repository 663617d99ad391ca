"""Making batches in threads before they are asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import numpy as np

Batch = tuple[np.ndarray, np.ndarray]


class MadeAhead:
    """Makes the next batches while the network is busy with this one.

    Keras has threads for this too (`PyDataset(workers=...)`), but what they made and was not
    asked for is handed out in the next epoch (Keras 3.15, JAX and PyTorch), so that a resumed
    training would see other batches. Here a batch is known by its epoch and index, and one that
    turns out not to be wanted is dropped.

    Args:
        make: Makes the batch of an epoch and index; called by several threads at once.
        count: Batches in an epoch.
        workers: Threads, and batches ahead.
        pool: Of threads or processes that make the batches; by default threads of its own.

    Example:
        >>> ahead = MadeAhead(lambda epoch, index: (np.array(epoch), np.array(index)), 3, 2)
        >>> [int(ahead.get(0, index)[1]) for index in (0, 1, 2)]
        [0, 1, 2]
    """

    def __init__(
        self,
        make: Callable[[int, int], Batch],
        count: int,
        workers: int,
        pool: Executor | None = None,
    ) -> None:
        self._make = make
        self._count = count
        self._workers = workers
        self._pool = pool or ThreadPoolExecutor(workers, thread_name_prefix="amseg-batches")
        self._lock = threading.Lock()
        self._started: dict[tuple[int, int], Future[Batch]] = {}
        self._expected = (0, 0)

    def get(self, epoch: int, index: int) -> Batch:
        """The batch, made ahead or now. Raises what making it raised."""
        with self._lock:
            wanted = [(epoch, index)]
            # Guessing what comes next is a waste where batches are asked for in another order.
            if index == 0 or (epoch, index) == self._expected:
                wanted += [self._later(epoch, index + k) for k in range(1, self._workers + 1)]
            self._expected = self._later(epoch, index + 1)
            for key in set(self._started) - set(wanted):
                self._started.pop(key).cancel()
            for key in wanted:
                if key not in self._started:
                    self._started[key] = self._pool.submit(self._make, *key)
            future = self._started.pop((epoch, index))
        return future.result()

    def _later(self, epoch: int, index: int) -> tuple[int, int]:
        return epoch + index // self._count, index % self._count
