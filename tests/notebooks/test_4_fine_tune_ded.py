"""Notebook 4: how many labelled frames of deposition are enough."""

import pandas as pd
import pytest

pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

from notebooks.running import execute, notebook


def test_tunes_once_for_each_number_of_frames(start, tmp_path):
    execute(
        notebook(4),
        tmp_path,
        MODEL=str(start),
        LABELLED=(1, 2),
        EPOCHS=1,
        TEST=2,
        SHAPE="64x96",
    )
    results = tmp_path / "results" / "ded"
    assert list(pd.read_csv(results / "scores.csv")["labelled frames"]) == [0, 1, 2]
    for count in (1, 2):
        assert (results / f"tuned_{count}" / "preset" / "config.json").is_file()
