"""The panel "Prepare": raw frames to ready ones, with a window that follows the laser."""

from __future__ import annotations

from typing import Any

import napari
import numpy as np
from napari.layers import Image, Shapes
from qtpy.QtWidgets import QCheckBox, QComboBox, QSpinBox

from amseg_keras.napari.layers import NO_RECORDING, LayerTuple, image_layer, recorded
from amseg_keras.napari.panel import RESULTS, FolderField, LayerChoice, Panel
from amseg_keras.napari.worker import Tell
from amseg_keras.preprocess import (
    FirstFrames,
    FlatField,
    FollowLaser,
    LaserPath,
    Median,
    PreviousFrames,
    Register,
    Repair,
    Step,
    Stretch,
    find_laser,
    kymograph,
    median_frame,
)
from amseg_keras.read import ReadError, StackSource, find_stacks, open_stack
from amseg_keras.runs import PrepareSettings, prepare_stack

BACKGROUNDS = ("none", "previous frames", "first frames")
LASERS = ("the whole frame", "along the laser, found", "along the laser, as drawn")
LASER = "laser"
"""Name of the layer with the laser's line on the x-t image."""


def laser_line(path: LaserPath, frames: int) -> np.ndarray:
    """Give the line of a path on an x-t image, `(2, 2)` as frame and column."""
    return np.array([[0, path.at(0)], [frames - 1, path.at(frames - 1)]])


def x_t_image(source: StackSource, tell: Tell) -> tuple[np.ndarray, LaserPath | None, str]:
    """Make the x-t image of a recording, and look for the laser.

    Returns:
        Image, path of the laser or None, and what is to be said of it.
    """
    with source.open() as stack:
        total = len(stack)
        image = kymograph(stack, lambda done: tell(done, total, "Making the x-t image ..."))
        try:
            found = find_laser(stack)
        except ValueError as error:
            return image, None, f"{error}: draw its line in the layer '{LASER}'."
    said = (
        f"The laser moves by {found.path.px_per_frame:.3g} px a frame; places scatter by "
        f"{found.scatter_px:.2g} px. Drag the ends of the line if it is wrong."
    )
    return image, found.path, said


