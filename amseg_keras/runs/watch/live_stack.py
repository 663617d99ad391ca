"""Label and measure one stack of a watch, frame by frame, into its folder."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from amseg_keras.outputs import OutputFolder, OutputTakenError, input_place
from amseg_keras.outputs.identity import RESULT_FORMAT
from amseg_keras.preprocess import GreyRange, scale_between
from amseg_keras.quantify import Scale
from amseg_keras.quantify.scale import (
    ASSUMED,
    known_frame_rate,
    known_pixel_size,
    said_of_pixel_size,
)
from amseg_keras.read import Frames, ReadError
from amseg_keras.runs.labelled_run import open_labelled_run
from amseg_keras.runs.segment import RECORD
from amseg_keras.runs.watch.arriving import (
    MOST_SEEN,
    Arrival,
    GrowingStack,
    HeldFrames,
    LiveInputs,
    SeenFrame,
    checksum,
    wall_time,
)
from amseg_keras.runs.watch.results import (
    STATE_KEYS,
    TABLE,
    WATCH_OUTPUTS,
    CompleteStack,
    DoneFrame,
    Journal,
    measure_live,
    measured_columns,
    read_state,
    read_table,
    write_files,
)
from amseg_keras.runs.watch.settings import Network, Turn, WatchSettings
from amseg_keras.segment import LabelledFrame
from amseg_keras.segment.segmentation import default_batch_size

GREY_FRAMES = 16
"""Number of first frames on which the grey levels of a growing stack are measured."""

_TURN_S = 1.0
"""Duration of a turn in s, after which other stacks and the terminal have theirs."""


class LiveStack:
    """A growing stack with its output folder.

    Args:
        place: Output folder, and the reason for an unexpected name, from `folder_for`.

    Attributes:
        is_written: Whether the files of all frames that are done are written.
        stuck: Reason why there are no grey levels although there are frames, or None.

    Raises:
        OutputTakenError: The folder holds the labels of another network or of other frames, or
            another process writes into it.
        CannotWriteError: The folder cannot be made.
        ReadError: The stack lacks frames that were done.
    """

    def __init__(
        self,
        source: GrowingStack,
        place: tuple[Path, str | None],
        network: Network,
        settings: WatchSettings,
    ) -> None:
        folder, self._why_there = place
        self.source, self.folder = source, folder
        self.out = OutputFolder(folder, WATCH_OUTPUTS, keeps_going=True)
        self._network, self._settings = network, settings
        self._batch_size = settings.batch_size or default_batch_size(source.frame_shape)
        self._behind = 0
        self._earlier = 0
        self._tried = 0
        self._state = _earlier_state(folder)
        self.is_written = (folder / RECORD).is_file()
        self.stuck: str | None = None
        self._journal: Journal | None = None
        self._inputs: LiveInputs | None = None
        self.out.claim()
        try:
            self._resume()
        except BaseException:
            self.close()
            raise

    def _resume(self) -> None:
        """Continue after the frames of an earlier watch."""
        if self._state is None:
            return
        self._check_same(self._state)
        self._journal = self._new_journal(self._state)
        if self.is_written:
            self._journal.remove()  # left behind by a kill
            self._journal.done = read_table(self.folder)
            if len(self._journal.done) != self._state["frames"]:
                raise OutputTakenError(
                    f"{self.folder}: its {TABLE} is not that of its {RECORD}; give another -o"
                )
        else:
            self._journal.resume()
        self._earlier = len(self._journal.done)
        self.source.skip([(row.frame, row.file) for row in self._journal.done])

    def close(self) -> None:
        """Release the folder; the frames that are done are kept for another start."""
        self.source.close()
        self.out.__exit__(None, None, None)

    @property
    def done(self) -> int:
        """Number of frames that are done."""
        return 0 if self._journal is None else len(self._journal.done)

    def is_complete(self, now: float) -> bool:
        """Tell whether all frames are done and no more are expected."""
        quiet = self.source.last_seen + self._settings.complete_s <= now
        return self.source.behind == 0 and (self.source.closed or quiet)

    def turn(self) -> Turn | None:
        """Label frames for a while; return None if no frame is ready."""
        journal = self._begun(time.monotonic())
        if journal is None:
            return None
        started = time.monotonic()
        first = len(journal.done)
        while time.monotonic() < started + _TURN_S:
            arrivals = self.source.ready(self._batch_size, time.monotonic())
            if not arrivals:
                break
            if self.is_written:
                self._reopen(journal)
            # Only two batch sizes, because a network may be compiled again for each size.
            size = self._batch_size if len(arrivals) == self._batch_size else 1
            for begin in range(0, len(arrivals), size):
                self._label(journal, arrivals[begin : begin + size])
        new = journal.done[first:]
        if not new:
            return None
        behind, before = self.source.behind, self._behind
        self._behind = behind
        oldest = self.source.oldest_seen
        return Turn(
            stack=self.folder.name,
            done=len(journal.done),
            latencies_s=tuple(row.latency_s for row in new),
            seconds=time.monotonic() - started,
            behind=behind,
            oldest_s=0.0 if oldest is None else time.monotonic() - oldest,
            falling_behind=behind > before > 0,
            errors=tuple(row.error for row in new if row.error is not None),
        )

    def finish(self) -> None:
        """Write the files of all frames that are done, as `amseg segment` does.

        Raises:
            ReadError: None of the frames could be read.
        """
        assert self._journal is not None
        assert self._state is not None
        if seen := self._journal.seen():
            self._state["seen"] = [asdict(frame) for frame in seen]
        known = [note for note in self._state["notes"] if " missing" not in note]
        self._state |= {"notes": [*dict.fromkeys((*known, *self.source.gap_notes()))]}
        stack = CompleteStack(
            out=self.out,
            journal=self._journal,
            state=self._state,
            whole=self._whole(),
            info=self._network.segmenter.info,
            known=self._network.segmenter.known,
            choices={
                "batch_size": self._batch_size,
                "device": self._network.device,
                "engine": self._network.segmenter.engine,
                "inputs": self._live_inputs(self._state).record(),
                "frames_from_earlier_run": self._earlier,
            },
        )
        write_files(stack, self._settings.label_format)
        self.is_written = True
        self._journal.remove()
        self.source.close()

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentence for each assumption about the stack."""
        if self._state is None:
            return ()
        said = said_of_pixel_size(self._state["pixel_size_um"], self._state["pixel_size_from"])
        return (*self._state["notes"], *said)

    def _whole(self) -> Frames:
        try:
            return self.source.whole()
        except ReadError as error:  # moved since; the labels are kept
            return HeldFrames([error] * self.done, self.source.frame_shape)

    def _begun(self, now: float) -> Journal | None:
        """Return the journal; None while there are too few frames to measure grey levels on."""
        if self._journal is not None:
            return self._journal
        measured = self._measure_grey(now)
        if measured is None:
            return None
        self.stuck = None
        grey_range, measured_on = measured
        segmenter, source = self._network.segmenter, self.source
        settings = self._settings
        assumed = segmenter.pixel_size_um if settings.assume_pixel_size else None
        size, size_from = known_pixel_size(settings.pixel_size_um, source.pixel_size_um, assumed)
        rate, rate_from = known_frame_rate(settings.frame_rate_hz, source.frame_rate_hz)
        self._state = {
            "result_format": RESULT_FORMAT,
            "source": source.source,
            "place": asdict(input_place(Path(source.source), self.folder)),
            "seen": [asdict(frame) for frame in self._first_seen(now)],
            "dtype": str(source.dtype),
            "weights_sha256": self._network.weights_sha256,
            "precision": segmenter.precision,
            "class_names": list(segmenter.class_names),
            "grey_range": asdict(grey_range),
            "grey_range_from": measured_on,
            "pixel_size_um": size,
            "pixel_size_from": size_from,
            "scale": _scale(source, self._network, self._settings),
            "frame_shape": list(source.frame_shape),
            "frame_rate_hz": rate,
            "frame_rate_from": rate_from,
            "notes": [*source.notes, *filter(None, [self._why_there])],
        }
        journal = self._new_journal(self._state)
        journal.begin(self._state)
        self._journal = journal
        return journal

    def _first_seen(self, now: float) -> list[SeenFrame]:
        """Return the first frames, by which the recording is recognised until it is complete."""
        return [
            SeenFrame(arrival.frame, arrival.file, checksum(arrival.pixels))
            for arrival in self.source.ready(MOST_SEEN, now)
            if isinstance(arrival.pixels, np.ndarray)
        ]

    def _measure_grey(self, now: float) -> tuple[GreyRange, str] | None:
        source, scaling = self.source, self._network.segmenter.scaling
        if source.oldest_seen is None or (self.stuck and source.behind == self._tried):
            return None
        waited = source.oldest_seen + self._settings.grey_wait_s <= now
        if not source.closed and not waited and source.behind < GREY_FRAMES:
            return None
        self._tried = source.behind
        try:
            if source.closed:
                return scaling.measure(source.whole()), f"all {source.behind} frames"
            first = source.ready(GREY_FRAMES, now)
            if not first or (len(first) < GREY_FRAMES and not waited):
                return None
            held = HeldFrames([arrival.pixels for arrival in first], source.frame_shape)
            return scaling.measure(held), f"the first {len(first)} frames"
        except ReadError as error:  # none can be read; later frames may be readable
            self.stuck = str(error)
            return None

    def _new_journal(self, state: dict[str, Any]) -> Journal:
        names = self._network.segmenter.class_names
        measured = measured_columns(names, _scale_of(state))
        return Journal(self.out, self.source.frame_shape, measured)

    def _label(self, journal: Journal, arrivals: Sequence[Arrival]) -> None:
        for arrival, labelled in zip(arrivals, self._labelled(arrivals), strict=True):
            row: dict[str, Any] = {}
            if labelled.error is None:
                assert self._state is not None
                scale = _scale_of(self._state)
                row = measure_live(labelled.labels, self._network.segmenter.class_names, scale)
            latency = time.monotonic() - arrival.seen
            seen = datetime.fromtimestamp(wall_time(arrival.seen), UTC)
            row |= {
                "frame": arrival.frame,
                "file": arrival.file,
                "seen": seen.isoformat(timespec="milliseconds"),
                "latency_s": latency,
                "since_written_s": arrival.written and time.time() - arrival.written,
                "error": labelled.error,
            }
            done = DoneFrame(arrival.frame, arrival.file, latency, labelled.error)
            pixels = arrival.pixels
            crc = checksum(pixels) if isinstance(pixels, np.ndarray) else None
            journal.append(row, done, labelled.labels, crc)
            self.source.take(arrival)

    def _labelled(self, arrivals: Sequence[Arrival]) -> Iterator[LabelledFrame]:
        assert self._state is not None
        if self._inputs is None:
            self._inputs = self._live_inputs(self._state)
        inputs = self._inputs.of(arrivals, self.source.frame_shape)
        return self._network.segmenter.iter_labels(inputs, batch_size=len(arrivals))

    def _live_inputs(self, state: dict[str, Any]) -> LiveInputs:
        grey_range = GreyRange(**state["grey_range"])
        return LiveInputs(self._network.segmenter, grey_range, state["scale"], self.source.whole)

    def _reopen(self, journal: Journal) -> None:
        """Take back the labels of a complete stack, because new frames came."""
        assert self._state is not None
        journal.reopen(self._state, open_labelled_run(self.folder).frames())
        (self.folder / RECORD).unlink()
        self.is_written = False

    def _check_same(self, state: dict[str, Any]) -> None:
        wanted: dict[str, Any] = {
            "dtype": str(self.source.dtype),
            "frame_shape": list(self.source.frame_shape),
            "weights_sha256": self._network.weights_sha256,
            "precision": self._network.segmenter.precision,
            "class_names": list(self._network.segmenter.class_names),
        }
        if self._settings.scale != "auto":
            wanted["scale"] = self._settings.scale
        if self._settings.pixel_size_um is not None:
            wanted["pixel_size_um"] = self._settings.pixel_size_um
        if self._settings.frame_rate_hz is not None:
            wanted["frame_rate_hz"] = self._settings.frame_rate_hz
        differing = [key for key, value in wanted.items() if state.get(key) != value]
        if differing:
            raise OutputTakenError(
                f"{self.folder}: holds the labels of another watch of {self.source.source} "
                f"(differing in {', '.join(differing)}); give another -o"
            )


