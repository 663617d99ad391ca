"""A watch of a folder, with a small network."""

import threading

import pytest
from random_networks import randomise
from shallow_networks import shallow_network
from watching import LIMIT_S, quick

from amseg_keras import Segmenter
from amseg_keras.classes import CLASS_NAMES
from amseg_keras.preprocess import GreyScaling
from amseg_keras.pretrained import PresetInfo
from amseg_keras.runs.watch import Network, watch


@pytest.fixture(scope="module")
def network():
    info = PresetInfo("shallow", CLASS_NAMES, GreyScaling(), 4.31, "nothing: random weights")
    return Network(Segmenter(randomise(shallow_network()), info), "digest", "cpu:0")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def watched(folder, out, network):
    """Watch until `until(events)`, or `until_idle_s`; all that happened."""

    def watched(until=None, network=network, on_event=lambda event: None, **settings):
        stop, events = threading.Event(), []
        limit = threading.Timer(LIMIT_S, stop.set)
        limit.start()
        if until is None:
            settings.setdefault("until_idle_s", 0.2)
        for event in watch(folder, out, network, quick(**settings), stop):
            events.append(event)
            on_event(event)
            if until is not None and until(events):
                stop.set()
        in_time = limit.is_alive()
        limit.cancel()
        assert in_time, f"was not through in time: {events}"
        return events

    return watched
