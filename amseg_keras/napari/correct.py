"""The panel "Correct and teach": painted labels become training frames of a tuned network."""

from __future__ import annotations

from pathlib import Path

import napari
from napari.layers import Image, Labels
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QCheckBox, QListWidget, QListWidgetItem

from amseg_keras.classes import IGNORE
from amseg_keras.corrections import Corrections
from amseg_keras.napari.jobs import AUTO, Asked, Learned, Lesson, Segmented, run_segment, run_teach
from amseg_keras.napari.layers import KEY, Labelled, labelled, like, recorded, take_corrections
from amseg_keras.napari.panel import RESULTS, FolderField, LayerChoice, Panel
from amseg_keras.napari.segment import found_layer
from amseg_keras.read import ReadError
from amseg_keras.report.colours import class_colours
from amseg_keras.runs.labelled_run import write_corrected

LEAST = 2
"""Corrected frames from which on a network can be taught."""


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
        """Read the form.

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
        out = self.trainings.path
        return Lesson(
            known.recording,
            source,
            known.class_names,
            {number: known.found[number] for number in corrected},
            known.found.shape,
            corrections,
            out / f"taught-{1 + sum(1 for _ in out.glob('taught-*'))}",
            known.preset or AUTO,
            known.pixel_size_um,
            self.replay.isChecked(),
        )

    def teach(self) -> None:
        """Teach in a thread, and show the scores before and after."""
        lesson = self.lesson()
        self.start(lambda tell: run_teach(lesson, tell), self._taught)

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
            AUTO,
            None,
            self.trainings.path / "results" / number,
            pixel_size_um=known.pixel_size_um,
            frame_rate_hz=known.frame_rate_hz,
            overwrite=True,
        )
        self.start(
            lambda tell: run_segment(asked, tell), lambda done: self._applied(asked, done, layer)
        )

    def _taught(self, learned: Learned) -> None:
        self.tuned = learned.preset
        self.apply.setEnabled(True)
        self.say("\n".join([f"The tuned network is {learned.preset}.", *learned.lines]))

    def _applied(self, asked: Asked, done: Segmented, before: Labels) -> None:
        labels, more, _ = found_layer(asked, done)
        more["name"] = f"{before.name}, taught"
        before.visible = False
        self.viewer.add_labels(labels, **{**more, **like(before)})
        self.say("\n".join(done.said))

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
