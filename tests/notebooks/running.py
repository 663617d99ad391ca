"""Run a notebook in a clean kernel, with other values for its parameters."""

import os
from pathlib import Path
from typing import Any

import nbclient
import nbformat

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def notebook(number: int) -> Path:
    (path,) = (path for path in NOTEBOOKS if path.name.startswith(f"{number}_"))
    return path


def execute(path: Path, folder: Path, **parameters: Any) -> nbformat.NotebookNode:
    """Run all cells with `folder` as the working directory, where no real frames are found.

    The cell tagged "parameters" is followed by assignments of `parameters`. A cell that fails
    raises `nbclient.exceptions.CellExecutionError`.
    """
    read = nbformat.read(path, 4)
    (cell,) = (cell for cell in read.cells if "parameters" in cell.metadata.get("tags", ()))
    cell.source += "".join(f"\n{name} = {value!r}" for name, value in parameters.items())
    resources = {"metadata": {"path": str(folder)}}
    client = nbclient.NotebookClient(read, timeout=300, kernel_name="python3", resources=resources)
    return client.execute(env=os.environ | {"AMSEG_TEST_DATA": str(folder / "nowhere")})


def printed(executed: nbformat.NotebookNode) -> str:
    """All that the cells printed."""
    outputs = (output for cell in executed.cells for output in cell.get("outputs", ()))
    return "".join(output.text for output in outputs if output.output_type == "stream")
