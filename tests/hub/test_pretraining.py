"""The pretraining of the presets, at a size that a processor can do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from amseg_keras import from_pretrained

pytest.importorskip("jax")
pytest.importorskip("cv2")

HUB = Path(__file__).parents[2] / "hub"


def run(script, *arguments):
    done = subprocess.run(
        [sys.executable, HUB / "pretraining" / script, *map(str, arguments)],
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.slow
def test_a_small_network_learns_from_a_preset_and_becomes_one(tmp_path):
    small = ("--batch-size", 2, "--shape", 64, 128, "--first-frames", 16, "--capacity", 32)
    run(
        *("__main__.py", "--teacher", HUB / "amsegnet-esrf", "--seconds", "lite=1"),
        *("--candidate", "conv-16", "--workers", 1, *small, "-o", tmp_path / "pretrained"),
    )
    record = json.loads((tmp_path / "pretrained" / "lite.json").read_text())
    assert record["steps"] > 0
    assert sum(record["frames"].values()) >= 16

    run("collect.py", tmp_path / "pretrained", "conv-16", tmp_path / "run")
    segmenter = from_pretrained(tmp_path / "run" / "preset")
    assert segmenter.model.count_params() == pytest.approx(134_321, rel=0.02)
    assert "distilled from amsegnet-esrf" in segmenter.info.trained_on


def test_wrong_phases_are_refused_before_anything_is_loaded(tmp_path):
    done = subprocess.run(
        [sys.executable, HUB / "pretraining", "--seconds", "lite=1", "-o", tmp_path / "out"],
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "give either --seconds esrf=SECONDS or --teacher" in done.stderr
    assert not (tmp_path / "out").exists()
