"""Reading frames in a thread before they are asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from types import TracebackType

import numpy as np

from amseg_keras.read import Frames, ReadError


class ReadAhead:
    """A stack whose next frames are read while the network is busy with those before.

    It is a stack itself. What reading a frame raised is raised where the frame is asked for, and
    not before. A frame stays in memory until it is taken, so that who draws it need not read it
    again.

    Args:
        frames: The stack, `(frames, height, width)`; this thread alone reads from it.
        indices: The frames that will be asked for or taken, rising.
        ahead: How many of them are read before they are asked for.

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
        self._coming = dict.fromkeys(indices)
        self._kept: dict[int, np.ndarray | BaseException] = {}
        self._not_asked_for: set[int] = set()
        self._waiting = 0
        self._changed = threading.Condition()
        self._file = threading.Lock()
        self._thread = threading.Thread(target=self._read_all, name="amseg-reader", daemon=True)

    def __enter__(self) -> ReadAhead:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
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
            self._waiting += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: index in self._kept or index not in self._coming)
            self._waiting -= 1
            found = self._kept.get(index)
            self._not_asked_for.discard(index)
            self._changed.notify_all()
        if found is None:
            with self._file:
                return self._frames[index]
        if isinstance(found, BaseException):
            raise found
        return found

    def until(self, stop: int) -> Frames:
        """Give the same stack without the frames from `stop` on.

        Args:
            stop: Number of frames that are left.
        """
        return _FirstFrames(self, stop)

    def take(self, index: int) -> np.ndarray | None:
        """A frame for the last time; None if it cannot be read."""
        try:
            return self[index]
        except ReadError:
            return None
        finally:
            self.forget(index)

    def forget(self, index: int) -> None:
        """Release a frame that nobody will ask for again."""
        with self._changed:
            self._kept.pop(index, None)
            self._not_asked_for.discard(index)
            self._changed.notify_all()

    def _read_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._may_go_on)
                if not self._coming:
                    return
                index = next(iter(self._coming))
            found: np.ndarray | BaseException
            try:
                with self._file:
                    found = self._frames[index]
            except BaseException as error:
                found = error
            with self._changed:
                if index in self._coming:
                    del self._coming[index]
                    self._kept[index] = found
                    self._not_asked_for.add(index)
                self._changed.notify_all()

    def _may_go_on(self) -> bool:
        # Whoever waits for a frame further on is not kept waiting by those that nobody wants.
        return not self._coming or self._waiting > 0 or len(self._not_asked_for) < self._ahead


class _FirstFrames:
    """The first frames of a stack that is read ahead."""

    def __init__(self, frames: ReadAhead, count: int) -> None:
        self._frames = frames
        self.shape: tuple[int, ...] = (count, *frames.shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int, /) -> np.ndarray:
        return self._frames[index]
