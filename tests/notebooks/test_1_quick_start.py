"""Notebook 1: from a stack to label maps and tables."""

import pytest
import tifffile

from amseg_keras.read import open_stack

pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

from notebooks.running import execute_in_kernel, notebook

FRAMES = 3
"""Few, so that the run is quick; the notebook kept with its outputs was run on all."""


def test_leaves_labels_and_a_row_for_each_frame(tmp_path):
    path = tmp_path / "frames.tif"
    with open_stack("sample:esrf-lpbf") as stack:
        for index in range(FRAMES):
            tifffile.imwrite(path, stack[index], append=True, photometric="minisblack")
    execute_in_kernel(notebook(1), tmp_path, FRAMES=path.name)
    assert tifffile.imread(tmp_path / "results" / "labels.tif").shape[0] == FRAMES
    assert (tmp_path / "results" / "frames.csv").read_text().count("\n") == FRAMES + 1
