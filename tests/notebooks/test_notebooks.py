"""Every notebook runs from top to bottom in a clean kernel."""

from pathlib import Path

import pytest
import tifffile

from amseg_keras.read import open_stack

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")
pytest.importorskip("matplotlib")

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
FRAMES = 3
"""Few, so that the run is quick; the notebooks kept with their outputs were run on all."""


@pytest.fixture
def short_sample(tmp_path) -> Path:
    path = tmp_path / "frames.tif"
    with open_stack("sample:esrf-lpbf") as stack:
        for index in range(FRAMES):
            tifffile.imwrite(path, stack[index], append=True, photometric="minisblack")
    return path


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs(path, short_sample, tmp_path):
    notebook = nbformat.read(path, 4)
    (parameters,) = (
        cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())
    )
    parameters.source += f"\nFRAMES = {short_sample.name!r}"
    runner = nbclient.NotebookClient(
        notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    runner.execute()
    assert tifffile.imread(tmp_path / "results" / "labels.tif").shape[0] == FRAMES
    assert (tmp_path / "results" / "frames.csv").read_text().count("\n") == FRAMES + 1


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_kept_executed_without_errors(path):
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output.output_type for cell in cells for output in cell.outputs}
    assert "error" not in kinds
    assert "display_data" in kinds
