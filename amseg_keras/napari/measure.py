"""The panel "Measure": keyhole and pores in tables, plots and layers, linked to the frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import napari
import numpy as np
import pandas as pd
from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
from napari.layers import Labels
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QScrollArea,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from amseg_keras.napari.layers import Labelled, labelled, like, take_corrections
from amseg_keras.napari.panel import LayerChoice, Panel, known, optional_number
from amseg_keras.napari.worker import Tell
from amseg_keras.quantify import Quantities, Scale, measure
from amseg_keras.quantify.quantities import SMALLEST_PORE_UM
from amseg_keras.report.experiment.look import time_axis
from amseg_keras.report.experiment.tables import in_words
from amseg_keras.report.experiment.time_series import panels_of, time_series_figure
from amseg_keras.runs.labelled_experiment import find_experiments
from amseg_keras.runs.labelled_run import write_corrected
from amseg_keras.runs.quantify import FOLDER, QuantifySettings, quantify_experiment

TABLES = ("frames", "pores", "tracks")

PANEL_PX = 110
"""Least height of a plot; below, the labels of the axes lie over each other."""


@dataclass(frozen=True)
class Measured:
    """Measured quantities of a labels layer."""

    known: Labelled
    quantities: Quantities
    frames: int
    said: str


def measure_layer(
    layer: Labels, size: float | None, rate: float | None, smallest: float, write: bool, tell: Tell
) -> Measured:
    """Measure a labels layer as it is painted now.

    Args:
        size: Size of a pixel in um; None if unknown.
        rate: Frames per second; None if unknown.
        smallest: Equivalent diameter below which a pore is a speckle, in um.
        write: Write the tables into the folder of results, as `amseg quantify` does; corrected
            labels are written there first.

    Raises:
        ReadError: The layer is not one of this package, or nothing can be written for it.
    """
    corrected = take_corrections(layer)
    about = labelled(layer)
    total = len(about.found)
    if not write:
        frames = _told((about.found[number] for number in range(total)), total, tell)
        found = measure(frames, about.class_names, Scale(size, rate), smallest_pore_um=smallest)
        return Measured(about, found, total, "Measured; nothing is written.")
    if about.folder is None:
        raise ValueError(
            f"{layer.name}: has no folder of results to write into; segment all frames, or measure "
            "without writing"
        )
    if corrected:
        tell(0, 0, "Writing the corrected labels ...")
        write_corrected(about.folder, about.found)
    (experiment,), errors = find_experiments([str(about.folder)])
    if errors:
        raise ValueError(errors[0])
    settings = QuantifySettings(size, rate, smallest_pore_um=smallest)
    found = quantify_experiment(
        *(experiment, about.folder / FOLDER, settings),
        lambda done: tell(done, total, f"Measuring: {done} of {total} frames"),
    )
    return Measured(about, found, total, f"Written to {about.folder / FOLDER}.")


def _told(frames: Any, total: int, tell: Tell) -> Any:
    for done, frame in enumerate(frames, 1):
        yield frame
        tell(done, total, f"Measuring: {done} of {total} frames")


def tip_points(frames: pd.DataFrame) -> np.ndarray:
    """Give the keyhole's tip in every frame that has one, `(n, 3)` as frame, row, column."""
    there = frames.dropna(subset=["keyhole_tip_y_px", "keyhole_tip_x_px"])
    return np.asarray(there[["frame", "keyhole_tip_y_px", "keyhole_tip_x_px"]], float)


def surface_lines(frames: pd.DataFrame, width: int) -> list[np.ndarray]:
    """Give the surface in every frame that has one, as two ends `(2, 3)`: frame, row, column."""
    lines = []
    middle = (width - 1) / 2
    columns = ["frame", "surface_y_px", "surface_slope"]
    for frame, row, slope in frames[columns].dropna().itertuples(index=False):
        ends = [(frame, row + slope * (x - middle), x) for x in (0, width - 1)]
        lines.append(np.array(ends, float))
    return lines


def boundary_curves(boundary: pd.DataFrame | None) -> list[np.ndarray]:
    """Give the boundary of the melt pool in every frame that has one, `(points, 3)` each.

    Args:
        boundary: Table of boundaries; None if the labels have no melt pool.

    Returns:
        Points as frame, row, column.
    """
    if boundary is None:
        return []
    points = boundary[["frame", "y_px", "x_px"]]
    return [curve.to_numpy(float) for _, curve in points.groupby("frame")]


def pore_tracks(pores: pd.DataFrame) -> np.ndarray:
    """Give pores through time, `(n, 4)` as track, frame, row, column."""
    there = pores[pores["track"] >= 0] if len(pores) else pores
    ordered = there.sort_values(["track", "frame"])
    return np.asarray(ordered[["track", "frame", "y_px", "x_px"]], float)


