"""The panel "Correct and teach": painted labels become training frames of a tuned network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import napari
from napari.layers import Image, Labels
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QCheckBox, QListWidget, QListWidgetItem

from amseg_keras.classes import IGNORE
from amseg_keras.corrections import Corrections
from amseg_keras.napari.layers import KEY, Labelled, labelled, like, recorded, take_corrections
from amseg_keras.napari.panel import RESULTS, FolderField, LayerChoice, Panel, Tell
from amseg_keras.napari.segment import AUTO, Asked, Segmented, segment
from amseg_keras.read import ReadError, StackSource
from amseg_keras.report.colours import class_colours
from amseg_keras.runs.corrected import write_corrected

LEAST = 2
"""Corrected frames from which on a network can be taught."""


@dataclass(frozen=True)
class Lesson:
    """Corrected frames of one recording, and the network that is to learn them.

    Attributes:
        known: Labels with their corrections.
        source: Files of the frames.
        corrections: Folder of the data set of corrected frames.
        out: Folder of the trainings.
        replay: Train on simulated frames too, so that the network forgets nothing.
    """

    known: Labelled
    source: StackSource
    corrections: Path
    out: Path
    replay: bool


def keep(lesson: Lesson) -> Corrections:
    """Keep the corrected frames as a data set, those of other recordings in it too.

    Raises:
        ReadError: A frame cannot be read, or the folder holds other classes.
        OutputTakenError: The folder holds the result of another command.
    """
    known = lesson.known
    kept = Corrections(lesson.corrections, known.class_names, known.pixel_size_um)
    with lesson.source.open() as stack:
        kept.keep_all(known.recording, stack, known.found)
    return kept


def teach(lesson: Lesson, tell: Tell) -> Any:
    """Keep the corrected frames, and fine-tune the network on all frames that are kept.

    Args:
        lesson: What is to be learned.
        tell: Told how far it has come.

    Returns:
        The tuned network and its scores, as `amseg_keras.corrections.teach.Taught`.
    """
    from amseg_keras.corrections.teach import TeachProgress
    from amseg_keras.corrections.teach import teach as teach_network

    tell(0, 0, "Keeping the corrected frames ...")
    kept = keep(lesson)

    def told(progress: TeachProgress) -> None:
        left = progress.seconds_left
        rest = "" if left is None else f", about {left:.0f} s left"
        tell(round(100 * progress.share), 100, f"Teaching: {progress.stage}{rest}")

    number = 1 + sum(1 for _ in lesson.out.glob("taught-*"))
    out = lesson.out / f"taught-{number}"
    start = lesson.known.preset or AUTO
    return teach_network(kept.dataset, out, start, replay=lesson.replay, progress=told)


def score_lines(taught: Any) -> list[str]:
    """Say how good the network was before and is now, a line for each group of frames."""
    lines = []
    for group in dict.fromkeys(taught.scores["group"]):
        before, after = taught.mean(group)
        lines.append(f"{group}: mean IoU {before:.3f} before, {after:.3f} after")
    return lines


class CorrectPanel(Panel):
    """Paint with napari's own tools, teach a network what was painted, and apply it."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.labels = LayerChoice(napari_viewer, Labels)
        self.recording = LayerChoice(napari_viewer, Image)
        self.classes = QListWidget()
        self.classes.setMaximumHeight(130)
        self.replay = QCheckBox("also simulated frames, so that nothing is forgotten")
        self.replay.setChecked(True)
        self.corrections = FolderField(RESULTS / "corrections")
        self.trainings = FolderField(RESULTS / "networks")
        self.tuned: Path | None = None
        for name, field in (
            ("Labels", self.labels),
            ("Recording", self.recording),
            ("Paint", self.classes),
            ("Train on", self.replay),
            ("Corrections", self.corrections),
            ("Networks", self.trainings),
        ):
            self.form.addRow(name, field)
        self.count = self.button("Count", self.say_corrected)
        self.write = self.button("Write labels", self.write_labels)
        self.run = self.button("Teach", self.teach)
        self.apply = self.button("Apply", self.apply_tuned)
        self.apply.setEnabled(False)
        self.buttons.addWidget(self.cancel)
        self.classes.currentRowChanged.connect(self._paint_with)
        self.labels.currentTextChanged.connect(self._list_classes)
        self._list_classes()

    def say_corrected(self) -> tuple[int, ...]:
        """Say which frames differ from what the network found."""
        frames = take_corrections(self.labels.layer)
        listed = ", ".join(map(str, frames)) or "none"
        self.say(f"Corrected frames: {listed}.")
        return frames

    def write_labels(self) -> None:
        """Write the labels as they are painted into their folder of results."""
        layer = self.labels.layer
        take_corrections(layer)
        known = labelled(layer)
        if known.folder is None:
            raise ReadError(
                f"{layer.name}: has no folder of results; segment all frames to get one"
            )
        names = write_corrected(known.folder, known.found)
        self.say(
            f"{known.folder}: wrote {', '.join(names)}. The overlay stays that of the network; "
            "measure again for the tables."
        )

    def lesson(self) -> Lesson:
        """What the form says.

        Raises:
            ReadError: The labels are of no recording, or fewer than two frames are corrected.
        """
        layer = self.labels.layer
        corrected = take_corrections(layer)
        known = labelled(layer)
        source = known.source
        if source is None:
            source = recorded(self.recording.layer, RESULTS / "recordings").source
        corrections = self.corrections.path
        kept = 0
        if (corrections / "dataset.json").exists():
            there = Corrections(corrections, known.class_names)
            others = (name for name in there.recordings if name != known.recording)
            kept = sum(len(there.numbers(name)) for name in others)
        if len(corrected) + kept < LEAST:
            raise ReadError(
                f"{len(corrected) + kept} frames are corrected, and teaching takes {LEAST} or "
                "more: correct others with the brush of the labels layer"
            )
        return Lesson(known, source, corrections, self.trainings.path, self.replay.isChecked())

    def teach(self) -> None:
        """Teach in a thread, and show the scores before and after."""
        lesson = self.lesson()
        self.start(lambda tell: teach(lesson, tell), self._taught)

    def apply_tuned(self) -> None:
        """Segment the recording with the tuned network, into a folder and a layer of its own."""
        if self.tuned is None:
            raise ReadError("there is no tuned network yet; teach one first")
        layer = self.labels.layer
        known = labelled(layer)
        source = known.source or recorded(self.recording.layer, RESULTS / "recordings").source
        number = self.tuned.parent.parent.name
        asked = Asked(
            source,
            str(self.tuned),
            folder=self.trainings.path / "results" / number,
            pixel_size_um=known.pixel_size_um,
            frame_rate_hz=known.frame_rate_hz,
            overwrite=True,
        )
        self.start(lambda tell: segment(asked, tell), lambda found: self._applied(found, layer))

    def _taught(self, taught: Any) -> None:
        self.tuned = taught.preset
        self.apply.setEnabled(True)
        self.say("\n".join([f"The tuned network is {taught.preset}.", *score_lines(taught)]))

    def _applied(self, found: Segmented, before: Labels) -> None:
        labels, more, _ = found.layer
        known: Labelled = more["metadata"][KEY]
        more["metadata"][KEY] = replace(known, preset=str(self.tuned))
        more["name"] = f"{before.name}, taught"
        before.visible = False
        self.viewer.add_labels(labels, **{**more, **like(before)})
        self.say("\n".join(found.said))

    def _list_classes(self) -> None:
        self.classes.clear()
        if self.labels.currentText() not in self.viewer.layers:
            return
        known = self.labels.layer.metadata.get(KEY)
        if not isinstance(known, Labelled):
            return
        colours = class_colours(known.class_names)
        for number, name in enumerate(known.class_names):
            square = QPixmap(14, 14)
            square.fill(QColor(*(int(value) for value in colours[number])))
            item = QListWidgetItem(QIcon(square), f"{number}  {name}")
            self.classes.addItem(item)
        self.classes.addItem(QListWidgetItem(f"{IGNORE}  ignore in training"))

    def _paint_with(self, row: int) -> None:
        """Take the brush, with the class that was clicked."""
        if row < 0 or self.labels.currentText() not in self.viewer.layers:
            return
        layer = self.labels.layer
        layer.selected_label = row if row < self.classes.count() - 1 else IGNORE
        layer.mode = "paint"
        self.viewer.layers.selection = {layer}
