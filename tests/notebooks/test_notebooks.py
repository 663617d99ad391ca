"""Every notebook is kept as it was run."""

import pytest

pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

import nbformat
from notebooks.running import NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_kept_executed_without_errors(path):
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert "error" not in {output.output_type for output in outputs}
    assert "display_data" in {output.output_type for output in outputs}
    streams = {output.name for output in outputs if output.output_type == "stream"}
    assert streams <= {"stdout"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_says_whether_its_data_are_simulated(path):
    text = " ".join(c.source for c in nbformat.read(path, 4).cells if c.cell_type == "markdown")
    assert "simulated" in text.lower()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_has_one_cell_of_parameters(path):
    tags = [cell.metadata.get("tags", []) for cell in nbformat.read(path, 4).cells]
    assert sum("parameters" in of_cell for of_cell in tags) == 1
