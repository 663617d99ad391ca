"""Settings of a watch, and the events that it reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from amseg_keras.read import ReadOptions
from amseg_keras.runs.watch.arriving import Timing
from amseg_keras.segment import Segmenter


@dataclass(frozen=True)
class WatchSettings:
    """Settings of a watch.

    Attributes:
        label_format: Format of the label maps of complete stacks: `"tiff"`, `"png"` or `"hdf5"`.
        pixel_size_um: Size of a pixel in um; by default the pixel size that the file states.
        batch_size: Most frames given to the network at once; by default up to 4, by frame size.
        dataset: Path inside HDF5 files; by default the only image stack in each.
        reading: Choices of the user for files that can be read in two ways.
        timing: Times that decide when files are read.
        grey_wait_s: Longest wait in s for the first frames, on which grey levels are measured.
        complete_s: Time in s without a new frame after which an open stack counts as complete.
        until_idle_s: Time in s without a new frame after which the watch ends; None for never.
        poll_s: Pause in s between two looks at the folder; no longer than half of
            `timing.settle_s`, and no shorter than four times the duration of a look.
        scale: Factor by which frames are enlarged for the network; `"auto"` as in `RunSettings`.
        assume_pixel_size: As in `RunSettings`.
        frame_rate_hz: Frames per second; by default the frame rate that the file states.
    """

    label_format: str = "tiff"
    pixel_size_um: float | None = None
    batch_size: int | None = None
    dataset: str | None = None
    reading: ReadOptions = ReadOptions()  # noqa: RUF009 - frozen
    timing: Timing = field(default_factory=Timing)
    grey_wait_s: float = 5.0
    complete_s: float = 30.0
    until_idle_s: float | None = None
    poll_s: float = 0.05
    scale: float | Literal["auto"] = 1.0
    assume_pixel_size: bool = False
    frame_rate_hz: float | None = None


@dataclass(frozen=True)
class Network:
    """A trained network.

    Attributes:
        weights_sha256: Digest of the weights, by which an earlier watch is recognised.
        device: Device as Keras names it, `"cpu:0"`; written to the records.
    """

    segmenter: Segmenter
    weights_sha256: str
    device: str | None = None


@dataclass(frozen=True)
class Turn:
    """Frames of one stack that were labelled in a row.

    Attributes:
        stack: Name of the stack.
        done: Number of frames of the stack that are done.
        latencies_s: Time in s from the first look at each frame of the turn to its result.
        seconds: Duration of the turn.
        behind: Number of frames that were seen and are not done.
        oldest_s: Time in s for which the oldest of these frames has been waiting.
        falling_behind: Whether more frames wait than after the previous turn.
        errors: Sentence for each unreadable frame of the turn.
    """

    stack: str
    done: int
    latencies_s: tuple[float, ...]
    seconds: float
    behind: int
    oldest_s: float
    falling_behind: bool
    errors: tuple[str, ...]


@dataclass(frozen=True)
class Written:
    """Notice that the files of a complete stack were written."""

    stack: str
    frames: int
    folder: Path
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Problem:
    """Problem for the user, in a sentence that names the file; the watch continues."""

    text: str


Event = Turn | Written | Problem
