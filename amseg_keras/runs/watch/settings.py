"""What the user chose for a watch, and what it tells the user."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from amseg_keras.read import ReadOptions
from amseg_keras.runs.watch.arriving import Timing
from amseg_keras.segment import Segmenter


@dataclass(frozen=True)
class WatchSettings:
    """What the user chose.

    Attributes:
        label_format: Of the label maps of complete stacks: `"tiff"`, `"png"` or `"hdf5"`.
        pixel_size_um: Size of a pixel; by default the file's, else none.
        batch_size: Most frames given to the network at once; by default up to 4, by frame size.
        dataset: Path inside HDF5 files; by default the only image stack in each.
        reading: What the user said of files that can be read in two ways.
        timing: When files are taken, and when given up.
        grey_wait_s: So long are the first frames waited for on which grey levels are measured.
        complete_s: A stack that may still grow counts as complete without a frame for so long.
        until_idle_s: End when nothing came for so long; None to go on until told to stop.
        poll_s: Between two looks at the folder; no longer than half of `timing.settle_s`, and no
            shorter than four times what a look takes.
        scale: Factor by which frames are enlarged for the network; `"auto"` as in `RunSettings`.
        assume_pixel_size: As in `RunSettings`.
        frame_rate_hz: Frames per second; by default the file's, else none.
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
        segmenter: The network.
        weights_sha256: Of its weights, to tell whether an earlier run used the same.
        device: Where it is, as Keras names it, `"cpu:0"`; written to the records.
    """

    segmenter: Segmenter
    weights_sha256: str
    device: str | None = None


@dataclass(frozen=True)
class Turn:
    """Frames of one stack that were done one after the other.

    Attributes:
        stack: Name of the stack.
        done: Frames of the stack that are done by now.
        latencies_s: Of each frame of the turn, from its being seen to its result.
        seconds: That the turn took.
        behind: Frames that were seen and are not done.
        oldest_s: For how long the first of these has been waiting.
        falling_behind: Whether there are more of these than after the turn before.
        errors: Frames of the turn that could not be read, a sentence each.
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
    """The files of a stack that counts as complete were written.

    Attributes:
        stack: Name of the stack.
        frames: That it has by now.
        folder: Where they are.
        notes: What was assumed, a sentence each.
    """

    stack: str
    frames: int
    folder: Path
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Problem:
    """Something that the user must know of; the watch goes on.

    Attributes:
        text: One sentence that names the file and says what to do.
    """

    text: str


Event = Turn | Written | Problem
