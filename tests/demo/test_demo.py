"""The demo as its users meet it: a running server, called over HTTP."""

import importlib.util
import io

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

from amseg_keras.quantify import class_areas
from amseg_keras.report.overlay import overlay, with_legend

pytest.importorskip("gradio")
client_library = pytest.importorskip("gradio_client")

PIXEL_SIZE_UM = 4.31  # of the small segmenter


@pytest.fixture(scope="module")
def app(request):
    path = request.config.rootpath / "demo" / "app.py"
    spec = importlib.util.spec_from_file_location("demo_app", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def client(app, small_segmenter, tmp_path_factory):
    uploads = tmp_path_factory.mktemp("uploads")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(uploads))
        demo = app.build_demo(small_segmenter.save_pretrained(tmp_path_factory.mktemp("preset")))
        demo.launch(**app.LAUNCH_OPTIONS, prevent_thread_lock=True, quiet=True)
        try:
            yield client_library.Client(
                demo.local_url, download_files=uploads / "downloads", verbose=False
            )
        finally:
            demo.close(verbose=False)


def segment(client, path):
    return client.predict(client_library.handle_file(path), api_name="/segment")


def test_results_are_the_librarys(client, small_segmenter, frames, tmp_path):
    path = tmp_path / "run_07.tif"
    tifffile.imwrite(path, frames, photometric="minisblack")
    remarks, picture, slider, (table, labels), areas = segment(client, path)

    expected = small_segmenter.segment(frames)
    names = expected.class_names
    expected_areas = class_areas(expected.labels, names, PIXEL_SIZE_UM)
    written = io.StringIO(expected_areas.to_csv(index=False, float_format="%.6g"))
    pd.testing.assert_frame_equal(pd.read_csv(table), pd.read_csv(written), check_exact=True)
    np.testing.assert_array_equal(tifffile.imread(labels), expected.labels)
    overlaid = overlay(frames[0], expected.labels[0], names, expected.grey_range)
    np.testing.assert_array_equal(np.asarray(Image.open(picture)), with_legend(overlaid, names))
    assert areas["headers"] == ["frame", *(f"{name}_area_um2" for name in names)]
    np.testing.assert_allclose(areas["data"], expected_areas[areas["headers"]].round(1))
    assert remarks.startswith("3 of 3 frames of 50 x 70 pixels; pixel size 4.31 um, assumed")
    assert (slider["maximum"], slider["visible"]) == (2, True)


def test_long_stacks_are_cut(app, client, tmp_path):
    path = tmp_path / "long.npy"
    np.save(path, np.random.default_rng(0).integers(0, 255, (60, 16, 32), "uint8"))
    remarks, _, _, (table, _labels), _ = segment(client, path)
    assert remarks.startswith("50 of 60 frames")
    assert list(pd.read_csv(table)["frame"]) == list(range(app.MAX_FRAMES))


def test_an_unreadable_frame_is_named_and_left_out(client, frames, tmp_path):
    path = tmp_path / "hot.npy"
    broken = frames.astype("float32")
    broken[1, 4, 4] = np.nan
    np.save(path, broken)
    remarks, _, _, (table, _labels), _ = segment(client, path)
    assert "; hot.npy" in remarks
    assert "NaN" in remarks
    assert list(pd.read_csv(table)["frame"]) == [0, 2]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("notes.png", b"laser at 200 W, hatch 80 um\n", "notes.png: is not a PNG"),
        ("empty.tif", b"", "empty.tif: is empty"),
        ("scan.h5", b"\x89HDF\r\n\x1a\n", "Choose a file of type .tif"),
    ],
)
def test_a_file_that_cannot_be_taken_gives_one_sentence(client, tmp_path, name, content, sentence):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(client_library.exceptions.AppError) as caught:
        segment(client, path)
    assert caught.value.message.startswith(sentence)
    assert "\n" not in caught.value.message


def test_no_file_gives_one_sentence(client):
    with pytest.raises(client_library.exceptions.AppError, match="Choose a file of type"):
        client.predict(None, api_name="/segment")


def test_nothing_is_reported_or_remembered(client):
    assert client.config["analytics_enabled"] is False
    assert client.config["run_history"] is False
    assert list(client.view_api(return_format="dict")["named_endpoints"]) == ["/segment"]
