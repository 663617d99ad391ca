"""Training: what comes out, and going on after an interruption."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small_sets import make_dataset

import amseg_keras
from amseg_keras.outputs import OutputTakenError
from amseg_keras.read import ReadError
from amseg_keras.training import Recipe, Simulation, TrainingError, train, trainer

pytestmark = pytest.mark.usefixtures("small_networks")
RECIPE = Recipe(epochs=2, batch_size=4, shape=(32, 48), averaging=0.8)


class StoppedError(Exception):
    """As a kill, but one that a test outlives."""


def weights(run):
    return amseg_keras.from_pretrained(run.preset).model.get_weights()


@pytest.fixture(scope="module")
def trained(small_networks, data, tmp_path_factory):
    """A finished training, which no test may change."""
    return train(data, tmp_path_factory.mktemp("trained") / "run", RECIPE)


def test_training_learns_and_leaves_a_preset(data, tmp_path):
    recipe = replace(RECIPE, epochs=8, learning_rate=1e-2, augment=None)
    run = train(data, tmp_path / "run", recipe)
    assert run.history["loss"].iloc[-1] < 0.8 * run.history["loss"].iloc[0]
    found = amseg_keras.from_pretrained(run.preset).segment(data.image(data.frames[0]))
    assert found.class_names == ("gas", "plate", "pore")
    assert {path.name for path in run.folder.iterdir()} == {
        "run.json",
        "epochs.csv",
        "curves.png",
        "tensorboard",
        "checkpoint.npz",
        "best.weights.h5",
        "preset",
    }


def test_a_resumed_training_equals_one_without_interruption(data, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "CHECKPOINT_SECONDS", -1.0)

    def stop_in_the_second_epoch(progress):
        if progress.step == 4:
            raise StoppedError

    with pytest.raises(StoppedError):
        train(data, tmp_path / "part", RECIPE, progress=stop_in_the_second_epoch)
    seen = []
    part = train(data, tmp_path / "part", RECIPE, resume=True, progress=seen.append)
    assert seen[0].step == 5
    for before, after in zip(weights(trained), weights(part), strict=True):
        np.testing.assert_allclose(after, before, atol=1e-5)
    columns = ["epoch", "step", "loss", "val_loss", "mean_iou", "learning_rate"]
    pd.testing.assert_frame_equal(part.history[columns], trained.history[columns], rtol=1e-4)


def test_a_finished_training_is_not_repeated(data, trained):
    steps = []
    again = train(data, trained.folder, RECIPE, resume=True, progress=steps.append)
    assert not steps
    assert again.seconds == trained.seconds


def test_another_training_in_the_folder_is_refused(data, trained):
    with pytest.raises(TrainingError, match=r"epochs 2, not 3"):
        train(data, trained.folder, replace(RECIPE, epochs=3), resume=True)
    with pytest.raises(TrainingError, match="--resume"):
        train(data, trained.folder, RECIPE)


def test_a_training_does_not_go_on_with_labels_that_were_corrected(data, trained):
    label = data.folder / data.of_split("train").frames[0].label
    before = label.read_bytes()
    with Image.open(label) as picture:
        corrected = np.asarray(picture).copy()
    corrected[:4, :4] = 1 - corrected[:4, :4] % 2
    Image.fromarray(corrected).save(label)
    try:
        with pytest.raises(TrainingError, match="holds another training"):
            train(data, trained.folder, RECIPE, resume=True)
    finally:
        label.write_bytes(before)


def test_a_second_training_in_the_folder_is_refused(data, tmp_path):
    refused = []

    def second(progress):
        if not refused:
            with pytest.raises(OutputTakenError, match="is in use by process") as caught:
                train(data, tmp_path / "run", RECIPE, resume=True)
            refused.append(caught)

    train(data, tmp_path / "run", replace(RECIPE, epochs=1), progress=second)
    assert refused
    assert not (tmp_path / "run" / ".unfinished").exists()


def test_the_best_epoch_is_in_the_preset(trained):
    record = json.loads((trained.folder / "run.json").read_text())
    assert record["best"]["mean_iou"] == pytest.approx(trained.history["mean_iou"].max())


def test_an_infinite_rate_ends_in_one_sentence(data, tmp_path):
    recipe = replace(RECIPE, learning_rate=1e30, clip_norm=1e30, annealing="plateau")
    with pytest.raises(TrainingError, match="NaN in epoch"):
        train(data, tmp_path / "run", replace(recipe, epochs=4))


def test_an_empty_split_is_named(tmp_path):
    data = make_dataset(tmp_path / "frames", sequences=4, frames=1)
    with pytest.raises(ReadError, match="validation"):
        train(data, tmp_path / "run", RECIPE)


def test_too_little_memory_is_said_with_what_to_do(data, tmp_path, monkeypatch):
    def refuse(*arguments):
        raise MemoryError

    monkeypatch.setattr(trainer, "FromStep", refuse)
    with pytest.raises(TrainingError, match=r"batch of 4 frames of 32 x 48.*--batch-size 2"):
        train(data, tmp_path / "run", RECIPE)


@pytest.fixture
def scripted_scores(monkeypatch):
    """The validation gains until the second epoch and nothing after it."""
    scores = iter([0.5, 0.6, 0.6, 0.55, 0.6, 0.6, 0.6, 0.6, 0.6])
    real = trainer.validate

    def validate(*arguments):
        return real(*arguments) | {"score": next(scores)}

    monkeypatch.setattr(trainer, "validate", validate)


@pytest.mark.usefixtures("scripted_scores")
def test_training_ends_early_without_gain(data, tmp_path):
    run = train(data, tmp_path / "run", replace(RECIPE, epochs=9, patience=2))
    assert len(run.history) == 4
    assert run.best["epoch"] == 1


@pytest.mark.usefixtures("scripted_scores")
def test_a_plateau_halves_the_rate(data, tmp_path):
    recipe = replace(RECIPE, epochs=5, annealing="plateau", patience=6)
    run = train(data, tmp_path / "run", recipe)
    assert run.history["learning_rate"].tolist() == pytest.approx([1e-3, 1e-3, 1e-3, 1e-3, 5e-4])


def test_training_goes_on_from_a_preset(data, trained, tmp_path):
    recipe = replace(RECIPE, epochs=1, learning_rate=1e-30, averaging=0.0)
    second = train(data, tmp_path / "second", recipe, start_from=trained.preset)
    for before, after in zip(weights(trained), weights(second), strict=True):
        if before.ndim == 4:
            np.testing.assert_array_equal(after, before)


def test_a_preset_of_another_network_is_refused_before_the_run_begins(tmp_path):
    data = Simulation({"esrf": 1.0}, frames=4, crop=(64, 96), validation_frames=1)
    with pytest.raises(TrainingError, match=r"^amsegnet-esrf-lite: is a network amsegnet_lite"):
        train(data, tmp_path / "run", replace(RECIPE, epochs=1), start_from="amsegnet-esrf-lite")
    assert not (tmp_path / "run").exists()


def test_simulated_frames_are_trained_on_without_a_data_set(tmp_path):
    data = Simulation({"esrf": 1.0, "aps": 1.0}, frames=4, crop=(64, 96), validation_frames=1)
    run = train(data, tmp_path / "run", replace(RECIPE, epochs=1, batch_size=2))
    assert "simulated" in (run.preset / "README.md").read_text()
    assert run.history["step"].iloc[-1] == 2
