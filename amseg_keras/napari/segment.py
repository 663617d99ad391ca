"""The panel "Segment": label the frames of a layer, as `amseg segment` does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import napari
from napari.layers import Image
from qtpy.QtWidgets import QCheckBox, QComboBox, QSpinBox

from amseg_keras.corrections import LabelStack
from amseg_keras.napari.jobs import AUTO, Asked, Segmented, run_segment
from amseg_keras.napari.layers import (
    KEY,
    Labelled,
    LayerTuple,
    Recorded,
    labels_layer,
    like,
    recorded,
    run_layer,
)
from amseg_keras.napari.panel import (
    RESULTS,
    FolderField,
    LayerChoice,
    Panel,
    known,
    optional_number,
)
from amseg_keras.pretrained import list_presets

ENGINES = (AUTO, "keras", "openvino", "openvino-bf16", "onnxruntime", "ncnn")
"""Engines that can be chosen."""


def found_layer(asked: Asked, done: Segmented) -> LayerTuple:
    """Make a labels layer of what a segmentation gave.

    Raises:
        ReadError: The result cannot be read.
    """
    if isinstance(done.found, Path):
        layer = run_layer(done.found, asked.source)
        about: Labelled = layer[1]["metadata"][KEY]
        layer[1]["metadata"][KEY] = replace(about, preset=asked.preset)
        return layer
    preview = done.found
    names = preview.class_names
    about = Labelled(
        *(names, LabelStack(preview.labels.copy(), names), asked.source.name, asked.source),
        preset=asked.preset,
        pixel_size_um=preview.pixel_size_um,
        frame_rate_hz=preview.frame_rate_hz,
    )
    return labels_layer(preview.labels, about)


class SegmentPanel(Panel):
    """Choose a recording and a network, and get labels in the colours of their classes."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.recording = LayerChoice(napari_viewer, Image)
        self.preset = QComboBox()
        self.preset.setEditable(True)
        self.preset.addItems([AUTO, *list_presets()])
        self.engine = QComboBox()
        self.engine.addItems(ENGINES)
        self.all_frames = QCheckBox("all, written to the folder")
        self.all_frames.setChecked(True)
        self.first, self.last = QSpinBox(), QSpinBox()
        self.pixel_size, self.frame_rate = optional_number("µm"), optional_number("Hz")
        self.folder = FolderField(RESULTS)
        self.overwrite = QCheckBox("replace another result")
        for name, field in (
            ("Recording", self.recording),
            ("Network", self.preset),
            ("Engine", self.engine),
            ("Frames", self.all_frames),
            ("from", self.first),
            ("to", self.last),
            ("Pixel size", self.pixel_size),
            ("Frame rate", self.frame_rate),
            ("Results", self.folder),
            ("", self.overwrite),
        ):
            self.form.addRow(name, field)
        self.run = self.button("Segment", self.segment)
        self.buttons.addWidget(self.cancel)
        self.recording.currentTextChanged.connect(self._show_facts)
        self.all_frames.toggled.connect(self._show_facts)
        self._show_facts()

    def asked(self) -> Asked:
        """Read the form.

        Raises:
            ReadError: No recording is chosen, or it holds no frames.
        """
        layer = self.recording.layer
        known_of_layer = recorded(layer, self.folder.path / "recordings")
        frames: tuple[int, int] | None = None
        if not self.all_frames.isChecked():
            first, last = self.first.value(), self.last.value()
            frames = min(first, last), max(first, last)
        return Asked(
            known_of_layer.source,
            self.preset.currentText(),
            self.engine.currentText(),
            frames,
            self.folder.path,
            _unless(known(self.pixel_size.value()), known_of_layer.pixel_size_um),
            _unless(known(self.frame_rate.value()), known_of_layer.frame_rate_hz),
            self.overwrite.isChecked(),
        )

    def segment(self) -> None:
        """Segment in a thread, and add the labels."""
        asked, image = self.asked(), self.recording.layer
        self.start(
            lambda tell: run_segment(asked, tell), lambda done: self._add(asked, done, image)
        )

    def _add(self, asked: Asked, done: Segmented, image: Image) -> None:
        labels, more, _ = found_layer(asked, done)
        self.viewer.add_labels(labels, **{**more, **like(image)})
        self.say("\n".join(done.said))

    def _show_facts(self) -> None:
        """Show what the file of the chosen recording says."""
        some = not self.all_frames.isChecked()
        for field in (self.first, self.last):
            field.setEnabled(some)
        if self.recording.currentText() not in self.viewer.layers:
            return
        layer = self.recording.layer
        last = max(layer.data.shape[0] - 1, 0) if layer.ndim == 3 else 0
        for field in (self.first, self.last):
            field.setMaximum(last)
        if not some:
            self.last.setValue(last)
        facts = layer.metadata.get(KEY)
        if isinstance(facts, Recorded):
            self.pixel_size.setValue(facts.pixel_size_um or 0)
            self.frame_rate.setValue(facts.frame_rate_hz or 0)


def _unless(given: float | None, of_file: float | None) -> float | None:
    """Return a number that the user changed; None for the number of the file."""
    if given is not None and of_file is not None and abs(given - of_file) < 1e-3 * of_file:
        return None
    return given
