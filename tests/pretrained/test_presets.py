"""Preset folders: written, read and found; those that are hostile are in a file of their own."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from amseg_keras import PresetError, Segmenter, from_pretrained, list_presets
from amseg_keras.models import AMSegNet
from amseg_keras.models.lite import AMSegNetLite
from amseg_keras.pretrained import find_preset
from amseg_keras.pretrained.preset import PRESET_FILES, halve_weights, read_info


@pytest.fixture
def preset(small_segmenter, tmp_path):
    return small_segmenter.save_pretrained(tmp_path / "preset")


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


def test_a_truncated_file_is_told_by_its_checksum(preset):
    path = preset / "model.weights.h5"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(PresetError, match=r"not the weights that preprocessing\.json records"):
        from_pretrained(preset)


def test_a_preset_without_a_checksum_is_read(preset, small_segmenter):
    path = preset / "preprocessing.json"
    record = json.loads(path.read_text())
    digest = hashlib.sha256((preset / "model.weights.h5").read_bytes()).hexdigest()
    assert record.pop("weights_sha256") == digest
    path.write_text(json.dumps(record))
    assert from_pretrained(preset).info == small_segmenter.info


def test_what_was_trained_on_is_written_as_plain_text(small_segmenter, tmp_path):
    told = "frames\nof <b>mine</b>, see [here](https://a.b)"
    info = replace(small_segmenter.info, trained_on=told)
    folder = Segmenter(small_segmenter.model, info).save_pretrained(tmp_path / "preset")
    assert read_info(folder).trained_on == "frames of bmine/b, see here (https://a.b)"


def test_a_preset_of_the_small_network_with_its_own_layer_is_read(small_segmenter, tmp_path):
    model = AMSegNetLite(base_filters=4)
    folder = Segmenter(model, small_segmenter.info).save_pretrained(tmp_path / "lite")
    for kept, exact in zip(
        from_pretrained(folder).model.get_weights(), model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(kept, exact)


HUB = Path(__file__).parents[2] / "hub"
PRESETS = sorted(path.parent.name for path in HUB.glob("*/preprocessing.json"))


def test_all_facilities_have_one():
    wanted = {"amsegnet-aps", "amsegnet-dls", "amsegnet-esrf", "amsegnet-hpdc", "amsegnet-meltpool"}
    assert wanted <= set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_its_card_says_first_what_it_is_good_for(name):
    card = (HUB / name / "README.md").read_text("utf-8")
    assert card.index("**Good for**") < card.index("**Not for**") < card.index("## Use")


@pytest.mark.parametrize("name", sorted(set(PRESETS) - {"amsegnet-esrf"}))
def test_all_but_the_network_of_the_paper_are_small(name):
    assert (HUB / name / "model.weights.h5").stat().st_size < 2_000_000


@pytest.mark.parametrize("name", PRESETS)
def test_it_segments_into_its_own_classes(name):
    segmenter = from_pretrained(HUB / name)
    labels = segmenter.segment(np.random.default_rng(0).integers(0, 255, (1, 32, 48))).labels
    assert segmenter.model.output_shape[-1] == len(segmenter.class_names)
    assert labels.max() < len(segmenter.class_names)


@pytest.mark.parametrize("name", PRESETS)
def test_its_card_says_in_bold_that_frames_were_simulated(name):
    card = (HUB / name / "README.md").read_text("utf-8")
    assert f"# {name}\n" in card
    assert "**These weights were trained on simulated frames" in card


@pytest.mark.parametrize("name", ["amsegnet-aps", "amsegnet-hpdc"])
def test_those_tuned_on_real_frames_say_which(name):
    card = (HUB / name / "README.md").read_text("utf-8")
    assert "and fine-tuned on" in card
    assert "real frames of" in from_pretrained(HUB / name).info.trained_on
