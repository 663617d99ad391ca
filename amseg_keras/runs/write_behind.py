"""Writing in a thread of its own, behind the work that gives what is to be written."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class _AbandonedError(Exception):
    """Ends a writer whose items will not come; it cleans up as after any other error."""


class WriteBehind(Generic[Item, Result]):
    """A function that goes through an iterator, run in a thread and fed item by item.

    Left without `result`, as on an error, the function sees its iterator fail: a file written with
    `complete_or_absent` is then absent.

    Args:
        write: The function.
        behind: How many items may wait for it; then `put` waits.

    Example:
        >>> with WriteBehind(sum, behind=2) as total:
        ...     for number in range(5):
        ...         total.put(number)
        ...     print(total.result())
        10
    """

    def __init__(self, write: Callable[[Iterator[Item]], Result], behind: int) -> None:
        self._write = write
        self._behind = behind
        self._items: deque[Item] = deque()
        self._complete = self._abandoned = self._over = False
        self._error: BaseException | None = None
        self._result: Result | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="amseg-writer", daemon=True)

    def __enter__(self) -> WriteBehind[Item, Result]:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._changed:
            self._abandoned = not self._complete
            self._changed.notify_all()
        self._thread.join()

    def put(self, item: Item) -> None:
        """Hand over the next item. Raises what the function raised before."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or len(self._items) < self._behind)
            if self._error is not None:
                raise self._error
            if not self._over:
                self._items.append(item)
                self._changed.notify_all()

    def result(self) -> Result:
        """Say that there are no more items, and wait for what the function returns."""
        with self._changed:
            self._complete = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._over)
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]

    def _run(self) -> None:
        result, error = None, None
        try:
            result = self._write(self._coming())
        except BaseException as raised:
            error = raised
        with self._changed:
            self._result, self._error, self._over = result, error, True
            self._items.clear()
            self._changed.notify_all()

    def _coming(self) -> Iterator[Item]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._complete or self._abandoned)
                if self._abandoned:
                    raise _AbandonedError
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item
