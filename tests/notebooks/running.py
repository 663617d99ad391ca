"""Run a notebook with other values for its parameters, and give what its cells print."""

import contextlib
import glob
import io
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import nbclient
import nbformat
import pytest
from click.testing import CliRunner
from IPython.core.inputtransformer2 import TransformerManager
from IPython.utils.text import FullEvalFormatter

from amseg_keras.command import main

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def notebook(number: int) -> Path:
    (path,) = (path for path in NOTEBOOKS if path.name.startswith(f"{number}_"))
    return path


def execute(path: Path, folder: Path, **parameters: Any) -> str:
    """Run all cells in this process, which has imported the backend already.

    `folder` is the working directory, and no real frames are found. The cell tagged "parameters" is
    followed by assignments of `parameters`. An error in a cell is raised.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    names["get_ipython"] = lambda: _Shell(names)
    transform = TransformerManager().transform_cell
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        patch.chdir(folder)
        patch.setenv("AMSEG_TEST_DATA", str(folder / "nowhere"))
        for cell in _with(path, parameters).cells:
            if cell.cell_type == "code":
                exec(compile(transform(cell.source), path.name, "exec"), names)
    plt.close("all")
    return out.getvalue()


def execute_in_kernel(path: Path, folder: Path, **parameters: Any) -> str:
    """The same in a clean kernel, as a reader runs it."""
    read = _with(path, parameters)
    resources = {"metadata": {"path": str(folder)}}
    client = nbclient.NotebookClient(read, timeout=300, kernel_name="python3", resources=resources)
    executed = client.execute(env=os.environ | {"AMSEG_TEST_DATA": str(folder / "nowhere")})
    outputs = (output for cell in executed.cells for output in cell.get("outputs", ()))
    return "".join(output.text for output in outputs if output.output_type == "stream")


def _with(path: Path, parameters: dict[str, Any]) -> nbformat.NotebookNode:
    read = nbformat.read(path, 4)
    (cell,) = (cell for cell in read.cells if "parameters" in cell.metadata.get("tags", ()))
    cell.source += "".join(f"\n{name} = {value!r}" for name, value in parameters.items())
    return read


class _Shell:
    """Runs the commands of a notebook, `!{amseg} ...`, in this process; magics do nothing."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._names = names

    def run_line_magic(self, name: str, line: str) -> None:
        pass

    def system(self, command: str) -> None:
        print(*self.getoutput(command), sep="\n")

    def getoutput(self, command: str) -> list[str]:
        words = shlex.split(FullEvalFormatter().format(command, **self._names))
        log = words[-1] if words[-2] == "2>" else None
        words = words[:-2] if log else words
        assert words[:3] == [sys.executable, "-m", "amseg_keras"]
        arguments = [
            path
            for word in words[3:]
            for path in (sorted(glob.glob(word)) if "*" in word else [word])
        ]
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code == 0, done.output
        if log:
            Path(log).write_text(done.stderr, "utf-8")
        return done.stdout.splitlines()