class ResultView(QWidget):
    """Plots and tables of what was measured; the frame of the viewer is marked in both."""

    def __init__(self, viewer: napari.Viewer, measured: Measured) -> None:
        super().__init__()
        self._viewer = viewer
        self.tabs = QTabWidget()
        self._marks: list[Any] = []
        self.canvas: FigureCanvasQTAgg | None = None
        quantities, names = measured.quantities, measured.known.class_names
        self._axis = time_axis(quantities.scale, measured.frames)
        if measured.frames > 1 and panels_of(names):
            figure = time_series_figure(quantities, names, self._axis)
            self.canvas = FigureCanvasQTAgg(figure)
            self.canvas.setMinimumHeight(PANEL_PX * len(figure.axes) + PANEL_PX // 2)
            scrolled = QScrollArea()
            scrolled.setWidgetResizable(True)
            scrolled.setWidget(self.canvas)
            self._marks = [axes.axvline(0, color="0.5", linewidth=1) for axes in figure.axes]
            self.canvas.mpl_connect("button_press_event", self._clicked)
            self.tabs.addTab(scrolled, "plots")
        self.tables = {name: _table(getattr(quantities, name)) for name in TABLES}
        for name, table in self.tables.items():
            self.tabs.addTab(table, name)
            table.itemSelectionChanged.connect(lambda table=table: self._selected(table))
        box = QVBoxLayout()
        box.addWidget(self.tabs)
        self.setLayout(box)
        viewer.dims.events.current_step.connect(self.mark)
        self.destroyed.connect(self._leave)
        self.mark()

    def mark(self, event: Any = None) -> None:
        """Mark the frame that the viewer shows."""
        frame = int(self._viewer.dims.current_step[0])
        for line in self._marks:
            line.set_xdata([frame * self._axis.per_frame] * 2)
        if self.canvas is not None:
            self.canvas.draw_idle()
        table = self.tables["frames"]
        rows = [row for row in range(table.rowCount()) if table.item(row, 0).text() == str(frame)]
        if rows and table.currentRow() != rows[0]:
            table.blockSignals(True)
            table.selectRow(rows[0])
            table.blockSignals(False)

    def _clicked(self, event: Any) -> None:
        if event.xdata is not None:
            self._viewer.dims.set_current_step(0, round(event.xdata / self._axis.per_frame))

    def _selected(self, table: QTableWidget) -> None:
        names = [table.horizontalHeaderItem(k).text() for k in range(table.columnCount())]
        column = next((k for k, name in enumerate(names) if name in ("frame", "first_frame")), None)
        if column is not None and table.currentRow() >= 0:
            frame = int(float(table.item(table.currentRow(), column).text()))
            self._viewer.dims.set_current_step(0, frame)

    def _leave(self) -> None:
        self._viewer.dims.events.current_step.disconnect(self.mark)


def _table(values: pd.DataFrame) -> QTableWidget:
    table = QTableWidget(len(values), len(values.columns))
    table.setHorizontalHeaderLabels([str(name) for name in values.columns])
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.verticalHeader().hide()
    for row, cells in enumerate(values.itertuples(index=False)):
        for column, value in enumerate(cells):
            whole = isinstance(value, int | np.integer | bool | np.bool_ | str)
            item = QTableWidgetItem(str(value) if whole else in_words(value))
            item.setTextAlignment(Qt.AlignmentFlag.AlignRight)
            table.setItem(row, column, item)
    table.resizeColumnsToContents()
    return table


class MeasurePanel(Panel):
    """Measure labels, and show tables, plots, the keyhole's tip, the surface and pore tracks."""

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__(napari_viewer)
        self.labels = LayerChoice(napari_viewer, Labels)
        self.pixel_size, self.frame_rate = optional_number("µm"), optional_number("Hz")
        self.smallest = optional_number("µm", 1)
        self.smallest.setValue(SMALLEST_PORE_UM)
        self.write = QCheckBox("tables into the folder of results")
        self.view: ResultView | None = None
        self._dock: Any = None
        for name, field in (
            ("Labels", self.labels),
            ("Pixel size", self.pixel_size),
            ("Frame rate", self.frame_rate),
            ("Smallest pore", self.smallest),
            ("Write", self.write),
        ):
            self.form.addRow(name, field)
        self.run = self.button("Measure", self.measure)
        self.buttons.addWidget(self.cancel)
        self.labels.currentTextChanged.connect(self._show_facts)
        self._show_facts()

    def measure(self) -> None:
        """Measure in a thread, and show what was found."""
        layer = self.labels.layer
        asked = (
            known(self.pixel_size.value()),
            known(self.frame_rate.value()),
            self.smallest.value(),
            self.write.isChecked(),
        )
        self.start(
            lambda tell: measure_layer(layer, *asked, tell),
            lambda found: self._show_all(found, layer),
        )

    def _show_all(self, measured: Measured, layer: Labels) -> None:
        frames, place = measured.quantities.frames, like(layer)
        about = measured.known.recording
        kinds = ("surface", "melt-pool boundary", "keyhole tip", "pore tracks")
        for name in (f"{about} {kind}" for kind in kinds):
            if name in self.viewer.layers:
                self.viewer.layers.remove(name)
        if lines := surface_lines(frames, layer.data.shape[2]):
            self.viewer.add_shapes(
                lines, shape_type="line", name=f"{about} surface", edge_color="cyan", **place
            )
        if curves := boundary_curves(measured.quantities.boundary):
            name = f"{about} melt-pool boundary"
            self.viewer.add_shapes(
                curves, shape_type="path", name=name, edge_color="white", **place
            )
        if len(tips := tip_points(frames)):
            self.viewer.add_points(
                tips, name=f"{about} keyhole tip", size=8, face_color="yellow", symbol="x", **place
            )
        if len(tracks := pore_tracks(measured.quantities.pores)):
            self.viewer.add_tracks(tracks, name=f"{about} pore tracks", **place)
        if self._dock is not None:
            self.viewer.window.remove_dock_widget(self._dock)
        self.view = ResultView(self.viewer, measured)
        self._dock = self.viewer.window.add_dock_widget(
            self.view, name=f"{about}: measured", area="bottom"
        )
        self.say(measured.said)

    def _show_facts(self) -> None:
        if self.labels.currentText() not in self.viewer.layers:
            return
        facts = self.labels.layer.metadata.get("amseg")
        if isinstance(facts, Labelled):
            self.pixel_size.setValue(facts.pixel_size_um or 0)
            self.frame_rate.setValue(facts.frame_rate_hz or 0)