class PreparePanel(Panel):
    """Flat field, registration, background, stretch, and a window along the laser."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.recording = LayerChoice(napari_viewer, Image, follow=False)
        self.repair, self.register = QCheckBox("dead pixels"), QCheckBox("onto the first frame")
        self.flats, self.dark = FolderField(""), FolderField("")
        self.background = QComboBox()
        self.background.addItems(BACKGROUNDS)
        self.number, self.skip = QSpinBox(), QSpinBox()
        self.number.setRange(1, 1000)
        self.number.setValue(10)
        self.skip.setRange(0, 1000)
        self.skip.setValue(5)
        self.median = QCheckBox("3 x 3")
        self.crop = QComboBox()
        self.crop.addItems(LASERS)
        self.width_px, self.height_px = QSpinBox(), QSpinBox()
        for box, value in ((self.width_px, 256), (self.height_px, 256)):
            box.setRange(16, 100_000)
            box.setValue(value)
        self.folder = FolderField(RESULTS / "prepared")
        self.overwrite = QCheckBox("replace another result")
        for name, field in (
            ("Recording", self.recording),
            ("Repair", self.repair),
            ("Flats", self.flats),
            ("Dark", self.dark),
            ("Register", self.register),
            ("Background", self.background),
            ("frames", self.number),
            ("skipped before", self.skip),
            ("Median", self.median),
            ("Window", self.crop),
            ("wide", self.width_px),
            ("high", self.height_px),
            ("Folder", self.folder),
            ("", self.overwrite),
        ):
            self.form.addRow(name, field)
        self.show_laser = self.button("x-t image", self.draw_laser)
        self.run = self.button("Prepare", self.prepare)
        self.buttons.addWidget(self.cancel)

    def draw_laser(self) -> None:
        """Show the x-t image, with the line of the laser to be drawn or corrected."""
        source = self._source()
        self.start(lambda tell: x_t_image(source, tell), self._add_x_t)

    def steps(self) -> list[Step]:
        """Read the steps of the form, in their order.

        Raises:
            ReadError: Flats cannot be read, or no line is drawn.
            ValueError: The line has no speed.
        """
        steps: list[Step] = []
        if self.repair.isChecked():
            with self._source().open(keep_nonfinite=True) as stack:
                steps.append(Repair(inverted=stack.is_inverted))
        if self.flats.line.text().strip():
            steps.append(self._flat_field())
        if self.register.isChecked():
            steps.append(Register())
        if self.background.currentText() == BACKGROUNDS[1]:
            steps.append(PreviousFrames(self.number.value(), self.skip.value()))
        elif self.background.currentText() == BACKGROUNDS[2]:
            steps.append(FirstFrames(self.number.value()))
        steps.append(Stretch())
        if self.median.isChecked():
            steps.append(Median(3))
        if self.crop.currentText() != LASERS[0]:
            path = self._drawn_path() if self.crop.currentText() == LASERS[2] else None
            steps.append(FollowLaser(self.width_px.value(), self.height_px.value(), path))
        return steps

    def prepare(self) -> None:
        """Prepare in a thread, as `amseg prepare` does, and add the ready frames."""
        source, steps = self._source(), self.steps()
        folder = self.folder.path / source.name
        settings = PrepareSettings(overwrite=self.overwrite.isChecked())

        def work(tell: Tell) -> tuple[LayerTuple, list[str]]:
            repaired = any(isinstance(step, Repair) for step in steps)
            with source.open(keep_nonfinite=repaired) as stack:
                total = len(stack)
                done = prepare_stack(
                    *(stack, steps, folder, settings),
                    lambda count: tell(count, total, f"Preparing: {count} of {total} frames"),
                )
            layer = image_layer(find_stacks([folder / done.record["outputs"][0]])[0][0])
            layer[1]["name"] = f"{source.name} prepared"
            return layer, [f"Written to {folder}.", *done.record["notes"]]

        self.start(work, self._add_prepared)

    def _add_prepared(self, done: tuple[LayerTuple, list[str]]) -> None:
        (frames, more, _), said = done
        self.viewer.add_image(frames, **more)
        self.say("\n".join(said))

    def _add_x_t(self, made: tuple[np.ndarray, LaserPath | None, str]) -> None:
        image, path, said = made
        for layer in list(self.viewer.layers):
            if layer.name in (LASER, "x-t image"):
                self.viewer.layers.remove(layer)
            elif layer.ndim > 2:
                layer.visible = False
        self.viewer.add_image(
            np.nan_to_num(image), name="x-t image", colormap="magma", metadata=NO_RECORDING
        )
        lines: Any = [] if path is None else [laser_line(path, len(image))]
        shapes = self.viewer.add_shapes(
            lines, shape_type="line", ndim=2, name=LASER, edge_width=1, edge_color="cyan"
        )
        shapes.mode = "direct" if lines else "add_line"
        self.crop.setCurrentText(LASERS[2])
        self.viewer.reset_view()
        self.say(said)

    def _drawn_path(self) -> LaserPath:
        layer = next((layer for layer in self.viewer.layers if layer.name == LASER), None)
        if not isinstance(layer, Shapes) or not len(layer.data):
            raise ReadError(
                f"no line of the laser is drawn: press 'x-t image', and draw it in '{LASER}'"
            )
        first, last = layer.data[-1][[0, -1], -2:]
        return LaserPath.through(tuple(first), tuple(last))

    def _source(self) -> StackSource:
        return recorded(self.recording.layer, self.folder.path / "recordings").source

    def _flat_field(self) -> FlatField:
        with open_stack(self.flats.path) as flats:
            flat = median_frame(flats)
        if not self.dark.line.text().strip():
            return FlatField(flat, None, str(self.flats.path))
        with open_stack(self.dark.path) as dark:
            return FlatField(flat, median_frame(dark), str(self.flats.path), str(self.dark.path))
