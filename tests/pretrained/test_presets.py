"""Preset folders: written, read, found, and refused when they are not what they should be."""

import json
import pickle
import shutil
import subprocess
import sys

import h5py
import keras
import numpy as np
import pytest

from amseg_keras import PresetError, Segmenter, from_pretrained, list_presets
from amseg_keras.models import AMSegNet
from amseg_keras.pretrained import find_preset
from amseg_keras.pretrained.half_precision import halve_weights
from amseg_keras.pretrained.preset import PRESET_FILES


@pytest.fixture
def preset(small_segmenter, tmp_path):
    return small_segmenter.save_pretrained(tmp_path / "preset")


@pytest.fixture
def edit_config(preset):
    """Change the preset's config.json by a function on its dictionary."""

    def edit(change):
        path = preset / "config.json"
        config = json.loads(path.read_text())
        change(config)
        path.write_text(json.dumps(config))
        return preset

    return edit


def test_save_pretrained_writes_the_files_of_a_preset_and_no_others(preset):
    assert sorted(path.name for path in preset.iterdir()) == sorted(PRESET_FILES)


def test_a_saved_preset_gives_the_same_labels(small_segmenter, preset, frames):
    again = from_pretrained(preset)
    np.testing.assert_array_equal(
        again.segment(frames).labels, small_segmenter.segment(frames).labels
    )
    assert again.info == small_segmenter.info


def test_keras_itself_loads_the_folder(small_segmenter, preset):
    x = np.random.default_rng(0).random((1, 32, 48, 1), np.float32)
    model = keras.saving.load_model(preset)
    np.testing.assert_allclose(
        model.predict_on_batch(x), small_segmenter.model.predict_on_batch(x), atol=1e-5
    )


def test_saving_over_a_preset_replaces_it_and_keeps_other_files(small_segmenter, preset):
    (preset / "notes.txt").write_text("mine")
    (preset / "README.md").write_text("old card")
    small_segmenter.save_pretrained(preset)
    assert (preset / "notes.txt").read_text() == "mine"
    assert "random weights" in (preset / "README.md").read_text()


def test_half_precision_halves_the_file_and_keras_reads_it(small_segmenter, tmp_path):
    whole = small_segmenter.save_pretrained(tmp_path / "whole")
    half = small_segmenter.save_pretrained(tmp_path / "half", half_precision=True)
    model = from_pretrained(half).model
    sizes = [(folder / "model.weights.h5").stat().st_size for folder in (whole, half)]
    assert sizes[1] < 0.7 * sizes[0]
    for kept, exact in zip(model.get_weights(), small_segmenter.model.get_weights(), strict=True):
        assert kept.dtype == np.float32
        np.testing.assert_allclose(kept, exact, rtol=1e-3, atol=1e-6)


def test_half_precision_leaves_what_float16_cannot_hold(tmp_path):
    path = tmp_path / "a.weights.h5"
    with h5py.File(path, "w") as file:
        file["vars/0"] = np.full((2, 2), 1e6, np.float32)
        file["vars/1"] = np.full((3,), 1e-9, np.float32)
    halve_weights(path)
    with h5py.File(path) as file:
        assert file["vars/0"][0, 0] == np.float32(1e6)
        assert file["vars/1"][0] == np.float32(1e-9)


def test_a_compiled_model_is_saved_without_its_loss(small_segmenter, tmp_path):
    model = AMSegNet(base_filters=2)
    model.compile("adam", "categorical_crossentropy")
    folder = Segmenter(model, small_segmenter.info).save_pretrained(tmp_path / "preset")
    assert "crossentropy" not in (folder / "config.json").read_text()


def test_embedded_preset_says_that_its_training_frames_were_simulated():
    info = list_presets()["amsegnet-esrf"]
    assert "simulated" in info.trained_on
    assert "simulated" in (find_preset("amsegnet-esrf") / "README.md").read_text()


def test_unknown_name_suggests_a_near_one():
    with pytest.raises(PresetError, match=r"amsegnet-esfr: .*did you mean amsegnet-esrf\?"):
        from_pretrained("amsegnet-esfr")


def test_revision_of_a_folder_makes_no_sense(preset):
    with pytest.raises(PresetError, match="needs a repository"):
        from_pretrained(preset, revision="v1")


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "preprocessing.json"])
def test_a_missing_file_is_named(preset, name):
    (preset / name).unlink()
    with pytest.raises(PresetError, match=f"{name} is missing"):
        from_pretrained(preset)


def test_truncated_weights_are_named(preset):
    path = preset / "model.weights.h5"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(PresetError, match=r"model\.weights\.h5: a truncated or broken HDF5 file"):
        from_pretrained(preset)


