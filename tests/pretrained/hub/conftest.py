"""A Hub on loopback with one preset, and two processes that push to it and pull from it."""

from pathlib import Path

import pytest
from pretrained.hub_calls import REPOSITORY, push
from pretrained.hub_process import TOKEN, Process
from pretrained.hub_server import HubServer
from random_networks import randomise
from shallow_networks import shallow_network

from amseg_keras import Segmenter
from amseg_keras.pretrained import hub


@pytest.fixture(scope="module")
def server():
    with HubServer(TOKEN, owner="owner") as running:
        yield running


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def pusher(server, home):
    """It shares the cache of the process that pulls, and puts nothing there by pushing."""
    with Process(home, HF_ENDPOINT=server.url) as process:
        yield process


@pytest.fixture(scope="module")
def puller(server, pusher, home):
    """A process with an empty cache."""
    with Process(home, HF_ENDPOINT=server.url) as process:
        yield process


@pytest.fixture(scope="module")
def segmenter(small_segmenter):
    return Segmenter(randomise(shallow_network()), small_segmenter.info)


@pytest.fixture(scope="module")
def other_segmenter(small_segmenter):
    """The same network with other weights."""
    return Segmenter(randomise(shallow_network(), seed=5), small_segmenter.info)


@pytest.fixture(scope="module")
def preset(segmenter, tmp_path_factory):
    return segmenter.save_pretrained(tmp_path_factory.mktemp("presets") / "small")


@pytest.fixture(scope="module")
def other_preset(other_segmenter, tmp_path_factory):
    return other_segmenter.save_pretrained(tmp_path_factory.mktemp("presets") / "other")


@pytest.fixture(scope="module")
def commits(server, pusher, puller, preset, other_preset):
    """The commits of two pushes to the main branch, the first tagged v1, and one to a branch."""
    first = Path(pusher(hub.push, other_preset, REPOSITORY, False, None, "v1")).name
    second = Path(pusher(push, preset, REPOSITORY)).name
    on_branch = Path(pusher(push, other_preset, REPOSITORY, "trials/other")).name
    return first, second, on_branch


@pytest.fixture
def expected(segmenter, frames):
    """What the newest push must give, wherever it is loaded."""
    return segmenter.segment(frames).labels


@pytest.fixture
def like_pushed(server, commits):
    """Make a repository of this name with the files of the newest push."""

    def make(name, **settings):
        server.add(name, server.files(REPOSITORY), **settings)
        return name

    return make
