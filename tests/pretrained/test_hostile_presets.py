"""Preset folders made to do harm, each of which is refused in one sentence."""

import contextlib
import hashlib
import json
import os
import pickle
import resource
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from random_networks import randomise
from shallow_networks import shallow_network

from amseg_keras import PresetError, Segmenter, from_pretrained
from amseg_keras.models import AMSegNet

CONFIG, WEIGHTS, PREPROCESSING = "config.json", "model.weights.h5", "preprocessing.json"


@pytest.fixture(scope="module")
def honest(small_segmenter, tmp_path_factory):
    segmenter = Segmenter(randomise(shallow_network()), small_segmenter.info)
    return segmenter.save_pretrained(tmp_path_factory.mktemp("honest") / "preset")


@pytest.fixture
def preset(honest, tmp_path):
    return shutil.copytree(honest, tmp_path / "preset")


def edit(folder, file, change):
    """Change a JSON file by a function on what it holds."""
    record = json.loads((folder / file).read_text())
    change(record)
    (folder / file).write_text(json.dumps(record))


def sign(folder):
    """Give the weights the right checksum: who makes a hostile preset does that too."""
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    edit(folder, PREPROCESSING, lambda record: record.update(weights_sha256=digest))


def refusal(folder):
    """The sentence with which a preset is refused."""
    with pytest.raises(PresetError) as raised:
        from_pretrained(folder)
    message = str(raised.value)
    assert "\n" not in message
    assert str(folder) in message
    return message


def layer(config, class_name):
    return next(one for one in config["config"]["layers"] if one["class_name"] == class_name)


def put_in(folder, value):
    """Put a value where the configuration has an activation."""

    def change(config):
        layer(config, "Conv2D")["config"]["activation"] = value

    edit(folder, CONFIG, change)


# Configurations that would run something


