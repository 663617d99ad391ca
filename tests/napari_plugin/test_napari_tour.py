"""From raw frames of a beamtime to better labels: see, correct, teach, apply, write."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("napari", reason="needs amseg-keras[test-napari]")
pytest.importorskip("pytestqt", reason="needs amseg-keras[test-napari]")
pytest.importorskip("cv2", reason="needs amseg-keras[simulate]")

from amseg_keras.datasets.label_image import read_label_image
from amseg_keras.napari import readers
from amseg_keras.napari.correct import CorrectPanel
from amseg_keras.napari.measure import MeasurePanel
from amseg_keras.napari.segment import SegmentPanel
from amseg_keras.runs.labelled_run import open_labelled_run

PRESET = "amsegnet-esrf-lite"
CORRECTED = (4, 9, 14, 19, 24)
KEYHOLE = 3


def iou(labels, truth, frames):
    """IoU of the keyhole over some frames."""
    found, wanted = ((one[list(frames)] == KEYHOLE) for one in (labels, truth))
    return (found & wanted).sum() / (found | wanted).sum()


@pytest.mark.slow
def test_corrected_frames_make_the_others_better(real_data, make_napari_viewer, tmp_path, qtbot):
    def run(panel, pressed, minutes):
        with qtbot.waitSignal(panel.finished, timeout=60_000 * minutes):
            pressed()

    viewer = make_napari_viewer()
    path = str(real_data / "aps_ti64_frames")
    ((frames, more, _),) = readers.get_reader(path)(path)
    viewer.add_image(frames, **more)
    files = sorted((real_data / "aps_ti64_labels").glob("*.*"))
    truth = np.stack([read_label_image(file) for file in files])
    segment = SegmentPanel(viewer)
    segment.preset.setCurrentText(PRESET)
    segment.pixel_size.setValue(2.0)
    segment.frame_rate.setValue(50_000)
    segment.folder.line.setText(str(tmp_path / "results"))
    run(segment, segment.segment, 10)
    layer = viewer.layers[-1]
    others = [number for number in range(len(truth)) if number not in CORRECTED]
    before = iou(layer.data, truth, others)

    correct = CorrectPanel(viewer)
    correct.corrections.line.setText(str(tmp_path / "corrections"))
    correct.trainings.line.setText(str(tmp_path / "networks"))
    for number in CORRECTED:
        # The strokes of a patient person: every class where it is.
        for value in np.unique(truth[number]):
            where = np.nonzero(truth[number] == value)
            layer.data_setitem((np.full(len(where[0]), number), *where), value)
    assert correct.say_corrected() == CORRECTED
    run(correct, correct.teach, 30)
    assert correct.tuned is not None, correct.message.text()
    print(correct.message.text())
    run(correct, correct.apply_tuned, 10)
    taught = viewer.layers[f"{layer.name}, taught"]
    after = iou(taught.data, truth, others)
    print(
        f"keyhole IoU on the {len(others)} frames that were not corrected: {before:.3f} {after:.3f}"
    )
    assert after > before

    measure = MeasurePanel(viewer)
    assert measure.labels.layer is taught
    measure.write.setChecked(True)
    run(measure, measure.measure, 10)
    folder = tmp_path / "networks" / "results" / "taught-1" / "aps_ti64_frames"
    assert open_labelled_run(folder).shape == truth.shape
    assert len(pd.read_csv(folder / "quantities" / "frames.csv")) == len(truth)
