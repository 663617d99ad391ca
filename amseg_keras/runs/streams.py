"""Threads that read frames before the network needs them, and write files behind it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

import numpy as np

from amseg_keras.read import Frames, FrameStack, ReadError


class ReadAhead:
    """A stack whose next frames are read while the network works on earlier ones.

    An error of reading a frame is raised when the frame is requested. A frame stays in memory
    until `take` or `forget` releases it, so that it need not be read again to be drawn.

    Args:
        frames: Stack `(frames, height, width)`; only this thread reads from it.
        ahead: Number of frames that are read before they are requested.

    Example:
        >>> frames = np.arange(6, dtype="uint16").reshape(6, 1, 1)
        >>> with ReadAhead(frames, range(6), ahead=2) as ahead:
        ...     print(int(ahead[0][0, 0]), ahead.take(0), ahead.shape)
        0 [[0]] (6, 1, 1)
    """

    def __init__(self, frames: Frames, indices: Iterable[int], ahead: int) -> None:
        self._frames = frames
        self.shape: tuple[int, ...] = (len(frames), *frames.shape[1:])
        self._ahead = ahead
        self._rests = False
        self._coming = dict.fromkeys(indices)
        self._kept: dict[int, np.ndarray | BaseException] = {}
        self._unrequested: set[int] = set()
        self._waiting = 0
        self._changed = threading.Condition()
        self._file = threading.Lock()
        self._thread = threading.Thread(target=self._read_all, name="amseg-reader", daemon=True)

    def __enter__(self) -> ReadAhead:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        with self._changed:
            self._coming.clear()
            self._changed.notify_all()
        self._thread.join()

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int, /) -> np.ndarray:
        if not 0 <= index < len(self):
            raise IndexError(f"there is no frame {index} among {len(self)}")
        with self._changed:
            if index in self._coming:
                self._waiting += 1
                self._changed.notify_all()
                self._changed.wait_for(lambda: index not in self._coming)
                self._waiting -= 1
            frame = self._kept.get(index)
            self._unrequested.discard(index)
            self._let_read()
        if frame is None:
            with self._file:
                return self._frames[index]
        if isinstance(frame, BaseException):
            raise frame
        return frame

    def until(self, stop: int) -> Frames:
        """Return the same stack without the frames from `stop` on."""
        return _FirstFrames(self, stop)

    def take(self, index: int) -> np.ndarray | None:
        """Return a frame for the last time; None if it cannot be read."""
        try:
            return self[index]
        except ReadError:
            return None
        finally:
            self.forget(index)

    def forget(self, index: int) -> None:
        """Release a frame that will not be requested again."""
        with self._changed:
            self._kept.pop(index, None)
            self._unrequested.discard(index)
            self._let_read()

    def _let_read(self) -> None:
        if self._may_go_on():
            self._changed.notify_all()

    def _read_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._may_go_on)
                if not self._coming:
                    return
                index = next(iter(self._coming))
            frame: np.ndarray | BaseException
            try:
                with self._file:
                    frame = self._frames[index]
            except BaseException as error:
                frame = error
            with self._changed:
                if index in self._coming:
                    del self._coming[index]
                    self._kept[index] = frame
                    self._unrequested.add(index)
                self._changed.notify_all()

    def _may_go_on(self) -> bool:
        # A request for a later frame must not wait for frames that nobody requests.
        if not self._coming or self._waiting > 0:
            self._rests = False
        elif len(self._unrequested) >= self._ahead:
            self._rests = True
        elif len(self._unrequested) <= self._ahead // 2:
            # To wake up for each frame takes longer than to read a small one.
            self._rests = False
        return not self._rests


class _FirstFrames:
    """The first frames of a stack that is read ahead."""

    def __init__(self, frames: ReadAhead, count: int) -> None:
        self._frames = frames
        self.shape: tuple[int, ...] = (count, *frames.shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int, /) -> np.ndarray:
        return self._frames[index]


Item = TypeVar("Item")
Result = TypeVar("Result")


AT_ONCE = 4
"""Items that wake up the writer: to wake up for each takes longer than to write a small one."""


class _AbandonedError(Exception):
    """Error that ends a writer whose items will not come, so that it cleans up."""


class WriteBehind(Generic[Item, Result]):
    """A function of an iterator that runs in a thread and gets its items one by one.

    If the block ends without `result`, as on an error, the iterator raises an error in the
    function; a file written with `complete_or_absent` is then absent.

    Args:
        behind: Number of items that may wait for the function before `put` blocks.

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
        self._enough = min(AT_ONCE, behind)
        self._items: deque[Item] = deque()
        self._complete = self._abandoned = self._over = False
        self._error: BaseException | None = None
        self._result: Result | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="amseg-writer", daemon=True)

    def __enter__(self) -> WriteBehind[Item, Result]:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        with self._changed:
            self._abandoned = not self._complete
            self._changed.notify_all()
        self._thread.join()

    def put(self, item: Item) -> None:
        """Hand over the next item, or raise the error of the function."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or len(self._items) < self._behind)
            if self._error is not None:
                raise self._error
            if not self._over:
                self._items.append(item)
                if len(self._items) >= self._enough:
                    self._changed.notify_all()

    def result(self) -> Result:
        """End the items, and wait for the result of the function."""
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
                if not self._items:
                    self._changed.wait_for(self._has_enough)
                if self._abandoned:
                    raise _AbandonedError
                if not self._items:
                    return
                item = self._items.popleft()
                if len(self._items) < self._enough:
                    self._changed.notify_all()
            yield item

    def _has_enough(self) -> bool:
        return len(self._items) >= self._enough or self._complete or self._abandoned


def with_progress(
    frames: Iterable[np.ndarray], progress: Callable[[int], object]
) -> Iterator[np.ndarray]:
    """Yield frames, and call a function with the number of frames that are done.

    Example:
        >>> list(with_progress([np.zeros(1)], lambda done: print(done, "done")))
        1 done
        [array([0.])]
    """
    for done, frame in enumerate(frames, 1):
        yield frame
        progress(done)


def unreadable_frame(stack: FrameStack, index: int, error: str) -> dict[str, Any]:
    """Describe a frame for a record that could not be read, or was never there.

    Example:
        >>> from amseg_keras.read import open_stack
        >>> with open_stack("sample:esrf-welding") as stack:
        ...     unreadable_frame(stack, 3, "scan.tif: frame 3 is damaged")
        {'frame': 3, 'error': 'scan.tif: frame 3 is damaged'}
    """
    missing = {"missing": True} if stack.is_missing(index) else {}
    return {"frame": index, "error": error} | missing