RUNNING = {
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


@pytest.mark.parametrize("what", RUNNING)
def test_a_config_that_names_anything_but_known_layers_is_refused(preset, what):
    put_in(preset, RUNNING[what])
    assert "config.json: names" in (message := refusal(preset)) or "holds '__" in message


def test_a_hostile_config_is_refused_before_anything_runs(preset, monkeypatch):
    ran = []
    monkeypatch.setattr(os, "system", ran.append)
    monkeypatch.setattr(subprocess, "Popen", ran.append)
    for value in RUNNING.values():
        folder = Path(shutil.copytree(preset, preset.with_name("one"), dirs_exist_ok=True))
        put_in(folder, value)
        refusal(folder)
    assert not ran


# Files that are not what they are called


def test_a_pickle_in_place_of_weights_is_refused(preset):
    (preset / WEIGHTS).write_bytes(pickle.dumps({"kernel": 1}))
    sign(preset)
    assert "not an HDF5 file; weights in another form (a pickle, say)" in refusal(preset)


def test_truncated_weights_are_refused(preset):
    whole = (preset / WEIGHTS).read_bytes()
    (preset / WEIGHTS).write_bytes(whole[: len(whole) // 2])
    sign(preset)
    assert "a truncated or broken HDF5 file" in refusal(preset)


def test_a_config_that_is_not_json_is_refused(preset):
    (preset / CONFIG).write_text("import os")
    assert "config.json: not a JSON file" in refusal(preset)


@pytest.mark.parametrize("file", [CONFIG, PREPROCESSING])
def test_json_nested_without_end_is_refused(preset, file):
    deep = "[" * 100_000 + "]" * 100_000
    (preset / file).write_text(deep)
    assert "not a JSON file" in refusal(preset)


def test_a_config_nested_deeper_than_can_be_walked_is_read_or_refused(preset):
    config = json.loads((preset / CONFIG).read_text())
    config["config"]["extra"] = "deep"
    for depth in (400, 700, 900, 1200):
        deep = "[" * depth + "]" * depth
        (preset / CONFIG).write_text(json.dumps(config).replace('"deep"', deep))
        with contextlib.suppress(PresetError):
            from_pretrained(preset)


@pytest.mark.parametrize("file", [CONFIG, PREPROCESSING, "README.md"])
def test_text_that_is_far_too_long_is_not_read(preset, file):
    (preset / file).write_text(" " * (5 << 20))
    assert f"{file}: larger than" in refusal(preset)


def test_a_weights_file_that_is_far_too_large_is_not_read(preset):
    with (preset / WEIGHTS).open("r+b") as file:
        file.truncate(1 << 40)  # a hole: it takes no room on the disk
    start = time.perf_counter()
    assert "larger than 1024 MiB" in refusal(preset)
    assert time.perf_counter() - start < 5


# HDF5 files that hold more than numbers, or more than they show


def put_in_weights(folder, change):
    """Change the weights file, a kernel of which is passed by its name."""
    with h5py.File(folder / WEIGHTS, "a") as file:
        names = []
        file.visititems(
            lambda name, item: names.append(name) if getattr(item, "ndim", 0) == 4 else None
        )
        change(file, names[0])
    sign(folder)


def bomb(file, name):
    del file[name]
    file.create_dataset(
        name, (1 << 30, 1 << 10), "f4", chunks=(1 << 14, 1 << 10), compression="gzip", fillvalue=1
    )


def compressed_bomb(file, name):
    del file[name]
    file.create_dataset(name, data=np.zeros((1 << 12, 1 << 10), "f4"), compression="gzip")


def external_link(file, name):
    del file[name]
    file[name] = h5py.ExternalLink("/etc/passwd", "/data")


def soft_link(file, name):
    file["again"] = h5py.SoftLink(name)


def external_storage(file, name):
    shape = file[name].shape
    del file[name]
    file.create_dataset(name, shape, "f4", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])


def virtual(file, name):
    shape = file[name].shape
    del file[name]
    layout = h5py.VirtualLayout(shape, "f4")
    layout[...] = h5py.VirtualSource("/etc/passwd", "data", shape)
    file.create_virtual_dataset(name, layout)


def endless_group(file, name):
    file["layers/again"] = file["layers"]


def text(file, name):
    del file[name]
    file[name] = np.array([b"import os"], h5py.string_dtype())


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (bomb, "would be larger in memory than in the file"),
        (compressed_bomb, "would be larger in memory than in the file"),
        (external_link, "is a link, which a preset may not hold"),
        (soft_link, "is a link, which a preset may not hold"),
        (external_storage, "is stored in another file"),
        (virtual, "is stored in another file"),
        (endless_group, "is in it twice"),
        (text, "holds object, not numbers"),
    ],
)
def test_weights_that_hold_more_than_their_numbers_are_refused(preset, change, why):
    put_in_weights(preset, change)
    assert why in refusal(preset)


def test_weights_that_are_not_finite_are_refused(preset):
    def spoil(file, name):
        file[name][0, 0, 0, 0] = np.nan

    put_in_weights(preset, spoil)
    assert "holds NaN or infinite weights" in refusal(preset)


def test_weights_of_another_network_are_refused(preset):
    (preset / WEIGHTS).unlink()
    AMSegNet(base_filters=2).save_weights(preset / WEIGHTS)
    sign(preset)
    assert "arrays, but the network has" in refusal(preset)


def test_weights_of_another_size_are_refused(preset):
    (preset / WEIGHTS).unlink()
    shallow_network(width=5).save_weights(preset / WEIGHTS)
    sign(preset)
    assert "numbers, but the network has" in refusal(preset)


def test_weights_that_are_not_all_there_are_refused(preset):
    def take(file, name):
        del file[name]

    put_in_weights(preset, take)
    assert "arrays, but the network has" in refusal(preset)


# Networks that are not what they should be


def widen(folder, width):
    """Exchange the network for a wider one, of which there is only the configuration."""

    def write():
        with keras.StatelessScope(initialize_variables=False):
            wide = shallow_network(width=width)
            (folder / CONFIG).write_text(json.dumps(keras.saving.serialize_keras_object(wide)))

    # In a thread of its own, with which the weights that have no values go too.
    with ThreadPoolExecutor(1) as other:
        other.submit(write).result()


