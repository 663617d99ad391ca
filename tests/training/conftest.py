"""A small labelled data set, and networks small enough to train in a test."""

import pytest
from small_sets import make_dataset, small_network, small_recordings

from amseg_keras.models.networks import NETWORKS


@pytest.fixture(scope="module")
def small_networks():
    """`amsegnet` is two convolutions, which compile in no time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(NETWORKS, "amsegnet", small_network)
        yield


@pytest.fixture(scope="module")
def short_recordings():
    """Simulated recordings are short and small."""
    with pytest.MonkeyPatch.context() as patch:
        small_recordings(patch)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Six sequences of two frames, split 4:1:1, `(48, 64)`: gas over plate, a bright pore."""
    return make_dataset(tmp_path_factory.mktemp("data") / "frames", sequences=6, frames=2)
