"""The panels call the library, show what it says, and leave napari's own tools to be used."""

import json

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("napari", reason="needs amseg-keras[test-napari]")
pytest.importorskip("pytestqt", reason="needs amseg-keras[test-napari]")

from amseg_keras.classes import IGNORE
from amseg_keras.napari import readers
from amseg_keras.napari.correct import CorrectPanel
from amseg_keras.napari.layers import KEY, labelled
from amseg_keras.napari.measure import MeasurePanel, pore_tracks, surface_lines, tip_points
from amseg_keras.napari.prepare import LASER, LASERS, PreparePanel
from amseg_keras.napari.segment import SegmentPanel
from amseg_keras.pretrained import find_preset
from amseg_keras.read import open_stack
from amseg_keras.runs.labelled_run import open_labelled_run

PRESET = "amsegnet-esrf-lite"


@pytest.fixture
def viewer(make_napari_viewer):
    """A viewer with the first frames of the sample of welding."""
    made = make_napari_viewer()
    ((data, more, _),) = readers.sample_welding()
    made.add_image(data, **more)
    return made


def ended(qtbot, panel, seconds=120):
    """Wait until the panel's work has ended."""
    with qtbot.waitSignal(panel.finished, timeout=1000 * seconds):
        pass


def segment_panel(viewer, preset, folder):
    panel = SegmentPanel(viewer)
    panel.preset.setCurrentText(preset)
    panel.folder.line.setText(str(folder))
    return panel


@pytest.fixture
def segmented(viewer, tmp_path, qtbot):
    """The viewer with labels of all frames, and the folder of their result."""
    panel = segment_panel(viewer, PRESET, tmp_path / "results")
    panel.segment()
    ended(qtbot, panel)
    return viewer, tmp_path / "results" / "esrf-welding", panel


def test_segment_adds_labels_in_their_colours_and_writes_a_result(segmented):
    viewer, folder, panel = segmented
    layer = viewer.layers["esrf-welding labels"]
    expected = np.stack(list(open_labelled_run(folder).frames()))
    np.testing.assert_array_equal(layer.data, expected)
    np.testing.assert_allclose(layer.get_color(4)[:3], np.array([214, 39, 40]) / 255, atol=0.01)
    assert layer.features["class"].tolist()[3] == "keyhole"
    np.testing.assert_allclose(layer.scale, viewer.layers["esrf-welding"].scale)
    assert (folder / "overlay.mp4").exists()
    assert str(folder) in panel.message.text()
    assert json.loads((folder / "run.json").read_text())["pixel_size_from"] == "file"


def test_a_preview_labels_the_frames_that_are_asked_for(viewer, tmp_path, qtbot):
    panel = segment_panel(viewer, PRESET, tmp_path)
    panel.all_frames.setChecked(False)
    panel.first.setValue(3)
    panel.last.setValue(4)
    panel.segment()
    ended(qtbot, panel)
    labels = viewer.layers["esrf-welding labels"].data
    there = [number for number, frame in enumerate(labels) if (frame != IGNORE).any()]
    assert there == [3, 4]
    assert "nothing is written" in panel.message.text()
    assert list(tmp_path.iterdir()) == []


def test_cancel_ends_the_work_and_leaves_no_layer(viewer, tmp_path, qtbot):
    panel = segment_panel(viewer, PRESET, tmp_path)
    panel.segment()
    panel.stop()
    ended(qtbot, panel)
    assert panel.message.text() == "Cancelled."
    assert len(viewer.layers) == 1
    assert panel.job is None


def test_a_network_that_is_not_there_is_said(viewer, tmp_path, qtbot):
    panel = segment_panel(viewer, "nowhere", tmp_path)
    panel.segment()
    ended(qtbot, panel)
    assert "nowhere" in panel.message.text()


def test_frames_of_another_plugin_are_kept_in_a_file(make_napari_viewer, tmp_path, qtbot):
    viewer = make_napari_viewer()
    frames = np.random.default_rng(0).integers(0, 4000, (2, 64, 96), dtype=np.uint16)
    viewer.add_image(frames, name="from camera")
    panel = segment_panel(viewer, PRESET, tmp_path)
    panel.segment()
    ended(qtbot, panel)
    assert viewer.layers["from_camera labels"].data.shape == frames.shape
    with open_stack(tmp_path / "recordings" / "from_camera.tif") as kept:
        np.testing.assert_array_equal(kept[1], frames[1])


def test_measure_shows_tables_and_layers_linked_to_the_frame(segmented, qtbot):
    viewer, folder, _ = segmented
    labels = viewer.layers["esrf-welding labels"].data
    labels[:, :100], labels[:, 100:] = 0, 2
    labels[:, 100:160, 200:230] = 3
    labels[:, 200:212, 300:314] = 4
    panel = MeasurePanel(viewer)
    panel.write.setChecked(True)
    panel.measure()
    ended(qtbot, panel)
    table = panel.view.tables["frames"]
    written = pd.read_csv(folder / "quantities" / "frames.csv")
    assert table.rowCount() == len(written)
    viewer.dims.set_current_step(0, 5)
    assert table.currentRow() == 5
    table.selectRow(2)
    assert viewer.dims.current_step[0] == 2
    assert panel.view.canvas is not None
    tip = viewer.layers["esrf-welding keyhole tip"].data[5]
    np.testing.assert_allclose(tip, [5, 159.5, 214.5], atol=0.1)
    assert viewer.layers["esrf-welding surface"].nshapes == 12
    assert len(viewer.layers["esrf-welding pore tracks"].data) == 12
    assert open_labelled_run(folder).record["corrected_frames"] == list(range(12))