def folder_for(source: GrowingStack, out: Path, in_use: set[str]) -> tuple[Path, str | None]:
    """Choose the folder of a stack: its name, with a number if another stack has the name.

    A recording that overwrote another one of the same name is another stack.

    Args:
        in_use: Names of the folders of other stacks of this watch, in lower case.

    Returns:
        The folder, and a sentence if the user will look for another folder.

    Raises:
        OutputTakenError: The folder of its name holds no watched stack.
    """
    number, note = 1, None
    while True:
        name = source.name if number == 1 else f"{source.name}_{number}"
        folder = out / name
        if name.casefold() not in in_use:
            state = _earlier_state(folder)
            if state is None or _is_of(state, source, folder):
                return folder, note
        note = f"the results of {source.source} are in {source.name}_{number + 1}: " + (
            f"{name} holds another recording"
        )
        number += 1


def _is_of(state: dict[str, Any], source: GrowingStack, folder: Path) -> bool:
    """Tell whether the results in a folder were made from this stack."""
    if state.get("source") != source.source:
        place = state.get("place")
        if place is None or input_place(Path(source.source), folder).difference(place, ""):
            return False
    return not source.differs([SeenFrame(**frame) for frame in state.get("seen") or ()])


def _earlier_state(folder: Path) -> dict[str, Any] | None:
    """Read the state of a stack of an earlier watch, complete or not; None without one."""
    if not (folder / RECORD).is_file():
        return read_state(folder)
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))
        state = {key: record[key] for key in STATE_KEYS}
        frames, *frame_shape = record["shape"]
        return state | {"frames": frames, "frame_shape": frame_shape}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputTakenError(
            f"{folder}: holds the result of another run than amseg watch; give another -o"
        ) from error


def _scale_of(state: Mapping[str, Any]) -> Scale:
    return Scale(state["pixel_size_um"], pixel_size_assumed=state["pixel_size_from"] == ASSUMED)


def _scale(source: GrowingStack, network: Network, settings: WatchSettings) -> float:
    if settings.scale != "auto":
        return settings.scale
    own = settings.pixel_size_um or source.pixel_size_um
    return scale_between(own, network.segmenter.pixel_size_um)
