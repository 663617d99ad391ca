"""Times of networks: taken in turns, compared within rounds."""

from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
from shallow_networks import shallow_network

from amseg_keras.comparison import Timing, summarise_times, time_networks, timing
from amseg_keras.training import TrainingError

SMALL = Timing(rounds=2, shape=(32, 48))


def test_networks_take_turns_and_the_warm_up_does_not_count():
    models = {"amsegnet": shallow_network(3, width=2), "unet": shallow_network(3, width=4)}
    before = models["unet"].get_weights()
    told = []
    times = time_networks(models, SMALL, progress=lambda *done: told.append(done))
    assert list(zip(times["round"], times["network"], strict=True)) == [
        (0, "amsegnet"),
        (0, "unet"),
        (1, "amsegnet"),
        (1, "unet"),
    ]
    assert (times[["training_s", "segmentation_s"]] > 0).all(axis=None)
    assert told == [(1, 3), (2, 3), (3, 3)]
    after = models["unet"].get_weights()
    assert any(np.any(a != b) for a, b in zip(before, after, strict=True)), "steps were trained"


def test_each_network_is_given_the_seconds_of_its_own_step_and_frame(monkeypatch):
    models = {"unet": shallow_network(width=2), "wide": shallow_network(width=4)}
    clock = SimpleNamespace(now=0.0, perf_counter=lambda: clock.now)

    def taking(seconds_of):
        def work(model, *arguments, **options):
            clock.now += seconds_of[model.name]

        return work

    training = {models["unet"].name: 8.0, models["wide"].name: 6.0}
    segmentation = {models["unet"].name: 0.5, models["wide"].name: 2.0}
    assert len(training) == 2
    monkeypatch.setattr(timing, "time", clock)
    monkeypatch.setattr(keras.Model, "train_on_batch", taking(training))
    monkeypatch.setattr(keras.Model, "predict_on_batch", taking(segmentation))
    times = time_networks(models, Timing(rounds=1, batch_size=2, shape=(32, 48)))
    found = times.set_index("network")[["training_s", "segmentation_s"]]
    assert found.loc["unet"].tolist() == pytest.approx([4.0, 0.5])
    assert found.loc["wide"].tolist() == pytest.approx([3.0, 2.0])


def test_a_machine_that_slows_down_leaves_the_ratios_alone():
    slowness = [1.0, 1.0, 9.0, 9.0, 9.0]
    rows = [
        (number, name, factor * training, factor * segmentation)
        for number, factor in enumerate(slowness)
        for name, training, segmentation in (("amsegnet", 2.0, 0.1), ("unet", 8.0, 0.5))
    ]
    columns = ["round", "network", "training_s", "segmentation_s"]
    found = summarise_times(pd.DataFrame(rows, columns=columns))
    assert list(found.index) == ["amsegnet", "unet"]
    assert found.loc["amsegnet"].tolist() == pytest.approx([18, 900, 0.25, 0.2])
    assert found.loc["unet"].tolist() == pytest.approx([72, 4500, 1, 1])


def test_without_the_reference_there_are_no_ratios():
    times = pd.DataFrame(
        [(0, "resunet", 1.0, 2.0)], columns=["round", "network", "training_s", "segmentation_s"]
    )
    found = summarise_times(times)
    assert np.isnan(found.loc["resunet", "training_ratio"])
    assert found.loc["resunet", "segmentation_ms_per_frame"] == 2000


def test_too_little_memory_is_said_in_a_sentence(monkeypatch):
    def refuse(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr(keras.Model, "predict_on_batch", refuse)
    with pytest.raises(TrainingError, match=r"1 networks at once.*32 x 48.*compare fewer"):
        time_networks({"unet": shallow_network()}, SMALL)


@pytest.mark.parametrize(
    "wrong", [{"rounds": 0}, {"warm_up": 0}, {"batch_size": 0}, {"shape": (30, 32)}]
)
def test_times_that_cannot_be_taken_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Timing(**wrong)
