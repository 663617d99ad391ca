"""A recording of a visitor: its settings, labels and results.

A change of a setting drops everything that depends on the setting in the same call, so that
nothing on the page can belong to another preset, pixel size or frame rate than the page shows.
"""

from __future__ import annotations

import math
import os
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from amseg_keras.corrections import LabelStack, Thresholds, brush, polygon
from amseg_keras.demo.workers import JobError
from amseg_keras.preprocess import BackgroundPolicy, Backgrounds
from amseg_keras.read import ReadError

READY, WAITING, RUNNING, DONE = "ready", "waiting", "running", "done"
FAILED, CANCELLED = "failed", "cancelled"

MOST_POINTS = 20_000
"""Most points of a stroke; later points are left out."""


@dataclass(frozen=True)
class Chosen:
    """Settings of a visitor for a recording.

    Attributes:
        preset: Name of the network.
        pixel_size_um: Size of a pixel in um; None if unknown.
        frame_rate_hz: Frames per second; None if unknown.
        background: Frames of the background, as `BackgroundPolicy.parse` reads it.
        scale: Factor by which frames are enlarged for the network, or "auto".
        smallest_pore: Equivalent diameter of the smallest pore, in um, or in pixels without a pixel
            size; 0 for the rule of `amseg quantify`.
        least_confidence: Mean confidence of the pixels of a pore or keyhole, 0 to 1.

    Raises:
        ValueError: One of them is out of its range.

    Example:
        >>> Chosen("amsegnet-movie", pixel_size_um=2.0, smallest_pore=10).thresholds.smallest_px
        19.634954084936208
    """

    preset: str
    pixel_size_um: float | None = None
    frame_rate_hz: float | None = None
    background: str = "auto"
    scale: float | Literal["auto"] = 1.0
    smallest_pore: float = 0.0
    least_confidence: float = 0.0

    def __post_init__(self) -> None:
        for name in ("pixel_size_um", "frame_rate_hz"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{_TITLES[name]} is {value:g}, it must be above 0")
        BackgroundPolicy.parse(self.background)
        if self.scale != "auto" and not 0.1 <= self.scale <= 10:
            raise ValueError(f"the scale is {self.scale:g}, it must be from 0.1 to 10")
        if not 0 <= self.smallest_pore <= 1000:
            raise ValueError("the smallest pore must be from 0 to 1000")
        _ = self.thresholds

    @property
    def thresholds(self) -> Thresholds:
        """Smallest size and confidence of a piece that is shown and counted."""
        diameter = self.smallest_pore / (self.pixel_size_um or 1.0)
        return Thresholds(math.pi / 4 * diameter**2, self.least_confidence, ("pore", "keyhole"))

    @property
    def of_labels(self) -> tuple[Any, ...]:
        """Settings on which the label maps depend."""
        enlarged = self.pixel_size_um if self.scale == "auto" else None
        return self.preset, self.background, self.scale, enlarged


_TITLES = {"pixel_size_um": "the pixel size", "frame_rate_hz": "the frame rate"}


@dataclass(eq=False)
class Recording:
    """One recording on the page.

    `lock` guards the attributes, for moments. `folder_in_use` is held while a worker writes
    into the folder of results; a thread that holds `lock` never waits for it.

    Attributes:
        number: Number on the page.
        about: Description of the recording, from `jobs.read`.
        chosen: Choices of the visitor.
        state: One of the states of this module.
        said: Present step, or the error, in a sentence.
        share: Part of it that is done, 0 to 1.
        record: Record of the segmentation; None before.
        labels: Label maps that can be corrected; None before.
        earlier: Label maps of the network before it was taught; None if it was not.
        measured: Result of `jobs.measure`; None until there is one.
        measured_at: Version of the labels that was measured.
        version: Counts every change of what is seen.
        training: Frames to teach with: those that were corrected, and those that the visitor chose.
        has_confidence: Whether `confidence.npy` belongs to the labels.
        stop: Set when the visitor wants the job no more.
    """

    number: int
    about: dict[str, Any]
    chosen: Chosen
    state: str = READY
    said: str = ""
    share: float = 0.0
    record: dict[str, Any] | None = None
    labels: LabelStack | None = None
    earlier: np.ndarray | None = None
    measured: dict[str, Any] | None = None
    measured_at: int = -1
    version: int = 0
    training: set[int] = field(default_factory=set)
    has_confidence: bool = False
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.RLock = field(default_factory=threading.RLock)
    folder_in_use: threading.Lock = field(default_factory=threading.Lock)
    _frames: np.ndarray | None = None
    _backgrounds: tuple[str, Backgrounds] | None = None

    @property
    def home(self) -> Path:
        """Folder of the recording."""
        return Path(self.about["home"])

    @property
    def name(self) -> str:
        """Name of the recording, safe as a file name."""
        return str(self.about["name"])

    @property
    def count(self) -> int:
        """Number of frames."""
        return int(self.about["shape"][0])

    @property
    def frames(self) -> np.ndarray:
        """Grey levels, `(frames, height, width)`, read when they are used."""
        if self._frames is None:
            self._frames = np.load(self.home / "frames.npy", mmap_mode="r")
        return self._frames

    def choose(self, **values: Any) -> None:
        """Change settings, and drop at once what depended on them.

        Args:
            **values: Fields of `Chosen`.

        Raises:
            ValueError: A value is out of its range.
        """
        with self.lock:
            before, self.chosen = self.chosen, replace(self.chosen, **values)
            if self.chosen == before:
                return
            if self.chosen.of_labels != before.of_labels:
                self.forget_labels()
            self.measured = None
            self.version += 1

    def forget_labels(self) -> None:
        """Drop the labels and all results."""
        with self.lock:
            self.stop.set()
            self.record = self.labels = self.measured = self.earlier = None
            self.has_confidence = False
            self.training = set()
            self.state, self.said, self.share = READY, "", 0.0
            self.version += 1

    def take(self, record: dict[str, Any], class_names: tuple[str, ...]) -> None:
        """Take the labels that a network found.

        Args:
            record: Record of the run.
            class_names: Name of each class id.
        """
        with self.lock:
            found = np.load(self.home / "found.npy", mmap_mode="r")
            self.record, self.labels = record, LabelStack(found, class_names)
            self.measured, self.has_confidence = None, False
            self.version += 1

    def changed(self) -> None:
        """Note that the labels of a frame changed, so that measured results are stale."""
        with self.lock:
            self.measured = None
            self.version += 1

    def shown(self, index: int) -> np.ndarray | None:
        """Return the label map of a frame as it is shown and measured; None without labels.

        The thresholds do not change frames that were corrected by hand.

        Args:
            index: Number of the frame, from 0.
        """
        if self.labels is None:
            return None
        labels, thresholds = self.labels[index], self.chosen.thresholds
        if thresholds.is_off or index in self.labels.corrected:
            return labels
        sure = None
        if thresholds.least_confidence > 0:
            if not self.has_confidence:
                thresholds = replace(thresholds, least_confidence=0.0)
            else:
                made = np.load(self.home / "confidence.npy", mmap_mode="r")
                sure = made[index] / np.float32(255)
        return thresholds.apply(labels, self.labels.class_names, sure)

    def save_shown(self) -> int:
        """Write the label maps as they are shown, for the worker that measures them.

        Returns:
            Version of the labels that were written.
        """
        with self.lock:
            version = self.version
            height, width = self.about["shape"][1:]
            made = np.empty((self.count, height, width), np.uint8)
            for index in range(self.count):
                labels = self.shown(index)
                assert labels is not None
                made[index] = labels
            np.save(self.home / "new-shown.npy", made)
            os.replace(self.home / "new-shown.npy", self.home / "shown.npy")
            return version

    def background(self, index: int) -> np.ndarray | None:
        """Return the background of a frame for the network, or None.

        Args:
            index: Number of the frame, from 0.
        """
        with self.lock:
            if self._backgrounds is None or self._backgrounds[0] != self.chosen.background:
                policy = BackgroundPolicy.parse(self.chosen.background)
                self._backgrounds = self.chosen.background, policy.of_stack(self.frames)
            try:
                return self._backgrounds[1].of(index)
            except (ReadError, ValueError):
                return None


def edit_labels(recording: Recording, frame: int, asked: dict[str, Any]) -> bool:
    """Change the labels of a frame with a tool.

    Args:
        frame: Number of the frame, from 0.
        asked: `tool`, and of most tools `points` (row and column), `class` and `radius`.

    Returns:
        Whether any pixel changed.

    Raises:
        JobError: The recording is not segmented.
        ValueError: There is no such tool.
    """
    stack, tool = recording.labels, str(asked["tool"])
    if stack is None:
        raise JobError("segment the recording first")
    if tool in ("undo", "redo", "reset"):
        return bool(getattr(stack, tool)(frame))
    points = [(float(row), float(column)) for row, column in asked["points"][:MOST_POINTS]]
    shape, class_id = stack.shape[1:], int(asked.get("class", 0))
    radius = min(max(float(asked.get("radius", 1)), 0.5), 200)
    if tool == "brush":
        return stack.paint(frame, brush(shape, points, radius), class_id)
    if tool == "eraser":
        return stack.erase(frame, brush(shape, points, radius), class_id)
    if tool == "polygon":
        return stack.paint(frame, polygon(shape, points), class_id)
    if tool == "fill":
        return stack.fill(frame, points[0], class_id)
    if tool == "add":
        return stack.add_piece(frame, recording.frames[frame], points[0], class_id)
    if tool == "remove":
        before = stack.revision
        stack.remove_piece(frame, points[0])
        return stack.revision != before
    raise ValueError(f"no tool is called {tool!r}")
