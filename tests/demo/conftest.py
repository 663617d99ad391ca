"""A running demo with small networks of random weights, and a browser."""

import shutil
import subprocess
from dataclasses import dataclass

import pytest
from demo_pages import segment
from demo_recordings import write_recording
from random_networks import randomise
from small_sets import small_network

from amseg_keras import Segmenter
from amseg_keras.classes import CLASS_NAMES
from amseg_keras.demo.lessons import Networks
from amseg_keras.demo.limits import Limits
from amseg_keras.demo.server import Demo, served
from amseg_keras.preprocess import GreyScaling
from amseg_keras.pretrained import PresetInfo

PIXEL_SIZE_UM = 4.31

# Of Debian's Chromium: nothing of its own on the network, so that every request is the page's.
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
)


@dataclass(frozen=True)
class Running:
    """A demo that is served, and the network that it offers first."""

    url: str
    segmenter: Segmenter
    demo: Demo


@pytest.fixture(scope="session")
def tiny_segmenter():
    info = PresetInfo("tiny", CLASS_NAMES, GreyScaling(), PIXEL_SIZE_UM, "nothing: random weights")
    return Segmenter(randomise(small_network(5)), info)


@pytest.fixture(scope="session")
def tiny_presets(tiny_segmenter, tmp_path_factory):
    """The folders of two presets, `tiny` and `tiny-other`, which find different labels."""
    folder = tmp_path_factory.mktemp("presets")
    other = Segmenter(randomise(small_network(5), seed=7), tiny_segmenter.info)
    return [
        tiny_segmenter.save_pretrained(folder / "tiny"),
        other.save_pretrained(folder / "tiny-other"),
    ]


@pytest.fixture(scope="session")
def running(tiny_segmenter, tiny_presets):
    limits = Limits(upload_mb=1, frames=300, frame_pixels=1 << 17, read_s=20)
    demo = Demo(Networks(tiny_presets), limits, grace_s=6.0)
    with served(demo) as url:
        yield Running(url, tiny_segmenter, demo)


@pytest.fixture(scope="session")
def browser():
    library = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no chromium here; install it: apt-get install chromium")
    with library.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, running):
    """Opens the page as another visitor; fails if anything but the server was asked."""
    contexts, elsewhere, broken = [], [], []

    def open_page(**options):
        # The tests look into the page with code that its own policy would refuse.
        contexts.append(browser.new_context(bypass_csp=True, **options))
        page = contexts[-1].new_page()
        page.on("request", lambda request: requested(request.url))
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.goto(running.url)
        page.wait_for_selector("html[data-ready=yes]")
        return page

    def requested(url):
        if not url.startswith((running.url, "data:", "blob:")):
            elsewhere.append(url)

    yield open_page
    for context in contexts:
        context.close()
    assert elsewhere == []
    assert broken == []


@pytest.fixture(scope="session")
def axe(tmp_path_factory):
    """The accessibility checks of axe-core, from the npm registry's client."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm here; install it to check the page with axe-core")
    folder = tmp_path_factory.mktemp("axe")
    command = [npm, "install", "--no-save", "--ignore-scripts", "--prefix", folder, "axe-core@4"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode:
        pytest.skip(f"axe-core cannot be installed: {done.stderr.strip().splitlines()[-1]}")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


@pytest.fixture
def recording(tmp_path):
    """A TIFF stack of three frames, and the frames, uint8 `(3, 64, 96)`."""
    return write_recording(tmp_path / "melt.tif", seed=3)


@pytest.fixture
def segmented(visit, recording):
    """A page with a segmented recording of three frames."""
    page = visit()
    segment(page, recording[0])
    return page
