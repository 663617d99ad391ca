"""What all tests share: small networks, frames, and the way to the real frames."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from random_networks import randomise

from amseg_keras import Segmenter
from amseg_keras.classes import CLASS_NAMES
from amseg_keras.models import AMSegNet
from amseg_keras.preprocess import GreyScaling
from amseg_keras.pretrained import PresetInfo

REPOSITORY = Path(__file__).parents[1]

# A busy machine is no fault: examples may take as long as they take. More of them:
# pytest --hypothesis-profile=thorough
settings.register_profile("quick", deadline=None, max_examples=25)
settings.register_profile("thorough", deadline=None, max_examples=500)
settings.load_profile("quick")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real frames, which do not belong to the project and may be absent."""
    folder = Path(os.environ.get("AMSEG_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no real frames here; set AMSEG_TEST_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def small_segmenter() -> Segmenter:
    """A segmenter with an AM-SegNet of base width 2 and random weights."""
    info = PresetInfo("small", CLASS_NAMES, GreyScaling(), 4.31, "nothing: random weights")
    return Segmenter(randomise(AMSegNet(base_filters=2)), info)


@pytest.fixture
def frames() -> np.ndarray:
    """Three frames of a textured scene, uint16 `(3, 50, 70)`."""
    rng = np.random.default_rng(1)
    scene = np.cumsum(rng.normal(0, 60, (3, 50, 70)), axis=1) + 2000
    return scene.astype(np.uint16)
