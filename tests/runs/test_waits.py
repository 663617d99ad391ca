"""What people wait for, measured with its limit beside it."""

import sys

import pandas as pd
import pytest

from amseg_keras.runs.waits import run_process, summarise_waits, waits_markdown, write_waits


def rows(measured, limit):
    about = {
        "preset": "a",
        "engine": "openvino",
        "wait": "start",
        "unit": "s",
        "limit_is": "imports",
    }
    return pd.DataFrame(
        [
            about | {"round": number, "measured": found, "limit": least}
            for number, (found, least) in enumerate(zip(measured, limit, strict=True))
        ]
    )


def test_a_process_is_measured_without_the_one_that_starts_it():
    used = run_process([sys.executable, "-c", "x = bytearray(60 << 20)"])
    assert 60 < used.megabytes < 160
    assert used.cpu_seconds > 0


def test_a_process_that_fails_is_an_error():
    with pytest.raises(RuntimeError, match="failed"):
        run_process([sys.executable, "-c", "raise SystemExit(3)"])


def test_ratios_are_taken_within_rounds():
    table = summarise_waits(rows([2.0, 8.0, 3.0], [1.0, 4.0, 1.0]))
    assert table["ratio"].tolist() == [2.0]


def test_the_limit_stands_beside_what_was_measured(tmp_path):
    found = rows([2.0], [1.0])
    assert "| a | openvino | start | 2 s |  | 1 s | 2.00 | imports |" in waits_markdown(
        summarise_waits(found)
    )
    text = write_waits(tmp_path / "out", found, {"beside": "a training on both cores"})
    assert "- beside: a training on both cores" in text
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "waits.csv",
        "waits.json",
        "waits.md",
    }
