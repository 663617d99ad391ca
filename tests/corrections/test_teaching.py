"""Teaching a network from corrected frames."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from random_networks import randomise
from small_sets import make_dataset, small_network

from amseg_keras import Segmenter, from_pretrained
from amseg_keras.classes import CLASS_NAMES, MELT_POOL
from amseg_keras.corrections import Corrections, teach, teaching
from amseg_keras.corrections.teaching import GROUPS, TEACHING, TeachProgress, hold_back
from amseg_keras.datasets import open_dataset
from amseg_keras.datasets.dataset import write_frame
from amseg_keras.preprocess import GreyScaling
from amseg_keras.pretrained import PresetInfo
from amseg_keras.read import ReadError

NAMES = ("gas", "plate", "pore")


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    info = PresetInfo("tiny", NAMES, GreyScaling(), None, "nothing: random weights")
    folder = tmp_path_factory.mktemp("preset") / "tiny"
    return Segmenter(randomise(small_network(3)), info).save_pretrained(folder)


@pytest.fixture(scope="module")
def corrected(tmp_path_factory):
    """Six corrected frames of one recording."""
    data = make_dataset(tmp_path_factory.mktemp("data"), 1, 6, NAMES, split=False)
    kept = Corrections(tmp_path_factory.mktemp("corrected"), NAMES)
    for frame in data.frames:
        kept.keep("shot", frame.frame, data.image(frame), data.labels(frame))
    return kept


def test_a_network_learns_what_was_corrected(preset, corrected, tmp_path):
    told: list[TeachProgress] = []
    recipe = replace(TEACHING, epochs=5, shape=(48, 64), learning_rate=5e-2)
    taught = teach(corrected.dataset, tmp_path, preset, recipe=recipe, progress=told.append)
    before, after = taught.mean(GROUPS[0])
    assert after > before + 0.1
    held_out = taught.scores[taught.scores["group"] == GROUPS[1]]
    assert held_out["frames"].tolist() == [1] * 4
    assert {*held_out["class"]} == {*NAMES, "mean"}
    # Simulated frames have other classes: they would teach nothing here.
    assert taught.mean(GROUPS[2]) is None
    assert from_pretrained(taught.preset).class_names == NAMES
    shares = [one.share for one in told]
    assert shares == sorted(shares)
    assert not (tmp_path / "frames").exists()


def test_it_can_be_ended_at_any_step(preset, corrected, tmp_path):
    class EnoughError(Exception):
        pass

    def stop(done):
        if done.stage.startswith("training, epoch"):
            raise EnoughError

    with pytest.raises(EnoughError):
        teach(corrected.dataset, tmp_path, preset, progress=stop)


def test_a_single_corrected_frame_is_too_few(preset, tmp_path):
    kept = Corrections(tmp_path / "one", NAMES)
    kept.keep("shot", 3, np.zeros((48, 64), np.uint8), np.zeros((48, 64), np.uint8))
    with pytest.raises(ReadError, match=r"has 1 corrected frame, and teaching needs two"):
        teach(open_dataset(kept.folder), tmp_path / "out", preset)


@pytest.mark.parametrize("forgets", [False, True])
def test_of_what_other_recordings_suffer_from_a_part_is_taken_back(preset, tmp_path, forgets):
    others = make_dataset(tmp_path / "others", 6, 1, NAMES)
    start, tuned = from_pretrained(preset), from_pretrained(preset)
    frames = []
    for frame in others.frames:
        found = start.segment(others.image(frame)[None]).labels[0]
        frames.append(write_frame(others.folder, others.image(frame), found, frame))
    others = replace(others, frames=tuple(frames))
    old = start.model.get_weights()
    rng = np.random.default_rng(0)
    changed = [one + 0.5 * forgets * rng.normal(size=one.shape) for one in old]
    tuned.model.set_weights(changed)
    share = hold_back(start, tuned, others)
    assert (share < 1) == forgets
    for one, other, kept in zip(old, changed, tuned.model.get_weights(), strict=True):
        np.testing.assert_allclose(kept, one + share * (other - one), rtol=1e-5, atol=1e-6)


def test_simulated_frames_of_a_melt_pool_network_show_the_melt_pool(tmp_path, monkeypatch):
    monkeypatch.setattr(teaching, "RECORDINGS", 1)
    names = (*CLASS_NAMES, MELT_POOL)
    info = PresetInfo("pool", names, GreyScaling(), None, "nothing: random weights")
    preset = Segmenter(randomise(small_network(6)), info).save_pretrained(tmp_path / "pool")
    kept = Corrections(tmp_path / "corrected", names)
    for frame in range(2):
        image = np.full((48, 64), frame, np.uint8)
        kept.keep("shot", frame, image, np.zeros((48, 64), np.uint8))

    class EnoughError(Exception):
        pass

    def stop(done):
        if done.stage == "training":
            raise EnoughError

    with pytest.raises(EnoughError):
        teach(kept.dataset, tmp_path / "taught", preset, progress=stop)
    data = open_dataset(tmp_path / "taught" / "frames")
    simulated = [one for one in data.frames if one.label and one.sequence != "shot"]
    assert any((data.labels(frame) == names.index(MELT_POOL)).any() for frame in simulated)


def test_a_group_without_frames_has_no_mean():
    from amseg_keras.corrections import Taught

    scores = pd.DataFrame(columns=["group", "frames", "class", "before", "after"])
    assert Taught(None, scores, 1.0).mean(GROUPS[0]) is None
