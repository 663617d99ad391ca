"""A running demo with small networks of random weights."""

from dataclasses import dataclass

import pytest
from random_networks import randomise
from small_sets import small_network

from amseg_keras import Segmenter
from amseg_keras.classes import CLASS_NAMES
from amseg_keras.demo.limits import Limits
from amseg_keras.demo.networks import Networks
from amseg_keras.demo.page import build_page
from amseg_keras.demo.serve import launch_options
from amseg_keras.preprocess import GreyScaling
from amseg_keras.pretrained import PresetInfo

PIXEL_SIZE_UM = 4.31


@dataclass(frozen=True)
class Demo:
    """A page that is served, and the network that it offers first."""

    url: str
    segmenter: Segmenter


@pytest.fixture(scope="session")
def tiny_segmenter():
    info = PresetInfo("tiny", CLASS_NAMES, GreyScaling(), PIXEL_SIZE_UM, "nothing: random weights")
    return Segmenter(randomise(small_network(5)), info)


@pytest.fixture(scope="session")
def tiny_presets(tiny_segmenter, tmp_path_factory):
    """The folders of two presets, `tiny` and `tiny-lite`."""
    folder = tmp_path_factory.mktemp("presets")
    return [tiny_segmenter.save_pretrained(folder / name) for name in ("tiny", "tiny-lite")]


@pytest.fixture(scope="session")
def upload_folder(tmp_path_factory):
    """Where the demo keeps what belongs to its visitors."""
    folder = tmp_path_factory.mktemp("uploads")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        yield folder


@pytest.fixture(scope="session")
def demo(tiny_segmenter, tiny_presets, upload_folder):
    limits = Limits(upload_mb=1, frames=300, frame_pixels=1 << 17)
    page = build_page(Networks(tiny_presets), limits, longest_s=60)
    page.launch(**launch_options(limits))
    try:
        yield Demo(page.local_url.rstrip("/"), tiny_segmenter)
    finally:
        page.close(verbose=False)
