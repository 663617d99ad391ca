"""Packages of bioimage.io: valid by its own validator, and its own tools find what Keras finds."""

import importlib.metadata

import numpy as np
import pytest

from amseg_keras.engines.formats import ExportError
from amseg_keras.runs.export_bioimageio import Published, export_bioimageio

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
core = pytest.importorskip("bioimageio.core", reason="needs amseg-keras[bioimageio]")
if tuple(map(int, importlib.metadata.version("pydantic").split(".")[:2])) >= (2, 14):
    pytest.skip("bioimageio.spec 0.5.12 does not run on pydantic 2.14", allow_module_level=True)


@pytest.fixture(scope="module")
def package(small_segmenter, tmp_path_factory):
    folder = tmp_path_factory.mktemp("package") / "small"
    by = Published(("A. Scientist",), "CC-BY-4.0")
    return export_bioimageio(small_segmenter.model, small_segmenter.info, folder, by=by).file


def test_the_package_is_valid_and_reproduces_its_example(package):
    tested = core.test_model(package, weight_format="onnx")
    assert tested.status == "passed", tested.format()
    assert {path.name for path in package.parent.iterdir()} == {
        *("rdf.yaml", "model.onnx", "test_input.npy", "test_output.npy"),
        *("cover.png", "README.md", "preprocessing.json"),
    }


def test_bioimageio_core_finds_in_a_recorded_frame_what_the_segmenter_finds(
    package, small_segmenter
):
    frame = np.random.default_rng(3).integers(0, 4096, (96, 128)).astype(np.float32)
    model = core.load_model_description(package)
    given = core.Tensor(frame[None, ..., None], dims=("batch", "y", "x", "channel"))
    sample = core.Sample(members={"frames": given}, stat={}, id="frame")
    found = core.predict(model=model, inputs=sample).members["probabilities"].data.to_numpy()
    expected = small_segmenter.segment(frame).labels[0]
    assert (found[0].argmax(axis=-1) == expected).mean() > 0.999


def test_what_is_refused_is_not_written(small_segmenter, tmp_path):
    by = Published(license="no such licence")
    with pytest.raises(ExportError, match="find the package not valid"):
        export_bioimageio(small_segmenter.model, small_segmenter.info, tmp_path / "out", by=by)
    assert not (tmp_path / "out").exists()
