"""napari without a screen: a virtual one is started where there is none.

These tests run in a process of their own: `pytest --confcutdir tests/napari_plugin
tests/napari_plugin`. OpenGL and TensorFlow in one process bring each other down on some machines.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ELSEWHERE = pytest.mark.skip(
    reason="in a process of their own: pytest --confcutdir tests/napari_plugin tests/napari_plugin"
)


def pytest_collection_modifyitems(items):
    if "keras" in sys.modules:
        for item in items:
            if item.path.is_relative_to(HERE):
                item.add_marker(ELSEWHERE)


@pytest.fixture(scope="session")
def real_data():
    """The folder of real frames, which do not belong to the project and may be absent."""
    folder = Path(os.environ.get("AMSEG_TEST_DATA", HERE.parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no real frames here; set AMSEG_TEST_DATA to their folder")
    return folder


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
