"""napari without a screen: a virtual one is started where there is none."""

import os
import shutil
import subprocess

import pytest

pytest.importorskip("napari", reason="needs amseg-keras[napari]")
pytest.importorskip("pytestqt", reason="needs pytest-qt")


@pytest.fixture(scope="session")
def screen():
    """Give Qt a screen that draws OpenGL; it ends when Qt leaves it, at the end of the process."""
    if os.environ.get("DISPLAY") or os.name == "nt":
        return
    server = shutil.which("Xvfb")
    if server is None:
        pytest.skip("there is no screen, and no Xvfb to make one")
    read, write = os.pipe()
    options = ["-screen", "0", "1400x1000x24", "-nolisten", "tcp", "-terminate"]
    subprocess.Popen(
        [server, "-displayfd", str(write), *options], pass_fds=[write], stderr=subprocess.DEVNULL
    )
    os.close(write)
    with os.fdopen(read) as pipe:
        os.environ["DISPLAY"] = f":{pipe.readline().strip()}"


@pytest.fixture(scope="session")
def qapp_args(screen):
    """Give the arguments of Qt's application, which needs the screen."""
    return ["tests"]
