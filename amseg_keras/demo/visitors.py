"""Keep a folder and recordings for each visitor of the page, and do their work in turn."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from amseg_keras.demo.lessons import Lessons, Networks
from amseg_keras.demo.limits import Limits
from amseg_keras.demo.recordings import CANCELLED, DONE, FAILED, RUNNING, WAITING, Chosen, Recording
from amseg_keras.demo.workers import UNKNOWN, JobError, JobStopped, Pools

_LOGGER = logging.getLogger(__name__)

EMPTY_S = 300.0
"""Time in s without a request after which a visitor without a recording is gone."""

UPLOADS, FRAMES = "uploads-", "frames"
"""Beginning of the name of a folder for an upload, and the folder in it that holds the files.

A recording whose frames have nothing but a number for a name is called after their folder."""

MEASURE_AFTER_S = 0.4
"""Time in s without a change after which changed labels are measured."""


class Visitor:
    """One page that is open.

    Args:
        token: Secret of the page, which it sends with every request.
    """

    def __init__(
        self, token: str, folder: Path, networks: Networks, pools: Pools, limits: Limits
    ) -> None:
        self.token, self.folder = token, folder
        self.seen = time.monotonic()
        self.left: float | None = None
        self.recordings: dict[int, Recording] = {}
        self._pools, self.limits = pools, limits
        self.lessons = Lessons(folder, networks, pools.teaching, limits.teach_s)
        self._next = 1
        self._lock = threading.RLock()
        self._line: deque[Recording] = deque()
        self._running = False

    def touch(self) -> None:
        """Note the time of a request of the visitor."""
        self.seen, self.left = time.monotonic(), None

    def recording(self, number: int) -> Recording:
        """Give a recording by its number.

        Raises:
            KeyError: There is none.
        """
        with self._lock:
            return self.recordings[number]

    def new_uploads(self) -> Path:
        """Make a folder `uploads-.../frames` for the files of an upload.

        Raises:
            JobError: The visitor has too many files already.
        """
        size = _bytes_in(self.folder)
        if size > self.limits.visitor_mb * 1_000_000:
            raise JobError(
                f"your recordings and results take {size // 1_000_000:,} MB, and this page has "
                f"{self.limits.visitor_mb:,} MB for a visitor; remove a recording first"
            )
        folder = Path(tempfile.mkdtemp(prefix=UPLOADS, dir=self.folder)) / FRAMES
        folder.mkdir()
        return folder

    def read(self, uploads: Path, preset: str, stop: threading.Event) -> list[Recording]:
        """Read uploaded files, and add their recordings to the list.

        Raises:
            JobError: They cannot be read.
            JobStopped: The job was stopped.
        """
        arguments = {
            "folder": str(self.folder),
            "uploads": str(uploads),
            "limits": vars(self.limits),
        }
        try:
            found = self._pools.files.do("read", arguments, self.limits.read_s, stop)
        except (JobError, JobStopped):
            shutil.rmtree(uploads.parent, ignore_errors=True)
            raise
        made = []
        with self._lock:
            if len(self.recordings) + len(found) > self.limits.recordings:
                for about in found:
                    shutil.rmtree(about["home"], ignore_errors=True)
                raise JobError(
                    f"this page holds {self.limits.recordings} recordings; remove one first"
                )
            for about in found:
                chosen = Chosen(preset, about["pixel_size_um"], about["frame_rate_hz"])
                made.append(Recording(self._next, about, chosen))
                self.recordings[self._next] = made[-1]
                self._next += 1
        return made

    def remove(self, number: int) -> None:
        """Remove a recording, its files, and the work on it."""
        with self._lock:
            recording = self.recordings.pop(number)
        recording.stop.set()
        shutil.rmtree(recording.home, ignore_errors=True)
        with self._lock:
            uploads = recording.about["uploads"]
            if all(one.about["uploads"] != uploads for one in self.recordings.values()):
                shutil.rmtree(Path(uploads).parent, ignore_errors=True)
        self.lessons.forget(recording)

    def run(self, recordings: list[Recording]) -> None:
        """Segment and measure recordings, one after the other."""
        with self._lock:
            for recording in recordings:
                with recording.lock:
                    if recording.state in (WAITING, RUNNING):
                        continue
                    recording.forget_labels()
                    recording.state, recording.said = WAITING, "waiting"
                    recording.stop = threading.Event()
                    self._line.append(recording)
            if not self._running and self._line:
                self._running = True
                threading.Thread(target=self._work, daemon=True).start()

    def cancel(self, recording: Recording) -> None:
        """Stop the work on a recording."""
        recording.stop.set()
        with self._lock:
            if recording in self._line:
                self._line.remove(recording)
                recording.state, recording.said = CANCELLED, "cancelled"

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._line:
                    self._running = False
                    return
                recording = self._line.popleft()
            self._segment(recording)

    def _segment(self, recording: Recording) -> None:
        stop, chosen = recording.stop, recording.chosen

        def told(stage: str, share: float) -> None:
            if not stop.is_set():
                recording.state, recording.said, recording.share = RUNNING, stage, share

        arguments = {
            "about": recording.about,
            "preset": str(self.lessons.presets[chosen.preset]),
            "chosen": _as_json(chosen),
        }
        seconds = self.limits.job_s

        def work() -> None:
            with recording.folder_in_use:
                record = self._pools.network.do("segment", arguments, seconds, stop, told)
            with recording.lock:
                if stop.is_set():
                    raise JobStopped
                names = tuple(record["class_names"])
                recording.take(record, names)
                recording.said = self.lessons.put_back(recording)
                recording.state, recording.share = DONE, 1.0
            if recording.chosen.least_confidence > 0:
                self._find_confidence(recording)
            self.measure(recording)

        self._watched(recording, stop, work)

    def _watched(
        self, recording: Recording, stop: threading.Event, work: Callable[[], None]
    ) -> None:
        try:
            work()
        except JobStopped:
            if recording.stop is stop:
                recording.state, recording.said = CANCELLED, "cancelled"
        except JobError as error:
            if recording.stop is stop and not stop.is_set():
                recording.state, recording.said = FAILED, str(error)
        except Exception:
            if not stop.is_set():  # else the visitor left, and the files with the visitor
                _LOGGER.exception("the work on a visitor's recording failed")
                recording.state, recording.said = FAILED, UNKNOWN

    def measure(self, recording: Recording) -> None:
        """Measure what is shown of a recording; returns at once if it is known."""
        with recording.folder_in_use:
            self._measure(recording)

    def _measure(self, recording: Recording) -> None:
        with recording.lock:
            if recording.labels is None or recording.measured is not None:
                return
            version, stop, chosen = recording.save_shown(), recording.stop, recording.chosen
        arguments = {
            "about": recording.about,
            "chosen": _as_json(chosen)
            | {"smallest_pore_um": chosen.smallest_pore if chosen.pixel_size_um else 0},
        }
        found = self._pools.files.do("measure", arguments, self.limits.job_s, stop)
        with recording.lock:
            if recording.version == version:
                recording.measured, recording.measured_at = found, version

    def measure_soon(self, recording: Recording) -> None:
        """Measure a recording when its labels have not changed for a moment."""
        version = recording.version

        def later() -> None:
            time.sleep(MEASURE_AFTER_S)
            if recording.version != version or recording.state != DONE:
                return
            self._watched(recording, recording.stop, lambda: self.measure(recording))

        threading.Thread(target=later, daemon=True).start()

    def find_confidence(self, recording: Recording) -> None:
        """Compute the confidence that a threshold needs, and measure, in the background."""

        def work() -> None:
            self._find_confidence(recording)
            self.measure(recording)

        threading.Thread(
            target=self._watched, args=(recording, recording.stop, work), daemon=True
        ).start()

    def _find_confidence(self, recording: Recording) -> None:
        stop, chosen = recording.stop, recording.chosen
        arguments = {
            "about": recording.about,
            "preset": str(self.lessons.presets[chosen.preset]),
            "chosen": _as_json(chosen),
        }

        def told(stage: str, share: float) -> None:
            recording.said = f"{stage}: {share:.0%}"

        self._pools.network.do("confidence", arguments, self.limits.job_s, stop, told)
        with recording.lock:
            if recording.stop is stop and not stop.is_set():
                recording.has_confidence, recording.said = True, ""
                recording.changed()

    def explain(self, recording: Recording, frame: int, class_name: str) -> dict[str, str]:
        """Draw the evidence for a class in a frame; return the paths of two pictures."""
        arguments = {
            "about": recording.about,
            "preset": str(self.lessons.presets[recording.chosen.preset]),
            "background": recording.chosen.background,
            "frame": frame,
            "class_name": class_name,
        }
        made: dict[str, str] = self._pools.network.do(
            "explain", arguments, self.limits.job_s, recording.stop
        )
        return made

    def pack(self, recording: Recording, wanted: str) -> Path:
        """Make a file of a recording for download.

        Raises:
            JobError: There is nothing to be packed yet, or it fails.
        """
        if recording.labels is None:
            raise JobError(f"{recording.name}: is not segmented yet; segment it first")
        kept = self.lessons.folder_of(recording.labels.class_names)
        arguments = {
            "about": recording.about,
            "wanted": wanted,
            "corrections": str(kept) if kept.is_dir() else None,
        }
        with recording.folder_in_use:
            self._measure(recording)
            seconds = self.limits.job_s
            return Path(self._pools.files.do("pack", arguments, seconds, recording.stop))

    def use_taught(self, recording: Recording) -> None:
        """Segment a recording with the tuned network, and keep the labels before.

        Raises:
            JobError: There is no tuned network.
        """
        if self.lessons.teaching.preset is None:
            raise JobError("there is no tuned network; teach one first")
        with recording.lock:
            earlier = None
            if recording.labels is not None:
                earlier = np.stack([recording.labels.found(k) for k in range(recording.count)])
            recording.choose(preset=self.lessons.teaching.preset)
            recording.earlier = earlier
        self.run([recording])
        recording.earlier = earlier

    def leave(self) -> None:
        """Stop all work, and delete all files."""
        with self._lock:
            self._line.clear()
            for recording in self.recordings.values():
                recording.stop.set()
            self.lessons.teaching.stop.set()
        shutil.rmtree(self.folder, ignore_errors=True)


def _bytes_in(folder: Path) -> int:
    """Add up the sizes of the files of a folder. Some may be deleted meanwhile."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += os.path.getsize(os.path.join(root, name))
    return total


