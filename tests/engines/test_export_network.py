"""Exported networks are complete, say how they are fed, and find what Keras finds."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from amseg_keras import Segmenter
from amseg_keras.engines.formats import FORMATS, ExportError
from amseg_keras.runs.export import export_network

NEEDED = {"onnx": ["onnxruntime"], "openvino": ["openvino"]}


@pytest.fixture(params=[*FORMATS])
def kind(request):
    for package in NEEDED.get(request.param, ["tensorflow"]):
        pytest.importorskip(package)
    if request.param not in NEEDED and keras.backend.backend() != "tensorflow":
        pytest.skip("written on TensorFlow only")
    return request.param


def exported(segmenter, folder, kind, *options):
    return export_network(segmenter, folder, kind, *options)


def example(folder):
    """Run the Python in the README."""
    text = (folder / "README.md").read_text("utf-8")
    code = text.split("```python\n")[1].split("```")[0]
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=120,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip


def test_labels_of_any_size_with_what_is_needed_to_feed_them(small_segmenter, tmp_path, kind):
    done = exported(small_segmenter, tmp_path / "out", kind)
    assert done.equal_labels >= 0.999
    assert done.file.exists()
    record = json.loads((tmp_path / "out" / "preprocessing.json").read_text())
    assert record["class_names"] == list(small_segmenter.class_names)
    assert record["output"] == "labels"


@pytest.mark.parametrize(
    "kind",
    [
        "onnx",
        "openvino",
        pytest.param("tf_saved_model", marks=pytest.mark.slow),
        pytest.param("litert", marks=pytest.mark.slow),
    ],
    indirect=True,
)
@pytest.mark.parametrize("output", ["labels", "probabilities"])
def test_the_example_in_the_readme_runs(small_segmenter, tmp_path, kind, output):
    exported(small_segmenter, tmp_path / "out", kind, output)
    ran = example(tmp_path / "out")
    assert ran.returncode == 0, ran.stderr
    lines = [line.split(" ", 1) for line in ran.stdout.splitlines()]
    assert [name for name, _ in lines] == list(small_segmenter.class_names)
    counts = [[int(count) for count in rest.strip("[] ").split()] for _, rest in lines]
    assert np.sum(counts, axis=0).tolist() == [250 * 500] * 2


def test_probabilities_of_one_size(small_segmenter, tmp_path, kind):
    done = exported(small_segmenter, tmp_path / "out", kind, "probabilities", (64, 96))
    assert done.equal_labels >= 0.999
    frames = np.random.default_rng(0).random((1, 64, 96, 1), np.float32)
    found = FORMATS[kind].load(done.file)(frames)
    expected = small_segmenter.model.predict_on_batch(frames)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert "Height: 64; width: 96" in (tmp_path / "out" / "README.md").read_text("utf-8")


def test_a_folder_with_something_in_it_is_left_alone(small_segmenter, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ExportError, match="not an empty folder"):
        exported(small_segmenter, tmp_path, "onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_what_fails_leaves_nothing_behind(tmp_path, small_segmenter):
    pytest.importorskip("onnx")
    inputs = keras.Input((None, None, 1))
    scores = keras.layers.Conv2D(5, 1, activation="gelu")(inputs)
    model = keras.Model(inputs, keras.layers.Softmax()(scores))
    with pytest.raises(ValueError, match="activation gelu has no translation"):
        export_network(Segmenter(model, small_segmenter.info), tmp_path / "out", "onnx")
    assert not list(tmp_path.iterdir())


def test_a_side_that_is_no_multiple_of_16_is_refused(small_segmenter, tmp_path):
    with pytest.raises(ValueError, match="multiple of 16"):
        exported(small_segmenter, tmp_path / "out", "onnx", "labels", (50, 96))


@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="it works on TensorFlow")
@pytest.mark.parametrize("kind", ["tf_saved_model", "litert"])
def test_what_needs_tensorflow_says_so(small_segmenter, tmp_path, kind):
    with pytest.raises(ExportError, match="set KERAS_BACKEND=tensorflow, or export to onnx"):
        export_network(small_segmenter, tmp_path / "out", kind)
