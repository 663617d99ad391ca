"""Notebook 3: fine-tuning on frames of APS."""

import pytest
from random_networks import randomise
from shallow_networks import shallow_network

from amseg_keras import Segmenter, from_pretrained
from amseg_keras.datasets import open_dataset

pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

from notebooks.running import execute, notebook, printed


def test_trains_on_early_frames_and_tests_on_late_ones(small_segmenter, tmp_path):
    start = Segmenter(randomise(shallow_network()), small_segmenter.info)
    start.save_pretrained(tmp_path / "start")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AMSEG_TEST_DATA", str(tmp_path / "nowhere"))
        executed = execute(notebook(3), tmp_path, SHAPE="64x96", MODEL="start", EPOCHS=2)
    data = open_dataset(tmp_path / "aps")
    train, test = (data.of_split(name).frames for name in ("train", "test"))
    assert max(frame.frame for frame in train) < min(frame.frame for frame in test)
    assert from_pretrained(tmp_path / "tuned" / "preset").class_names == data.class_names
    assert "simulated frames of APS" in printed(executed)
    assert "2 epochs, the best was" in printed(executed)