def _as_json(chosen: Chosen) -> dict[str, Any]:
    return dict(vars(chosen))


class Visitors:
    """All visitors of a server.

    Args:
        grace_s: Time in s within which a closed or reloaded page may come back.
        idle_s: Time in s without a request after which a visitor is gone.
    """

    def __init__(
        self,
        networks: Networks,
        limits: Limits,
        pools: Pools,
        most: int = 64,
        grace_s: float = 20.0,
        idle_s: float = 3600.0,
    ) -> None:
        self.networks, self.limits, self.pools = networks, limits, pools
        self._most, self._grace_s, self._idle_s = most, grace_s, idle_s
        self._root = tempfile.TemporaryDirectory(prefix="amseg-demo-")
        self._here: dict[str, Visitor] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        threading.Thread(target=self._look_around, daemon=True).start()

    def come(self, token: str | None = None) -> Visitor:
        """Let a page in: one that comes back with its token, or a new one.

        Raises:
            JobError: There are too many.
        """
        with self._lock:
            if token in self._here:
                self._here[token].touch()
                return self._here[token]
            if len(self._here) >= self._most:
                raise JobError("too many visitors are here; come back in a while")
            new = secrets.token_urlsafe(24)
            folder = Path(tempfile.mkdtemp(dir=self._root.name))
            self._here[new] = Visitor(new, folder, self.networks, self.pools, self.limits)
            return self._here[new]

    def of(self, token: str) -> Visitor:
        """Give the visitor with a token.

        Raises:
            KeyError: There is none.
        """
        visitor = self._here[token]
        visitor.touch()
        return visitor

    def leave(self, token: str) -> None:
        """Note that a page was closed; it may be reloaded."""
        if visitor := self._here.get(token):
            visitor.left = time.monotonic()

    def close(self) -> None:
        """Delete everything, and end the workers."""
        if self._closed.is_set():
            return
        self._closed.set()
        for visitor in self._here.values():
            visitor.leave()
        self.pools.close()
        self._root.cleanup()

    def _look_around(self) -> None:
        while not self._closed.wait(min(1.0, self._grace_s / 2)):
            now = time.monotonic()
            with self._lock:
                gone = [
                    token
                    for token, visitor in self._here.items()
                    if (visitor.left is not None and now > visitor.left + self._grace_s)
                    or now > visitor.seen + (self._idle_s if visitor.recordings else EMPTY_S)
                ]
                visitors = [self._here.pop(token) for token in gone]
            for visitor in visitors:
                visitor.leave()
