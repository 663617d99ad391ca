"""Times of networks: of segmenting on each engine, of training, and peaks of the machine."""

from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from shallow_networks import shallow_network

from amseg_keras.command.main import main
from amseg_keras.comparison import Timing, summarise_times, time_networks, timing
from amseg_keras.comparison.speed import Case, Peak, frames_of, measure_speed, summarise_speed
from amseg_keras.models import AMSegNet
from amseg_keras.models.cost import macs
from amseg_keras.models.networks import NETWORKS
from amseg_keras.report.learning import speed_markdown
from amseg_keras.training import TrainingError


@pytest.fixture
def narrow(monkeypatch):
    """AM-SegNet is narrow and not trained."""
    monkeypatch.setitem(NETWORKS, "amsegnet", lambda: AMSegNet(base_filters=2))
    monkeypatch.setattr("amseg_keras.comparison.speed.TRAINED", {})


def of(network, engine, *seconds, peak=100.0, precision="float32"):
    return [
        {"round": number, "network": network, "engine": engine, "precision": precision}
        | {"height": 32, "width": 64, "batch": 1, "seconds": value, "peak_float32": peak}
        for number, value in enumerate(seconds)
    ]


def test_ratios_are_taken_within_rounds(narrow):
    times = pd.DataFrame(
        of("amsegnet", "predict", 1.0, 8.0, 2.0) + of("amsegnet", "openvino", 0.5, 2.0, 0.5)
    )
    table = summarise_speed(times).set_index("engine")
    assert table["faster"].to_dict() == {"predict": 1.0, "openvino": 4.0}
    assert table["ms_per_frame"].to_dict() == {"predict": 2000.0, "openvino": 500.0}


def test_the_share_of_the_peak_counts_two_operations_for_a_mac(narrow):
    table = summarise_speed(pd.DataFrame(of("amsegnet", "predict", 0.5, peak=10.0)))
    gmac = macs(AMSegNet(base_filters=2), (32, 64)) / 1e9
    assert table["gmac_per_second"][0] == pytest.approx(2 * gmac)
    assert table["of_peak"][0] == pytest.approx(4 * gmac / 10)


def test_integers_have_no_peak(narrow):
    table = summarise_speed(pd.DataFrame(of("amsegnet", "openvino-int8", 0.5, precision="int8")))
    assert np.isnan(table["of_peak"][0])


def test_every_case_is_timed_in_every_round_but_the_first():
    calls = []
    cases = [
        Case(name, "keras", "float32", lambda frames: calls.append(frames.shape)) for name in "ab"
    ]
    peak = Peak("float32", lambda: None)
    times = measure_speed(cases, [peak], [(32, 64), (48, 32)], [1, 3], rounds=2)
    assert len(times) == 2 * 2 * 2 * 2
    assert set(times["round"]) == {0, 1}
    assert len(calls) == 3 * 8
    assert set(calls) == {(b, h, w, 1) for b in (1, 3) for h, w in ((32, 64), (48, 32))}


@pytest.mark.parametrize("shape", [(256, 512), (304, 704)])
def test_frames_are_scaled_and_of_the_size_asked_for(shape):
    frames = frames_of(shape, 2)
    assert frames.shape == (2, *shape, 1)
    assert frames.dtype == np.float32
    assert frames.min() == 0
    assert frames.max() == 1


def test_the_command_writes_a_table_with_its_conditions(narrow, tmp_path):
    options = ["--networks", "amsegnet", "--engines", "predict", "--engines", "keras"]
    small = ["--shape", "32x48", "--batch-size", "1", "--rounds", "1", "--no-waits"]
    result = CliRunner().invoke(
        main, ["benchmark", "speed", *options, *small, "-o", str(tmp_path / "speed")]
    )
    assert result.exit_code == 0, result.output
    table = pd.read_csv(tmp_path / "speed" / "speed.csv")
    assert table["engine"].tolist() == ["predict", "keras"]
    text = (tmp_path / "speed" / "speed.md").read_text("utf-8")
    assert "| AM-SegNet | keras | float32 | 32 x 48 | 1 |" in text
    assert "Medians of 1 rounds" in text


def test_sides_that_cannot_be_pooled_are_wrong_use(tmp_path):
    result = CliRunner().invoke(main, ["benchmark", "speed", "--shape", "30x48", "-o", "x"])
    assert result.exit_code == 2
    assert "multiples of 16" in result.output


def test_what_was_not_measured_is_a_dash_in_the_table():
    table = pd.DataFrame(
        [("unet", "openvino-int8", "int8", 256, 512, 1, np.nan, 12.3, 45.6, np.nan)],
        columns=[
            *("network", "engine", "precision", "height", "width", "batch"),
            *("faster", "ms_per_frame", "gmac_per_second", "of_peak"),
        ],
    )
    text = speed_markdown(
        table, {"rounds": 3, "peaks": {}, "notes": [], "hardware": "here", "versions": {"a": "1"}}
    )
    assert "| U-Net | openvino-int8 | int8 | 256 x 512 | 1 | 12.3 | - | 46 | - |" in text


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
