"""Networks with a motion channel run on every engine and in every file as in Keras."""

import numpy as np
import pytest
from movie_networks import movie, movie_info, movie_segmenter
from random_networks import applied, randomise

from amseg_keras import Segmenter
from amseg_keras.engines.choose import compile_engine
from amseg_keras.engines.engine import equal_fraction
from amseg_keras.engines.formats import FORMATS
from amseg_keras.engines.graph import Rewritten
from amseg_keras.models.networks import NETWORKS
from amseg_keras.rewrite import inference_model
from amseg_keras.runs.export import export_network

NETWORKS_TRIED = sorted(NETWORKS)


@pytest.fixture(params=["keras", "openvino", "onnxruntime", "ncnn"])
def engine_name(request):
    pytest.importorskip(request.param)
    if request.param in ("openvino", "onnxruntime"):
        pytest.importorskip("onnx")
    return request.param


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("AMSEG_CACHE", str(tmp_path / "cache"))


def two_channels(*shape):
    return np.random.default_rng(0).random((*shape, 2), np.float32)


@pytest.mark.parametrize("name", NETWORKS_TRIED)
def test_the_rewritten_network_computes_the_same_with_two_channels(name):
    model = randomise(NETWORKS[name](base_filters=2, input_shape=(None, None, 2)))
    frames = two_channels(1, 32, 48)
    expected = applied(model, frames)
    np.testing.assert_allclose(applied(inference_model(model), frames), expected, atol=1e-4)


def test_an_engine_gives_what_keras_gives_of_two_channels(engine_name):
    segmenter = movie_segmenter()
    frames = two_channels(2, 48, 80)
    expected = applied(segmenter.model, frames)
    engine = compile_engine(Rewritten(segmenter.model), engine_name).engine
    np.testing.assert_allclose(engine.probabilities(frames), expected, atol=1e-4)
    assert equal_fraction(engine.labels(frames), expected.argmax(axis=-1)) >= 0.999


def test_a_movie_gets_the_same_labels_on_an_engine(engine_name):
    segmenter, stack = movie_segmenter(), movie(20)
    expected = segmenter.segment(stack).labels
    segmenter.compile_inference(engine_name, stack)
    assert equal_fraction(segmenter.segment(stack).labels, expected) >= 0.999


def test_integers_are_calibrated_on_both_channels():
    pytest.importorskip("openvino")
    pytest.importorskip("onnx")
    compiled = movie_segmenter().compile_inference("openvino-int8", movie(20))
    assert compiled.engine.labels(two_channels(1, 32, 48)).shape == (1, 32, 48)


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_an_export_takes_two_channels(tmp_path, kind):
    pytest.importorskip("onnx")
    segmenter = movie_segmenter()
    done = export_network(segmenter, tmp_path / "out", kind)
    assert done.equal_labels >= 0.999
    labels = FORMATS[kind].load(done.file)(two_channels(1, 32, 48))
    assert labels.shape == (1, 32, 48)


def code_of_readme(folder):
    """The lines of the README that make the input, as a function of frames."""
    text = (folder / "README.md").read_text("utf-8")
    code = text.split("```python\n")[1].split("```")[0]
    before, rest = code.split("# yours: (frames, height, width)\n")
    imports = before[: before.index("import onnxruntime")]
    made = rest.split("\n", 1)[1].split("found = run(padded)")[0]
    about = 'about = json.loads(Path("preprocessing.json").read_text())\n'
    return imports + about + 'grey = about["grey_levels"]\n' + made


@pytest.mark.parametrize("method", ["percentile", "specimen"])
@pytest.mark.parametrize("count", [1, 15, 20, 60])
def test_the_readme_makes_the_input_that_inputs_makes(tmp_path, monkeypatch, method, count):
    pytest.importorskip("onnx")
    segmenter = Segmenter(movie_segmenter().model, movie_info(method))
    export_network(segmenter, tmp_path / "out", "onnx")
    monkeypatch.chdir(tmp_path / "out")
    stack = movie(count)
    stack[:, :12] = 9000  # bright gas
    scope = {"frames": stack}
    exec(code_of_readme(tmp_path / "out"), scope)  # lines that this package wrote
    inputs = segmenter.inputs(stack)
    if method == "specimen":
        assert inputs.grey_range.specimen_low is not None
    expected = np.stack([inputs.make(number) for number in range(count)])
    np.testing.assert_allclose(scope["given"], expected, atol=1e-3)


def test_the_readme_says_what_the_second_channel_is(tmp_path):
    pytest.importorskip("onnx")
    segmenter = movie_segmenter()
    export_network(segmenter, tmp_path / "out", "onnx")
    text = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "`(batch, height, width, 2)`" in text
    assert "The second channel is the motion" in text
