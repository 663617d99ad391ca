"""Every engine finds what Keras finds, whatever the size of the frames and of the batch."""

import weakref

import keras
import numpy as np
import pytest
from random_networks import applied, randomise

from amseg_keras import Segmenter, from_pretrained
from amseg_keras.classes import CLASS_NAMES
from amseg_keras.engines import EngineMissingError, choose
from amseg_keras.engines.choose import compile_engine
from amseg_keras.engines.engine import THREADS, equal_fraction, lost_iou, need
from amseg_keras.engines.graph import Rewritten
from amseg_keras.engines.runners import OpenVINOEngine, has_bfloat16
from amseg_keras.models import AMSegNet, SqueezeUNet
from amseg_keras.preprocess import GreyScaling
from amseg_keras.pretrained import PresetInfo
from amseg_keras.read import open_stack

INFO = PresetInfo("small", CLASS_NAMES, GreyScaling(), 4.31, "nothing: random weights")


@pytest.fixture(params=["keras", "openvino", "onnxruntime", "ncnn"])
def engine_name(request):
    pytest.importorskip(request.param)
    return request.param


@pytest.fixture
def segmenter(small_segmenter):
    """As the shared one, which other tests need without an engine."""
    return Segmenter(small_segmenter.model, small_segmenter.info)


def noise(*shape):
    return np.random.default_rng(0).random((*shape, 1), np.float32)


def labels_and_probabilities(engine, frames):
    return engine.labels(frames), engine.probabilities(frames)


@pytest.mark.parametrize("network", [AMSegNet, SqueezeUNet])
def test_an_engine_gives_the_probabilities_and_labels_of_keras(engine_name, network):
    model = randomise(network(base_filters=2))
    frames = noise(2, 48, 80)
    expected = applied(model, frames)
    engine = compile_engine(Rewritten(model), engine_name).engine
    labels, probabilities = labels_and_probabilities(engine, frames)
    np.testing.assert_allclose(probabilities, expected, atol=1e-4)
    assert labels.dtype == np.uint8
    assert equal_fraction(labels, expected.argmax(axis=-1)) >= 0.999


def test_a_frame_is_labelled_the_same_alone_and_beside_others(engine_name, segmenter, frames):
    segmenter.compile_inference(engine_name)
    at_once = segmenter.segment(frames, batch_size=3).labels
    np.testing.assert_array_equal(segmenter.segment(frames, batch_size=1).labels, at_once)


def test_segment_finds_the_same_on_an_engine_at_any_size(engine_name, segmenter, frames):
    expected = segmenter.segment(frames, confidence=True)
    segmenter.compile_inference(engine_name, frames)
    found = segmenter.segment(frames)
    assert found.labels.shape == frames.shape
    assert equal_fraction(found.labels, expected.labels) >= 0.999
    sure = segmenter.segment(frames, confidence=True)
    np.testing.assert_allclose(sure.confidence, expected.confidence, atol=1e-4)
    assert equal_fraction(sure.labels, expected.labels) >= 0.999


def test_equal_frames_in_a_row_are_labelled_once(segmenter, frames, monkeypatch):
    engine = segmenter.compile_inference("keras").engine
    computed = []
    labels = engine.labels
    monkeypatch.setattr(
        engine, "labels", lambda batch: computed.append(len(batch)) or labels(batch)
    )
    movie = frames[[0, 0, 0, 1, 1, 1, 1, 2]]
    found = segmenter.segment(movie, batch_size=4).labels
    assert sum(computed) == 3
    np.testing.assert_array_equal(found[3], found[6])


