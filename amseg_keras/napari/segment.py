"""The panel "Segment": label the frames of a layer, as `amseg segment` does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import napari
import numpy as np
from napari.layers import Image
from qtpy.QtWidgets import QCheckBox, QComboBox, QSpinBox

from amseg_keras.classes import IGNORE
from amseg_keras.corrections import LabelStack
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
    Tell,
    known,
    optional_number,
)
from amseg_keras.pretrained import find_preset, list_presets
from amseg_keras.pretrained.preset import weights_digest
from amseg_keras.read import StackSource

if TYPE_CHECKING:
    from amseg_keras.segment import Segmenter

ENGINES = ("keras", "auto", "openvino", "openvino-bf16", "onnxruntime", "ncnn")
"""Engines that can be chosen; `keras` is Keras' own `predict`, which needs no other package."""

AUTO = "auto"


@dataclass(frozen=True)
class Asked:
    """What the user wants to have segmented.

    Attributes:
        source: Files of the frames.
        preset: Name or folder of the network.
        engine: One of `ENGINES`.
        frames: First and last frame; None for all of them.
        folder: Folder of the results of all recordings.
        pixel_size_um: Size of a pixel; None for what the file says.
        frame_rate_hz: Frames per second; None for what the file says.
        overwrite: Replace the result of another run.
    """

    source: StackSource
    preset: str
    engine: str = "keras"
    frames: tuple[int, int] | None = None
    folder: Path = RESULTS
    pixel_size_um: float | None = None
    frame_rate_hz: float | None = None
    overwrite: bool = False


@dataclass(frozen=True)
class Segmented:
    """What a segmentation gave.

    Attributes:
        layer: Labels with what is known of them.
        said: Warnings and notes, a sentence each.
    """

    layer: LayerTuple
    said: tuple[str, ...]


_LOADED: dict[tuple[str, str], Segmenter] = {}
"""The network that was used last, by the digest of its weights and its engine."""


def segment(asked: Asked, tell: Tell) -> Segmented:
    """Segment a recording: all frames into a folder of results, or a few as a preview.

    Args:
        asked: What the user wants.
        tell: Told how many frames are done.

    Returns:
        The labels; 255 in frames that a preview leaves out.

    Raises:
        ReadError: The recording cannot be read.
        PresetError: The network cannot be found or read.
        OutputError: The folder holds another result.
    """
    from amseg_keras.runs import RunSettings, run_stack

    tell(0, 0, f"Loading {asked.preset} ...")
    preset = find_preset(asked.preset)
    digest = weights_digest(preset)
    with asked.source.open() as stack:
        segmenter = _loaded(preset, digest, asked, stack, tell)
        if asked.frames is not None:
            return _preview(asked, segmenter, stack, tell)
        settings = RunSettings(
            pixel_size_um=asked.pixel_size_um,
            frame_rate_hz=asked.frame_rate_hz,
            overwrite=asked.overwrite,
        )
        folder = asked.folder / asked.source.name
        total = len(stack)
        record = run_stack(
            *(stack, segmenter, digest, folder, settings),
            lambda done: tell(int(done), total, f"Segmenting: {done:g} of {total} frames"),
        )
    layer = run_layer(folder, asked.source)
    found = layer[1]["metadata"][KEY]
    layer[1]["metadata"][KEY] = replace(found, preset=str(asked.preset))
    said = [f"{folder}: {', '.join(record['outputs'])}", *_cautions(record.get("warnings"))]
    said += [*record["notes"], *(one["error"] for one in record["unreadable_frames"])]
    return Segmented(layer, tuple(said))


def _loaded(preset: Path, digest: str, asked: Asked, stack: Any, tell: Tell) -> Segmenter:
    from amseg_keras.segment import from_pretrained

    key = (digest, asked.engine)
    if key not in _LOADED:
        segmenter = from_pretrained(preset)
        if asked.engine != "keras":
            tell(0, 0, f"Starting the engine {asked.engine} ...")
            segmenter.compile_inference(asked.engine, stack)
        _LOADED.clear()
        _LOADED[key] = segmenter
    return _LOADED[key]


def _preview(asked: Asked, segmenter: Segmenter, stack: Any, tell: Tell) -> Segmented:
    """Label a few frames, with the grey levels and the background of the whole recording."""
    first, last = asked.frames or (0, len(stack) - 1)
    inputs = segmenter.inputs(stack, pixel_size_um=asked.pixel_size_um)
    labels = np.full(stack.shape, IGNORE, np.uint8)
    errors = []
    for frame in segmenter.iter_labels(inputs, start=first, batch_size=1):
        if frame.index > last:
            break
        labels[frame.index] = frame.labels
        errors += [frame.error] if frame.error else []
        tell(frame.index - first + 1, last - first + 1, f"Segmenting frame {frame.index}")
    there = range(first, last + 1)
    warnings = segmenter.check(inputs, lambda index: labels[index] if index in there else None)
    names = segmenter.class_names
    known = Labelled(
        *(names, LabelStack(labels.copy(), names), asked.source.name, asked.source),
        preset=str(asked.preset),
        pixel_size_um=asked.pixel_size_um or stack.pixel_size_um,
        frame_rate_hz=asked.frame_rate_hz or stack.frame_rate_hz,
    )
    said = [f"A preview of frames {first} to {last}; nothing is written."]
    said += [f"CAUTION: {one.sentence}" for one in warnings]
    return Segmented(labels_layer(labels, known), (*said, *inputs.notes, *errors))


def _cautions(warnings: Iterable[dict[str, Any]] | None) -> list[str]:
    return [f"CAUTION: {one['sentence']}" for one in warnings or ()]


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
        """What the form says.

        Raises:
            ReadError: No recording is chosen, or it holds no frames.
        """
        layer = self.recording.layer
        known_of_layer = recorded(layer, self.folder.path / "recordings")
        frames = None
        if not self.all_frames.isChecked():
            frames = tuple(sorted((self.first.value(), self.last.value())))
        return Asked(
            known_of_layer.source,
            self.preset.currentText(),
            self.engine.currentText(),
            frames,  # type: ignore[arg-type]
            self.folder.path,
            _unless(known(self.pixel_size.value()), known_of_layer.pixel_size_um),
            _unless(known(self.frame_rate.value()), known_of_layer.frame_rate_hz),
            self.overwrite.isChecked(),
        )

    def segment(self) -> None:
        """Segment in a thread, and add the labels."""
        asked, image = self.asked(), self.recording.layer
        self.start(lambda tell: segment(asked, tell), lambda found: self._add(found, image))

    def _add(self, found: Segmented, image: Image) -> None:
        labels, more, _ = found.layer
        self.viewer.add_labels(labels, **{**more, **like(image)})
        self.say("\n".join(found.said))

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
    """A number that the user changed; None for that of the file, which records as the file's."""
    if given is not None and of_file is not None and abs(given - of_file) < 1e-3 * of_file:
        return None
    return given
