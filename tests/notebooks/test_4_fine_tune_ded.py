"""Notebook 4: how many labelled frames of deposition are enough."""

import pytest
from random_networks import randomise
from shallow_networks import shallow_network

from amseg_keras import Segmenter

pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

from notebooks.running import execute, notebook


def test_tunes_once_for_each_number_of_frames(small_segmenter, tmp_path):
    start = Segmenter(randomise(shallow_network()), small_segmenter.info)
    start.save_pretrained(tmp_path / "start")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AMSEG_TEST_DATA", str(tmp_path / "nowhere"))
        executed = execute(
            notebook(4),
            tmp_path,
            MODEL="start",
            LABELLED=(1, 2),
            EPOCHS=1,
            TEST=2,
            SHAPE="64x96",
        )
    outputs = [output for cell in executed.cells for output in cell.get("outputs", ())]
    tables = [output.data["text/plain"] for output in outputs if "data" in output]
    (scores,) = (table for table in tables if "labelled frames" in table)
    assert [row.split()[0] for row in scores.splitlines()[2:]] == ["0", "1", "2"]
    for count in (1, 2):
        assert (tmp_path / f"tuned_{count}" / "preset" / "config.json").is_file()
