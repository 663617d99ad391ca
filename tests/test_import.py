"""What importing the package brings in, and which backend it takes."""

import os
import subprocess
import sys

import pytest

from amseg_keras import _backend
from amseg_keras._backend import BACKENDS

HEAVY = ("gradio", "matplotlib", "pandas", "cv2", "scipy", "imageio", "fabio", "click")


def imported_by(package):
    """Which of the backends and heavy packages a fresh process has after importing a package."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys, {package}; print(*{{*sys.modules}} & {{*{BACKENDS + HEAVY}}})",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_nothing_heavy_and_no_backend_is_imported_beside_what_keras_imports():
    assert imported_by("amseg_keras") <= imported_by("keras")


@pytest.mark.parametrize("installed", BACKENDS)
def test_the_one_installed_backend_is_taken_when_none_is_configured(
    installed, monkeypatch, tmp_path
):
    monkeypatch.setenv("KERAS_BACKEND", "")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setattr(
        _backend.importlib.util, "find_spec", lambda name: name == installed or None
    )
    _backend.choose_backend()
    assert os.environ["KERAS_BACKEND"] == ("" if installed == "tensorflow" else installed)


def test_without_a_backend_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_BACKEND", "")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setattr(_backend.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'amseg-keras\[tensorflow\]'"):
        _backend.choose_backend()