def test_weights_of_another_network_are_refused(preset, tmp_path):
    AMSegNet(base_filters=3).save_weights(tmp_path / "other.weights.h5")
    shutil.copy(tmp_path / "other.weights.h5", preset / "model.weights.h5")
    with pytest.raises(PresetError, match=r"weights do not fit|holds \d+ arrays"):
        from_pretrained(preset)


def test_weights_that_are_not_all_there_are_refused(preset):
    with h5py.File(preset / "model.weights.h5", "a") as file:
        del file["layers/conv_block"]
    with pytest.raises(PresetError, match=r"holds \d+ arrays, but the network .* has \d+ weights"):
        from_pretrained(preset)


def test_class_names_that_do_not_fit_the_network_are_refused(preset):
    path = preset / "preprocessing.json"
    record = json.loads(path.read_text())
    record["class_names"] = record["class_names"][:3]
    path.write_text(json.dumps(record))
    with pytest.raises(PresetError, match="names 3 classes"):
        from_pretrained(preset)


def test_not_finite_weights_are_refused(small_segmenter, preset):
    with h5py.File(preset / "model.weights.h5", "a") as file:
        file["layers/conv_block/conv/vars/0"][0, 0, 0, 0] = np.nan
    with pytest.raises(PresetError, match="NaN or infinite"):
        from_pretrained(preset)


def test_a_pickle_in_place_of_weights_is_refused(preset):
    (preset / "model.weights.h5").write_bytes(pickle.dumps({"kernel": 1}))
    with pytest.raises(PresetError, match="a pickle, say"):
        from_pretrained(preset)


def test_weights_that_point_to_another_file_are_refused(preset):
    with h5py.File(preset / "model.weights.h5", "a") as file:
        file["secret"] = h5py.ExternalLink("elsewhere.h5", "/data")
    with pytest.raises(PresetError, match="is a link"):
        from_pretrained(preset)


def first_activation(value):
    def change(config):
        pool = next(x for x in config["config"]["layers"] if x["class_name"] == "MaxPooling2D")
        pool["config"]["pool_size"] = value

    return change


HOSTILE = {
    "os.system as a function": {
        "class_name": "function",
        "module": "os",
        "config": "system",
        "registered_name": "function",
    },
    "os.system as a class": {
        "class_name": "system",
        "module": "os",
        "config": {"command": "echo"},
        "registered_name": None,
    },
    "lambda": {"class_name": "__lambda__", "config": {"value": "4wA="}},
    "Lambda layer": {
        "class_name": "Lambda",
        "module": "keras.layers",
        "config": {"function": {"class_name": "__lambda__", "config": {"value": "4wA="}}},
        "registered_name": None,
    },
    "layer that runs a file": {
        "class_name": "TFSMLayer",
        "module": "keras.layers",
        "config": {"filepath": "elsewhere"},
        "registered_name": None,
    },
    "layer that unpickles": {
        "class_name": "TorchModuleWrapper",
        "module": "keras.layers",
        "config": {},
        "registered_name": None,
    },
    "a name of this package on a foreign class": {
        "class_name": "system",
        "module": "os",
        "config": {},
        "registered_name": "amseg_keras>system",
    },
    "a foreign registered name on a known class": {
        "class_name": "Conv2D",
        "module": "keras.layers",
        "config": {},
        "registered_name": "evil>Conv2D",
    },
    "class without module": {"class_name": "Conv2D", "config": {}},
    "a marker that Keras knows": {"__class__": "os.system"},
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_config_that_names_anything_else_is_refused(edit_config, what):
    with pytest.raises(PresetError, match=r"config\.json: (names|holds)"):
        from_pretrained(edit_config(first_activation(HOSTILE[what])))


def test_a_hostile_config_is_refused_before_anything_runs(edit_config, tmp_path):
    """In a process whose os.system leaves a trace; the same config through Keras would build it."""
    folder = edit_config(first_activation(HOSTILE["os.system as a function"]))
    trace = tmp_path / "trace"
    code = f"""
import os, sys
os.system = lambda command: open({str(trace)!r}, "w").close()
import amseg_keras
sys.addaudithook(
    lambda event, args: open({str(trace)!r}, "w").close()
    if event in ("os.system", "subprocess.Popen") else None
)
try:
    amseg_keras.from_pretrained({str(folder)!r})
except amseg_keras.PresetError:
    print("refused")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "refused", done.stderr
    assert not trace.exists()


def test_config_that_is_not_json_is_named(preset):
    (preset / "config.json").write_text("import os")
    with pytest.raises(PresetError, match=r"config\.json: not a JSON file"):
        from_pretrained(preset)
