"""Notebook 3: fine-tuning on frames of APS."""

import pytest

from amseg_keras import from_pretrained
from amseg_keras.datasets import open_dataset

pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

from notebooks.running import execute, notebook


def test_trains_on_early_frames_and_tests_on_late_ones(start, tmp_path):
    printed = execute(notebook(3), tmp_path, SHAPE="64x96", MODEL=str(start), EPOCHS=2)
    results = tmp_path / "results" / "aps"
    data = open_dataset(results / "frames")
    train, test = (data.of_split(name).frames for name in ("train", "test"))
    assert max(frame.frame for frame in train) < min(frame.frame for frame in test)
    assert from_pretrained(results / "tuned" / "preset").class_names == data.class_names
    assert "simulated frames of APS" in printed
    assert "2 epochs, the best was" in printed
