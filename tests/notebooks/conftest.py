"""What the notebooks that train begin with."""

import pytest
from random_networks import randomise
from shallow_networks import shallow_network

from amseg_keras import Segmenter


@pytest.fixture(scope="session")
def start(small_segmenter, tmp_path_factory):
    """Folder of a preset that trains in seconds: a shallow network with random weights."""
    folder = tmp_path_factory.mktemp("presets") / "start"
    Segmenter(randomise(shallow_network()), small_segmenter.info).save_pretrained(folder)
    return folder
