"""Segment what an acquisition writes while it writes it.

Each stack gets a folder: live.csv grows with it, and when the stack is complete the files of
`amseg segment` are written beside it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

from amseg_keras.outputs import OutputError, OutputFiles, OutputFolder
from amseg_keras.read import ReadError
from amseg_keras.runs.watch.incoming.discovery import Discovery
from amseg_keras.runs.watch.incoming.folder import WatchedFolder
from amseg_keras.runs.watch.incoming.growing import GrowingStack
from amseg_keras.runs.watch.live_stack import LiveStack, folder_for
from amseg_keras.runs.watch.settings import Event, Network, Problem, WatchSettings, Written

ALONE = OutputFiles("amseg watch", "watch.json", ())
"""Claims the output folder; no record is written for all stacks together."""

_PAUSE_OF_LOOK = 4
"""Shortest pause between two looks at the folder, as a multiple of the time that a look takes."""


def watch(
    folder: Path, out: Path, network: Network, settings: WatchSettings, stop: threading.Event
) -> Iterator[Event]:
    """Watch a folder, and label and measure what is written to it and its subfolders.

    Frames are done in the order in which they come, none is left out; where they come faster than
    they can be done, the events say how far behind it is. A stack is complete when its file is
    closed, or when no frame has come for `settings.complete_s`; if one comes later, it goes on.
    Started again, a watch goes on with what is new.

    The grey levels of a stack that grows are measured on its first frames, at most 16, and kept;
    those of a file that was whole when it was found are measured on all of it, as in
    `amseg segment`.

    Args:
        folder: Where frames are written.
        out: Where to; a folder in `folder` or elsewhere, but not one that `folder` is in.
        network: What labels them.
        settings: The user's.
        stop: Set it to end the watch; the files of all stacks are written first.

    Yields:
        What has happened, as it happens.

    Raises:
        ReadError: There is no such folder, or the results would be taken for frames.
        OutputTakenError: Another watch writes into `out`.
        CannotWriteError: The output folder cannot be made.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from amseg_keras.segment import from_pretrained
        >>> place = Path(tempfile.mkdtemp())
        >>> np.save(place / "scan.npy", np.zeros((2, 32, 48), np.uint16))
        >>> network = Network(from_pretrained("amsegnet-esrf"), "0123")
        >>> settings = WatchSettings(until_idle_s=0.1)
        >>> for event in watch(place, place / "out", network, settings, threading.Event()):
        ...     print(type(event).__name__, event.stack)
        Turn scan
        Written scan
        >>> sorted(path.name for path in (place / "out" / "scan").iterdir())
        ['frames.csv', 'labels.tif', 'live.csv', 'overlay.mp4', 'run.json']
    """
    check_folders(folder, out)
    return _Watch(folder, out, network, settings).run_alone(stop)


def check_folders(folder: Path, out: Path) -> None:
    """Refuse a folder that cannot be watched, which `watch` does too.

    Args:
        folder: Where frames are written.
        out: Where to.

    Raises:
        ReadError: There is no such folder, or it is in the output folder.

    Example:
        >>> check_folders(Path("no_such_folder"), Path("out"))
        Traceback (most recent call last):
        amseg_keras.read.errors.ReadError: no_such_folder: no such folder; check the path, or make
        it first
    """
    if not folder.is_dir():
        raise ReadError(f"{folder}: no such folder; check the path, or make it first")
    if folder.resolve().is_relative_to(out.resolve()):
        raise ReadError(f"{folder}: is in the output folder {out}; give another -o")


class _Watch:
    """A watch that goes on; see `watch`."""

    def __init__(self, folder: Path, out: Path, network: Network, settings: WatchSettings) -> None:
        self._folder = WatchedFolder(folder, out)
        self._found = Discovery(folder, settings.dataset, settings.timing, settings.reading)
        self._out, self._network, self._settings = out, network, settings
        self._stacks: list[LiveStack] = []
        self._last_event = time.monotonic()
        self._look_s = 0.0

    def run_alone(self, stop: threading.Event) -> Iterator[Event]:
        """Watch with the output folder claimed: two watches would do every stack twice."""
        with OutputFolder(self._out, ALONE) as claimed:
            claimed.claim()
            try:
                yield from self._run(stop)
            finally:
                for stack in self._stacks:
                    stack.close()

    def _run(self, stop: threading.Event) -> Iterator[Event]:
        while not stop.is_set():
            busy = False
            for event in self._round(stop):
                busy, self._last_event = True, time.monotonic()
                yield event
            if busy:
                continue
            # Between the frames, since it takes a while.
            complete = self._next_complete()
            if complete is not None:
                yield self._finish(complete)
            elif self._is_idle():
                break
            else:
                stop.wait(self._pause_s())
        for stack in list(self._stacks):
            if stack.done and not stack.is_written:
                yield self._finish(stack)
        stuck = (stack.stuck for stack in self._stacks if stack.stuck is not None)
        for text in (*stuck, *self._found.still_open()):
            yield Problem(text)

    def _round(self, stop: threading.Event) -> Iterator[Event]:
        """Look once, and give every stack a turn."""
        now = time.monotonic()
        self._folder.look(now)
        self._look_s = time.monotonic() - now
        for source in self._found.look(self._folder, now):
            problem = self._start(source)
            if problem is not None:
                yield problem
        for text in self._found.problems():
            yield Problem(text)
        for stack in list(self._stacks):
            if stop.is_set():
                return
            try:
                turn = stack.turn()
            except (ReadError, OSError) as error:
                yield self._given_up(stack, error)
                continue
            if turn is not None:
                yield turn

    def _start(self, source: GrowingStack) -> Problem | None:
        in_use = {stack.folder.name.casefold() for stack in self._stacks}
        try:
            place = folder_for(source, self._out, in_use)
            self._stacks.append(LiveStack(source, place, self._network, self._settings))
        except (OutputError, ReadError, OSError) as error:
            source.close()
            if isinstance(error, OSError):
                return Problem(OutputFolder(self._out / source.name, ALONE).sentence(error))
            return Problem(str(error))
        return None

    def _pause_s(self) -> float:
        """Time until the next look: a folder of many files is not looked at all the time."""
        wanted = min(self._settings.poll_s, self._settings.timing.settle_s / 2)
        return max(wanted, _PAUSE_OF_LOOK * self._look_s)

    def _next_complete(self) -> LiveStack | None:
        for stack in self._stacks:
            if stack.done and not stack.is_written and stack.is_complete(time.monotonic()):
                return stack
        return None

    def _finish(self, stack: LiveStack) -> Event:
        try:
            stack.finish()
        except (ReadError, OSError) as error:
            return self._given_up(stack, error)
        return Written(stack.folder.name, stack.done, stack.folder, stack.notes)

    def _given_up(self, stack: LiveStack, error: Exception) -> Problem:
        """Go on without a stack; what is done of it is kept for another start."""
        self._stacks.remove(stack)
        text = stack.out.sentence(error) if isinstance(error, OSError) else str(error)
        stack.close()
        return Problem(text)

    def _is_idle(self) -> bool:
        if self._settings.until_idle_s is None or self._found.is_waiting:
            return False
        if any(stack.source.behind and not stack.stuck for stack in self._stacks):
            return False
        changed = (file.changed for file in self._folder.files.values())
        last = max([self._last_event, *changed, *(s.source.last_seen for s in self._stacks)])
        return last + self._settings.until_idle_s <= time.monotonic()
