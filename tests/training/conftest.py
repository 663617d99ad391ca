"""A small labelled data set, and networks small enough to train in a test."""

import pytest
from small_sets import make_dataset, small_network

from amseg_keras.models.networks import NETWORKS


@pytest.fixture
def small_networks(monkeypatch):
    """`amsegnet` is two convolutions, which compile in no time."""
    monkeypatch.setitem(NETWORKS, "amsegnet", small_network)


@pytest.fixture
def data(tmp_path):
    """Six sequences of two frames, split 4:1:1, `(48, 64)`: gas over plate, a bright pore."""
    return make_dataset(tmp_path / "frames", sequences=6, frames=2)
