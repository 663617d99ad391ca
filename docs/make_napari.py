"""Draw the picture of the napari plugin: `python docs/make_napari.py`.

It needs a screen; without one: `xvfb-run -s "-screen 0 1600x1200x24" python docs/make_napari.py`.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import napari
from PIL import Image
from qtpy.QtWidgets import QApplication

from amseg_keras.napari import readers
from amseg_keras.napari.correct import CorrectPanel
from amseg_keras.napari.measure import MeasurePanel
from amseg_keras.napari.panel import Panel
from amseg_keras.napari.segment import SegmentPanel

PICTURE = Path(__file__).with_name("napari.png")
PRESET = "amsegnet-esrf-lite"
SIZE = 1500, 1150
FRAME = 14


def wait(panel: Panel, pressed: str) -> None:
    """Press a button of a panel, and wait until its work is done."""
    getattr(panel, pressed)()
    while panel.job is not None:
        QApplication.processEvents()
        time.sleep(0.02)
    print(panel.message.text())


def main() -> None:
    """Segment and measure the sample, and draw the window."""
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*SIZE)
    ((frames, about, _),) = readers.sample_lpbf()
    viewer.add_image(frames, **about)
    segment, measure, correct = (
        kind(viewer) for kind in (SegmentPanel, MeasurePanel, CorrectPanel)
    )
    docks = [
        viewer.window.add_dock_widget(panel, name=name, area="right", tabify=True)
        for panel, name in ((segment, "Segment"), (measure, "Measure"), (correct, "Correct"))
    ]
    with tempfile.TemporaryDirectory() as folder:
        segment.preset.setCurrentText(PRESET)
        segment.folder.line.setText(folder)
        wait(segment, "segment")
        measure.frame_rate.setValue(40_000)
        wait(measure, "measure")
        segment.folder.line.setText("~/amseg-results")
    docks[2].raise_()
    viewer.dims.set_current_step(0, FRAME)
    viewer.scale_bar.visible = True
    viewer.reset_view()
    for _ in range(50):
        QApplication.processEvents()
        time.sleep(0.02)
    picture = viewer.screenshot(canvas_only=False, flash=False)
    Image.fromarray(picture[..., :3]).quantize(200).save(PICTURE, optimize=True)
    viewer.close()


if __name__ == "__main__":
    main()
