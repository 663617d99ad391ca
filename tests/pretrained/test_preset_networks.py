"""Networks read without Keras give what Keras gives, and leave to Keras what they cannot read."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from random_networks import applied, randomise
from shallow_networks import shallow_network

from amseg_keras import PresetError, Segmenter, from_pretrained
from amseg_keras.classes import CLASS_NAMES
from amseg_keras.engines.engine import equal_fraction
from amseg_keras.models.networks import NETWORKS
from amseg_keras.preprocess import GreyScaling
from amseg_keras.pretrained import PresetInfo, list_presets, network
from amseg_keras.pretrained.network import PresetNetwork, read_network
from amseg_keras.pretrained.preset import read_info, read_model
from amseg_keras.read import open_stack
from amseg_keras.rewrite.from_config import NotPlainError, PlainNetwork

INFO = PresetInfo("small", CLASS_NAMES, GreyScaling(), 4.31, "nothing: random weights")


def saved(model, folder):
    return Segmenter(model, INFO).save_pretrained(folder)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_of_each_type_is_read_without_keras(name, tmp_path):
    pytest.importorskip("openvino")
    model = randomise(NETWORKS[name](base_filters=4, dropout=0.1))
    folder = saved(model, tmp_path / "preset")
    assert isinstance(read_network(folder, INFO), PresetNetwork)
    engine = from_pretrained(folder).compile_inference("openvino").engine
    frames = np.random.default_rng(0).random((2, 48, 80, 1), np.float32)
    expected = applied(model, frames)
    np.testing.assert_allclose(engine.probabilities(frames), expected, atol=1e-4)
    assert equal_fraction(engine.labels(frames), expected.argmax(axis=-1)) >= 0.999


def test_weights_in_half_precision_are_read_as_keras_reads_them(tmp_path):
    segmenter = Segmenter(randomise(NETWORKS["amsegnet"](base_filters=2)), INFO)
    folder = segmenter.save_pretrained(tmp_path / "preset", half_precision=True)
    frames = np.random.default_rng(0).random((1, 32, 48, 1), np.float32)
    expected = applied(read_model(folder, INFO), frames)
    found = from_pretrained(folder).probabilities(frames)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("name", list_presets())
def test_a_preset_of_the_package_finds_what_it_finds_in_keras(name):
    pytest.importorskip("openvino")
    preset = from_pretrained(name)
    with open_stack("sample:esrf-lpbf") as stack:
        frames = np.stack([stack[index][:128, 128:320] for index in range(0, 24, 12)])
    expected = Segmenter(preset.model, preset.info).segment(frames).labels
    assert preset.engine == "openvino"
    assert equal_fraction(preset.segment(frames).labels, expected) >= 0.999


def edited(folder, change):
    config = json.loads((folder / "config.json").read_text())
    change({layer["class_name"]: layer for layer in config["config"]["layers"]})
    (folder / "config.json").write_text(json.dumps(config))
    return config


@pytest.mark.parametrize(
    ("kind", "option", "value"),
    [
        ("Conv2D", "activation", "gelu"),
        ("Conv2D", "groups", 2),
        ("BatchNormalization", "axis", 1),
        ("Softmax", "axis", 1),
        ("InputLayer", "batch_shape", [None, 64, 64, 1]),
        ("Conv2D", "filters", -1),
        ("Conv2D", "kernel_size", None),
    ],
)
def test_an_option_that_the_package_does_not_use_is_left_to_keras(tmp_path, kind, option, value):
    folder = saved(shallow_network(), tmp_path / "preset")
    config = edited(folder, lambda layers: layers[kind]["config"].update({option: value}))
    with pytest.raises(NotPlainError):
        PlainNetwork(config)


def foreign():
    inputs = keras.Input((None, None, 1))
    hidden = keras.layers.LeakyReLU()(keras.layers.Conv2D(5, 3, padding="same")(inputs))
    return keras.Model(inputs, keras.layers.Softmax()(hidden))


def test_a_network_of_other_layers_is_read_by_keras(tmp_path, frames):
    folder = saved(foreign(), tmp_path / "preset")
    segmenter = from_pretrained(folder)
    assert isinstance(segmenter.model, keras.Model)
    assert segmenter.engine == "predict"


def test_without_a_backend_a_network_of_other_layers_names_the_extra(tmp_path, monkeypatch):
    folder = saved(foreign(), tmp_path / "preset")

    def missing(*given):
        raise ImportError("none is installed")

    monkeypatch.setattr(network, "read_model", missing)
    with pytest.raises(PresetError, match=r"a layer of class LeakyReLU.*\[tensorflow\]"):
        from_pretrained(folder)


def test_a_preset_that_changes_after_it_was_loaded_is_not_given_to_keras(tmp_path):
    folder = saved(randomise(shallow_network()), tmp_path / "preset")
    segmenter = from_pretrained(folder)
    saved(randomise(shallow_network(), seed=3), folder)
    with pytest.raises(PresetError, match="has changed since the preset was loaded"):
        _ = segmenter.model


def test_arrays_that_are_exchanged_are_refused(tmp_path):
    folder = saved(randomise(shallow_network()), tmp_path / "preset")
    config = edited(folder, lambda layers: layers["ConvBlock"]["config"].update(width=5))
    assert config
    with pytest.raises(PresetError, match="numbers, but the network has"):
        read_network(folder, read_info(folder))


RUN = """
import sys
from click.testing import CliRunner
from amseg_keras.command import main
for words in {commands!r}:
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
print(sorted({{"keras", "tensorflow", "jax", "torch", "onnx"}} & {{*sys.modules}}))
"""


def test_segment_quantify_report_watch_and_export_import_no_framework(tmp_path):
    pytest.importorskip("openvino")
    with open_stack("sample:esrf-welding") as stack:
        frames = np.stack([stack[index] for index in range(3)])
    (tmp_path / "in").mkdir()
    np.save(tmp_path / "in" / "scan.npy", frames)
    run = str(tmp_path / "out" / "scan")
    commands = [
        ["segment", str(tmp_path / "in" / "scan.npy"), "-o", str(tmp_path / "out")],
        ["quantify", run, "--pixel-size", "4.31", "--frame-rate", "40000"],
        ["report", run],
        ["watch", str(tmp_path / "in"), "-o", str(tmp_path / "live"), "--until-idle", "0.5"],
        ["export", "amsegnet-esrf-lite", "-o", str(tmp_path / "exported")],
    ]
    code = RUN.format(commands=commands)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
