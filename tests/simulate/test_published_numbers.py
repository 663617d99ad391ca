"""The simulator reaches the numbers that were published of real frames, and its comparison runs."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from similarity.kinds import KINDS
from similarity.measures import quantile
from similarity.recordings import simulated

from amseg_keras.simulate import REFERENCES

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "simulated_against_real.py"
SEEDS = range(1000, 1006)


def is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_reference_frames_measure_as_the_published_ones_within_the_tolerance(kind):
    targets = [target for target in kind.targets if is_number(target.published)]
    if not targets:
        pytest.skip("nothing of this kind is published as one number")
    # Nothing of movies is published as a number.
    kind, frames = replace(kind, movie=False), min(kind.frames, 4)
    measured = [
        kind.measured(simulated(REFERENCES[kind.name], kind.process, frames, seed))
        for seed in SEEDS
    ]
    for target in targets:
        values = [one.numbers[target.name] for one in measured]
        assert np.isfinite(values).sum() >= 2, target.name
        found = float(quantile(values, 50))
        assert found == pytest.approx(float(target.published), abs=target.tolerance), target.name


def test_the_comparison_with_real_frames_runs(real_data, tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, SCRIPT, "--only", "dls"),
            *("--real", real_data, "-o", tmp_path, "--reference", "2", "--randomised", "2"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    # Of two recordings some number may miss; that is exit status 1 and no error.
    assert done.returncode in (0, 1), done.stderr
    rows = json.loads((tmp_path / "comparison.json").read_text())["dls"]
    gas = next(row for row in rows if row["name"] == "gas mean")
    assert gas["real"] == pytest.approx(224, abs=3)
    assert gas["within"]
    for name in ("comparison.md", "frames.png", "curves.png"):
        assert (tmp_path / name).stat().st_size > 1000


def test_without_real_frames_it_says_where_to_name_them(tmp_path):
    done = subprocess.run(
        [sys.executable, SCRIPT, "--real", tmp_path / "none"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "--real" in done.stderr
    assert "Traceback" not in done.stderr
