"""Rewritten networks give what the networks give."""

import keras
import numpy as np
import pytest
from random_networks import applied, randomise

from amseg_keras import from_pretrained
from amseg_keras.layers import DepthToSpace
from amseg_keras.models import AMSegNet
from amseg_keras.models.cost import macs
from amseg_keras.models.networks import NETWORKS
from amseg_keras.models.precision import in_precision
from amseg_keras.read import open_stack
from amseg_keras.rewrite import inference_model

TOLERANCE = 2e-5


@pytest.fixture(params=NETWORKS, scope="module")
def network(request):
    """Each network, narrow, with random weights and batch-norm statistics."""
    return randomise(NETWORKS[request.param](base_filters=8))


@pytest.fixture(params=[True, False], ids=["merged", "branches"], scope="module")
def rewritten(request, network):
    return inference_model(network, merge_branches=request.param)


def noise(*shape):
    return np.random.default_rng(0).random(shape, np.float32)


def assert_same_probabilities(got, wanted):
    np.testing.assert_allclose(got, wanted, atol=TOLERANCE, rtol=0)
    best_two = np.sort(wanted, axis=-1)[..., -2:]
    decided = best_two[..., 1] - best_two[..., 0] > 2 * TOLERANCE
    assert decided.mean() > 0.99
    np.testing.assert_array_equal(got.argmax(-1)[decided], wanted.argmax(-1)[decided])


def test_probabilities_are_the_same_up_to_the_borders(network, rewritten):
    x = noise(2, 48, 32, 1)
    wanted = applied(network, x)
    assert len(np.unique(wanted.argmax(-1))) > 1, "random weights should give several classes"
    assert_same_probabilities(applied(rewritten, x), wanted)


@pytest.mark.parametrize("size", [(16, 16), (16, 80)])
def test_frames_of_any_multiple_of_16(size):
    network = randomise(AMSegNet(base_filters=4))
    x = noise(1, *size, 1)
    assert_same_probabilities(applied(inference_model(network), x), applied(network, x))


def test_only_keras_own_layers_are_left(rewritten):
    own = {type(layer) for layer in rewritten.layers if type(layer).__module__[:5] != "keras"}
    assert own <= {DepthToSpace}


def test_norms_are_folded_but_for_that_of_the_gate(rewritten):
    norms = [
        layer.name
        for layer in rewritten.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    has_gate = any(layer.name == "attention_gate" for layer in rewritten.layers)
    assert norms == (["attention_gate"] if has_gate else [])


def test_merged_branches_leave_no_concatenation(network):
    kinds = {type(layer) for layer in inference_model(network).layers}
    assert not kinds & {keras.layers.Concatenate, keras.layers.DepthwiseConv2D}


def test_layers_that_keep_their_name_give_the_same():
    network = randomise(AMSegNet(base_filters=4))
    rewritten = inference_model(network)
    left = {layer.name for layer in rewritten.layers}
    kept = [layer.name for layer in network.layers[1:] if layer.name in left]
    assert {"encoder_1", "pool_1", "bottleneck", "decoder_4", "logits"} <= {*kept}
    before = keras.Model(network.input, [network.get_layer(name).output for name in kept])
    after = keras.Model(rewritten.input, [rewritten.get_layer(name).output for name in kept])
    x = noise(1, 16, 32, 1)
    for name, wanted, got in zip(kept, before(x), after(x), strict=True):
        wanted, got = map(keras.ops.convert_to_numpy, (wanted, got))
        np.testing.assert_allclose(got, wanted, atol=1e-4 * np.abs(wanted).max(), err_msg=name)


def test_rewriting_twice_changes_nothing_more(network):
    once = inference_model(network)
    twice = inference_model(once)
    assert [layer.name for layer in twice.layers] == [layer.name for layer in once.layers]
    for before, after in zip(once.get_weights(), twice.get_weights(), strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-6)


def test_a_rewritten_network_can_be_saved_and_loaded(tmp_path):
    rewritten = inference_model(randomise(AMSegNet(base_filters=4)))
    rewritten.save(tmp_path / "rewritten.keras")
    again = keras.saving.load_model(tmp_path / "rewritten.keras")
    x = noise(1, 16, 16, 1)
    np.testing.assert_allclose(applied(again, x), applied(rewritten, x), atol=1e-6)


def test_the_network_itself_is_not_changed():
    network = randomise(AMSegNet(base_filters=2))
    before = [weight.copy() for weight in network.get_weights()]
    inference_model(network)
    assert all(map(np.array_equal, before, network.get_weights()))
    assert macs(network, (16, 16))  # its layers have been called once only


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16"])
def test_a_network_of_another_precision_is_rewritten_in_float32(policy):
    reduced = in_precision(randomise(AMSegNet(base_filters=4)), policy)
    x = noise(1, 16, 16, 1)
    # the weights as they are stored, computed with in float32
    wanted = applied(in_precision(reduced, "float32"), x)
    assert_same_probabilities(applied(inference_model(reduced), x), wanted)


def test_the_trained_network_gives_the_same_for_a_sample():
    segmenter = from_pretrained("amsegnet-esrf")
    with open_stack("sample:esrf-lpbf") as stack:
        frame = stack[len(stack) // 2][None]
    x = segmenter.scaling.measure(frame).apply(frame)[:, :128, :256, None]
    wanted = applied(segmenter.model, x)
    assert len(np.unique(wanted.argmax(-1))) >= 3
    assert_same_probabilities(applied(inference_model(segmenter.model), x), wanted)


def test_multiplications_for_a_frame():
    network = AMSegNet()
    assert round(macs(inference_model(network, merge_branches=False)) / 1e9, 2) == 19.13
    assert round(macs(inference_model(network)) / 1e9, 2) == 20.74


def test_dropout_is_left_out():
    network = AMSegNet(base_filters=4, dropout=0.5)
    rewritten = inference_model(network)
    x = noise(1, 16, 16, 1)
    assert_close = np.testing.assert_allclose
    assert_close(
        keras.ops.convert_to_numpy(rewritten(x, training=True)), applied(network, x), atol=TOLERANCE
    )