@pytest.fixture(scope="module")
def real(real_data):
    """Two real frames and the labels that Keras gives them."""
    folder = real_data / "aps_ti64_frames"
    if not folder.is_dir():
        pytest.skip("the frames of APS are not here")
    with open_stack(folder) as stack:
        taken = np.stack([stack[index] for index in (0, len(stack) // 2)])[:, :256, :256]
    preset = from_pretrained("amsegnet-esrf")
    return taken, Segmenter(preset.model, preset.info).segment(taken).labels


def test_real_frames_get_the_labels_of_keras(engine_name, real):
    taken, expected = real
    segmenter = from_pretrained("amsegnet-esrf")
    segmenter.compile_inference(engine_name, taken)
    assert equal_fraction(segmenter.segment(taken).labels, expected) >= 0.999


@pytest.mark.parametrize(
    ("there", "chosen"),
    [(("openvino", "onnxruntime"), "openvino"), (("onnxruntime",), "onnxruntime"), ((), "keras")],
)
def test_auto_is_the_first_engine_that_is_installed(segmenter, monkeypatch, there, chosen):
    monkeypatch.setattr(choose, "installed", lambda name: name in there)
    assert choose.automatic(segmenter.rewritten) == chosen


def test_auto_is_keras_on_a_gpu(segmenter, monkeypatch):
    monkeypatch.setattr(choose, "accelerators", lambda: ["gpu:0"])
    assert choose.automatic(segmenter.rewritten) == "keras"


def test_a_compiled_network_leaves_no_copies_of_its_weights(segmenter, frames, monkeypatch):
    pytest.importorskip("ncnn")
    made, begin = [], Rewritten.__init__
    monkeypatch.setattr(
        Rewritten,
        "__init__",
        lambda self, *given: made.append(weakref.ref(self)) or begin(self, *given),
    )
    segmenter.compile_inference("ncnn", frames)
    assert {reference() for reference in made} == {None}


def test_auto_may_take_bfloat16_where_exactness_is_not_asked_for(segmenter, frames):
    pytest.importorskip("openvino")
    compiled = segmenter.compile_inference("auto", frames, exact=False)
    assert (compiled.engine.precision == "bfloat16") == has_bfloat16()
    assert (compiled.equal_labels is None) == (compiled.engine.precision == "float32")


def test_a_frame_alone_gets_the_labels_that_it_gets_among_others(segmenter):
    pytest.importorskip("openvino")
    frames = noise(3, 48, 80)
    alone = segmenter.another().compile_inference("openvino").engine
    at_once = segmenter.another().compile_inference("openvino").engine
    expected = at_once.labels(frames)
    for _ in range(2):
        found = np.concatenate([alone.labels(frame[None]) for frame in frames])
        assert equal_fraction(found, expected) >= 0.999
        assert equal_fraction(at_once.labels(frames[:1]), expected[:1]) >= 0.999


def test_a_layer_that_only_keras_knows_leaves_keras(frames):
    inputs = keras.Input((None, None, 1))
    hidden = keras.layers.Conv2D(5, 3, padding="same", activation="gelu")(inputs)
    model = keras.Model(inputs, keras.layers.Softmax()(hidden))
    segmenter = Segmenter(model, INFO)
    assert segmenter.compile_inference("auto", frames).engine.name == "keras"
    with pytest.raises(ValueError, match="activation gelu has no translation"):
        segmenter.compile_inference("onnxruntime", frames)


def test_bfloat16_says_how_many_labels_are_equal(segmenter, frames):
    pytest.importorskip("openvino")
    if not has_bfloat16():
        with pytest.raises(ValueError, match="no bfloat16"):
            segmenter.compile_inference("openvino-bf16", frames)
        return
    compiled = segmenter.compile_inference("openvino-bf16", frames)
    assert compiled.engine.precision == "bfloat16"
    assert 0.9 < compiled.equal_labels <= 1
    assert "of the labels are those of float32" in str(compiled)


def test_integers_that_find_something_else_are_refused_for_float32(segmenter, frames):
    pytest.importorskip("openvino")
    expected = segmenter.segment(frames).labels
    compiled = segmenter.compile_inference("openvino-int8", frames)
    assert compiled.engine.precision == "float32"
    assert "points of mean IoU" in str(compiled)
    assert equal_fraction(segmenter.segment(frames).labels, expected) >= 0.999


def test_integers_that_find_nearly_the_same_are_kept():
    """Of a network that tells dark from bright and is sure of it."""
    pytest.importorskip("openvino")
    inputs = keras.Input((None, None, 1))
    hidden = keras.layers.Conv2D(4, 1, activation="relu")(inputs)
    hidden = keras.layers.Conv2D(4, 3, padding="same", activation="relu")(hidden)
    scores = keras.layers.Conv2D(2, 1)(hidden)
    model = keras.Model(inputs, keras.layers.Softmax()(scores))
    centre = np.zeros((3, 3, 4, 4))
    centre[1, 1] = np.eye(4)
    model.set_weights(
        [np.ones((1, 1, 1, 4)), np.zeros(4), centre, np.zeros(4),
         np.stack([np.zeros(4), np.ones(4)], axis=-1)[None, None], np.array([2.0, 0.0])]
    )  # fmt: skip
    frames = np.zeros((2, 32, 48, 1), np.float32)
    frames[:, 10:20, 10:30] = 1
    compiled = compile_engine(Rewritten(model), "openvino-int8", frames)
    assert compiled.engine.precision == "int8"
    assert compiled.equal_labels == 1
    np.testing.assert_array_equal(compiled.engine.labels(frames), frames[..., 0])


def test_a_convolution_that_loses_too_much_as_integers_stays_in_float32():
    """Of a network whose first 3x3 convolution also takes a channel a thousand times brighter."""
    pytest.importorskip("openvino")
    inputs = keras.Input((None, None, 1))
    hidden = keras.layers.Conv2D(2, 1, activation="relu")(inputs)
    for _ in range(2):
        hidden = keras.layers.Conv2D(2, 3, padding="same", activation="relu")(hidden)
    scores = keras.layers.Conv2D(2, 1)(hidden)
    model = keras.Model(inputs, keras.layers.Softmax()(scores))
    only_first = np.zeros((3, 3, 2, 2))
    only_first[1, 1, 0, 0] = 1
    model.set_weights(
        [np.array([[[[1.0, 0.0]]]]), np.array([0.0, 1000.0]), only_first, np.zeros(2), only_first,
         np.zeros(2), np.array([[[[0.0, 1.0], [0.0, 0.0]]]]), np.array([0.5, 0.0])]
    )  # fmt: skip
    frames = np.zeros((2, 32, 48, 1), np.float32)
    frames[:, 10:20, 10:30] = 1
    compiled = compile_engine(Rewritten(model), "openvino-int8", frames)
    assert compiled.engine.precision == "int8"
    assert compiled.left_in_float32 == 1
    assert "int8 with 1 of its convolutions in float32" in str(compiled)
    np.testing.assert_array_equal(compiled.engine.labels(frames), frames[..., 0])


def test_integers_without_frames_are_refused(segmenter):
    with pytest.raises(ValueError, match="needs frames"):
        segmenter.compile_inference("openvino-int8")


def test_an_unknown_engine_is_refused_with_the_names_of_those_there_are(segmenter):
    with pytest.raises(ValueError, match="no engine 'tensorrt': there are auto, keras, openvino"):
        segmenter.compile_inference("tensorrt")


def test_a_package_that_is_not_installed_is_named_with_the_way_to_get_it():
    with pytest.raises(EngineMissingError, match=r"pip install 'amseg-keras\[fast\]'"):
        need("no_such_engine")


def test_lost_iou_counts_both_ways():
    reference = np.array([0, 0, 0, 1])
    assert lost_iou(np.array([0, 0, 1, 1]), reference, 3) == pytest.approx(1 - (2 / 3 + 1 / 2) / 2)


def test_openvino_labels_many_sizes_in_turn(segmenter):
    pytest.importorskip("openvino")
    rewritten = Rewritten(segmenter.model)
    engine = OpenVINOEngine("openvino", rewritten.onnx)
    for height in (16, 32, 48, 64, 80, 16):
        frames = noise(3, height, 32)
        expected = applied(segmenter.model, frames).argmax(axis=-1)
        assert equal_fraction(engine.labels(frames), expected) >= 0.998


@pytest.mark.parametrize("threads", [1, 2])
def test_openvino_takes_as_many_threads_as_a_worker_may(segmenter, monkeypatch, threads):
    pytest.importorskip("openvino")
    monkeypatch.setenv(THREADS, str(threads))
    engine = OpenVINOEngine("openvino", Rewritten(segmenter.model).onnx)
    compiled = engine._compile("labels", (32, 48, 1), alone=False)[0].get_compiled_model()
    assert compiled.get_property("INFERENCE_NUM_THREADS") == threads
