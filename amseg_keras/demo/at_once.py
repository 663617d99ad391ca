"""One recording from its files to its quantities, for callers that wait for the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

from amseg_keras.demo.recordings import DONE, FAILED, RUNNING, WAITING, Recording
from amseg_keras.demo.visitors import Visitor
from amseg_keras.demo.workers import JobError, JobStopped
from amseg_keras.read import ReadError

_LOOK_EVERY_S = 0.05


def segment_at_once(
    visitor: Visitor,
    uploads: Path,
    preset: str,
    pixel_size_um: float | None = None,
    frame_rate_hz: float | None = None,
) -> Iterator[Recording]:
    """Read, segment and measure one recording.

    Args:
        pixel_size_um: Size of a pixel in um; None for the pixel size of the file.
        frame_rate_hz: Frames per second; None for the frame rate of the file.

    Yields:
        The recording when it is read, and then again and again until it is measured.

    Raises:
        JobError: It cannot be read, segmented or measured.
        JobStopped: It was stopped, removed or changed meanwhile.
        ReadError: The files are several recordings.
        ValueError: There is no such network, or a number is out of its range.
    """
    if preset not in visitor.lessons.presets:
        raise ValueError(f"no network is called {preset}; see amseg presets")
    made = visitor.read(uploads, preset, threading.Event())
    recording = made[0]
    try:
        if len(made) > 1:
            raise ReadError("these are several recordings; send one at a time")
        given = {"pixel_size_um": pixel_size_um, "frame_rate_hz": frame_rate_hz}
        recording.choose(**{name: value for name, value in given.items() if value is not None})
        yield recording
    except BaseException:  # also where the caller left
        for one in made:
            visitor.remove(one.number)
        raise
    visitor.run([recording])
    while recording.state in (WAITING, RUNNING) or (
        recording.state == DONE and recording.measured is None
    ):
        if recording.stop.is_set():
            raise JobStopped
        yield recording
        time.sleep(_LOOK_EVERY_S)
        visitor.touch()
    if recording.state == FAILED:
        raise JobError(recording.said)
    if recording.state != DONE:
        raise JobStopped
    yield recording
