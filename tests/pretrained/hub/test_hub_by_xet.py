"""A preset that goes to a Hub and comes back by Xet, the storage of the Hub, out of a folder."""

import pytest
from pretrained.hub_process import TOKEN, Process
from pretrained.hub_server import HubServer
from random_networks import randomise
from shallow_networks import shallow_network

from amseg_keras import Segmenter
from amseg_keras.pretrained import find_preset, hub
from amseg_keras.pretrained.preset import PRESET_FILES, WEIGHTS


@pytest.fixture
def server(tmp_path):
    (tmp_path / "storage").mkdir()
    with HubServer(TOKEN, owner="owner", xet=tmp_path / "storage") as running:
        yield running


def test_a_preset_comes_back_as_it_was_pushed(server, small_segmenter, tmp_path):
    preset = Segmenter(randomise(shallow_network()), small_segmenter.info).save_pretrained(
        tmp_path / "preset"
    )
    server.expect([preset / WEIGHTS])
    (tmp_path / "home").mkdir()
    with Process(tmp_path / "home", HF_ENDPOINT=server.url, HF_HUB_DISABLE_XET="0") as process:
        process(hub.push, preset, "owner/small", False, None, "v1")
        folder = process(find_preset, "owner/small", "v1")
        assert process(hub.push, preset, "owner/small").endswith(folder.name)
    assert {path.name for path in folder.iterdir()} == set(PRESET_FILES)
    assert (folder / WEIGHTS).read_bytes() == (preset / WEIGHTS).read_bytes()
    assert len(server.repositories["owner/small"].commits) == 2, "the first is of the repository"
    paths = [request.path for request in server.requests]
    assert any("/xet-write-token/" in path for path in paths)
    assert any("/xet-read-token/" in path for path in paths)
    assert not any(path.startswith(("/upload/", "/download/")) for path in paths)