def test_a_network_too_large_to_load_is_refused_before_it_takes_memory(preset):
    widen(preset, 1 << 34)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "weights; more than 134,217,728 are not loaded" in refusal(preset)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 18  # KiB


def test_a_refused_network_leaves_nothing_behind_that_keras_would_fill(preset):
    widen(preset, 1 << 34)
    refusal(preset)
    with keras.StatelessScope():
        pass  # at the end of which Keras fills what has no values yet
    keras.layers.Conv2D(2, 1)(np.zeros((1, 4, 4, 1), np.float32))


def test_a_network_larger_than_its_weights_is_refused(preset):
    widen(preset, 1 << 20)
    assert "numbers, but the network has" in refusal(preset)


def test_class_names_that_do_not_fit_the_network_are_refused(preset):
    edit(preset, PREPROCESSING, lambda record: record["class_names"].pop())
    assert "names 4 classes" in refusal(preset)


# Descriptions that would do something in a page, a terminal or a path

MARKUP = {
    "a script": "<script>alert(1)</script>",
    "an image": '<img src=x onerror="alert(1)">',
    "an end of an element": "</title>",
    "a link of Markdown": "[look](javascript:alert(1))",
    "an image of Markdown": "![look](https://elsewhere.example/who.png)",
    "a colour of the terminal": "\x1b[31mred",
    "a second line": "frames\n# of mine",
    "a novel": "frames " * 1000,
    "a number": 3,
}


@pytest.mark.parametrize("what", MARKUP)
@pytest.mark.parametrize("key", ["name", "trained_on", "class_names"])
def test_text_that_does_more_than_be_read_is_refused(preset, key, what):
    text = MARKUP[what]
    if key == "class_names":
        edit(preset, PREPROCESSING, lambda record: record[key].__setitem__(0, text))
    else:
        edit(preset, PREPROCESSING, lambda record: record.update({key: text}))
    assert "preprocessing.json: not a valid preset description" in refusal(preset)


@pytest.mark.parametrize("path", ["../../outside", "/etc/passwd", "..\\outside"])
def test_a_name_that_is_a_path_is_refused(preset, path):
    edit(preset, PREPROCESSING, lambda record: record.update(name=path))
    assert "name holds a path" in refusal(preset)


def test_less_than_is_not_markup(preset):
    edit(preset, PREPROCESSING, lambda record: record.update(trained_on="pores < 10 um"))
    assert from_pretrained(preset).info.trained_on == "pores < 10 um"


@pytest.mark.parametrize("name", [["Dense"], {"a": 1}, 7])
def test_a_class_name_that_is_no_text_is_refused(preset, name):
    edit(preset, CONFIG, lambda config: config.update(class_name=name))
    with pytest.raises(PresetError):
        from_pretrained(str(preset))


@pytest.mark.parametrize("file", [CONFIG, PREPROCESSING])
def test_an_integer_of_900000_digits_is_refused(preset, file):
    text = (preset / file).read_text()
    (preset / file).write_text(text.replace("{", '{"big": ' + "9" * 900_000 + ",", 1))
    with pytest.raises(PresetError):
        from_pretrained(str(preset))


def test_weights_that_link_out_of_the_preset_are_refused(preset, tmp_path):
    shutil.move(preset / WEIGHTS, tmp_path / "elsewhere.h5")
    (preset / WEIGHTS).symlink_to(tmp_path / "elsewhere.h5")
    with pytest.raises(PresetError, match=r"is a link to .*, outside the preset"):
        from_pretrained(str(preset))


def test_the_links_of_the_hubs_cache_are_followed(preset, tmp_path):
    blobs = tmp_path / "models--a--b" / "blobs"
    snapshot = blobs.parent / "snapshots" / "0123"
    blobs.mkdir(parents=True)
    shutil.copytree(preset, snapshot)
    shutil.move(snapshot / WEIGHTS, blobs / "sha")
    (snapshot / WEIGHTS).symlink_to("../../blobs/sha")
    assert from_pretrained(str(snapshot)).class_names
