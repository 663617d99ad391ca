"""Speeds: what is timed, and what the table makes of the times."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from amseg_keras.command.main import main
from amseg_keras.comparison.speed import Case, Peak, frames_of, measure_speed, summarise_speed
from amseg_keras.models import AMSegNet
from amseg_keras.models.cost import macs
from amseg_keras.models.networks import NETWORKS
from amseg_keras.report.speed_table import speed_markdown


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
    small = ["--shape", "32x48", "--batch-size", "1", "--rounds", "1"]
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
