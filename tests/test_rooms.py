"""The map of CONTRIBUTING.md: no module imports what lies above it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


def lint_imports(folder):
    """Check the contracts of `pyproject.toml` in a folder with the package."""
    command = [LINT_IMPORTS, "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_a_module_imports_only_what_lies_below_it():
    checked = lint_imports(REPOSITORY)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.slow
def test_an_import_of_what_lies_above_is_noticed(tmp_path):
    package = tmp_path / "amseg_keras"
    shutil.copytree(REPOSITORY / "amseg_keras", package, ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    with (package / "read" / "errors.py").open("a", encoding="utf-8") as file:
        file.write("\nfrom amseg_keras.runs import OutputError\n")
    checked = lint_imports(tmp_path)
    assert checked.returncode == 1
    assert "A module imports only what lies below it BROKEN" in checked.stdout