def test_tables_become_points_lines_and_tracks():
    frames = pd.DataFrame(
        {
            "frame": [0, 1],
            "surface_y_px": [20.0, np.nan],
            "surface_slope": [0.1, np.nan],
            "keyhole_tip_x_px": [30.0, np.nan],
            "keyhole_tip_y_px": [40.0, np.nan],
        }
    )
    assert tip_points(frames).tolist() == [[0, 40, 30]]
    (line,) = surface_lines(frames, 101)
    np.testing.assert_allclose(line, [[0, 15, 0], [0, 25, 100]])
    pores = pd.DataFrame({"track": [1, 0, 1], "frame": [4, 2, 3], "y_px": 5.0, "x_px": 6.0})
    assert pore_tracks(pores).tolist() == [[0, 2, 5, 6], [1, 3, 5, 6], [1, 4, 5, 6]]


def test_painted_labels_are_counted_written_and_measured(segmented, tmp_path, qtbot):
    viewer, folder, _ = segmented
    panel = CorrectPanel(viewer)
    panel.corrections.line.setText(str(tmp_path / "corrections"))
    layer = viewer.layers["esrf-welding labels"]
    panel.classes.setCurrentRow(4)
    assert (layer.selected_label, layer.mode) == (4, "paint")
    layer.brush_size = 9
    layer.paint((3, 200, 100), 4)
    layer.undo()
    assert panel.say_corrected() == ()
    layer.paint((3, 200, 100), 4)
    assert panel.say_corrected() == (3,)
    panel.safely(panel.teach)
    assert "1 frames are corrected, and teaching takes 2" in panel.message.text()
    panel.write_labels()
    run = open_labelled_run(folder)
    assert run.record["corrected_frames"] == [3]
    np.testing.assert_array_equal(list(run.frames())[3], layer.data[3])
    assert labelled(layer).found.corrected == (3,)


def test_a_tuned_network_is_applied_beside_the_first_labels(segmented, tmp_path, qtbot):
    viewer, _, _ = segmented
    panel = CorrectPanel(viewer)
    panel.trainings.line.setText(str(tmp_path))
    panel.tuned = find_preset(PRESET)
    panel.apply_tuned()
    ended(qtbot, panel)
    before, after = viewer.layers["esrf-welding labels"], viewer.layers[-1]
    assert (after.name, before.visible) == ("esrf-welding labels, taught", False)
    assert labelled(after).folder.parent.parent == tmp_path / "results"
    np.testing.assert_array_equal(after.data, before.data)


def test_labels_of_elsewhere_are_refused_in_a_sentence(make_napari_viewer):
    viewer = make_napari_viewer()
    viewer.add_labels(np.zeros((2, 8, 9), np.uint8), name="mine")
    panel = CorrectPanel(viewer)
    panel.safely(panel.say_corrected)
    assert "mine: is no result of this plugin" in panel.message.text()


def test_the_laser_is_found_drawn_and_followed(viewer, tmp_path, qtbot):
    panel = PreparePanel(viewer)
    panel.folder.line.setText(str(tmp_path))
    panel.draw_laser()
    ended(qtbot, panel)
    assert viewer.layers["x-t image"].data.shape == (12, 512)
    line = viewer.layers[LASER].data[0]
    np.testing.assert_allclose(line[:, 1], [382, 315], atol=3)
    assert panel.crop.currentText() == LASERS[2]
    viewer.layers[LASER].data = [np.array([[0.0, 300.0], [10.0, 200.0]])]
    assert panel.recording.currentText() == "esrf-welding"
    panel.width_px.setValue(128)
    panel.height_px.setValue(96)
    panel.register.setChecked(True)
    panel.prepare()
    ended(qtbot, panel)
    assert viewer.layers["esrf-welding prepared"].data.shape == (12, 96, 128)
    record = json.loads((tmp_path / "esrf-welding" / "prepare.json").read_text())
    assert [step["step"] for step in record["steps"]] == ["register", "stretch", "crop"]
    assert record["steps"][-1]["path"] == {"column": 300.0, "px_per_frame": -10.0}


def test_a_window_along_a_line_needs_the_line(viewer):
    panel = PreparePanel(viewer)
    panel.crop.setCurrentText(LASERS[2])
    panel.safely(panel.prepare)
    assert "no line of the laser is drawn" in panel.message.text()


def test_metadata_tells_where_labels_come_from(segmented):
    viewer, folder, _ = segmented
    known = viewer.layers["esrf-welding labels"].metadata[KEY]
    assert (known.folder, known.preset, known.recording) == (folder, PRESET, "esrf-welding")
