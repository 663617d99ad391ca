"""Downloads from a Hub that break, and what is left to go by without a network."""

import hashlib
import json
import socket

import numpy as np
import pytest
from pretrained.hub_calls import REPOSITORY, labels
from pretrained.hub_process import Process

from amseg_keras import PresetError
from amseg_keras.pretrained import find_preset, hub
from amseg_keras.pretrained.preset import PREPROCESSING, PRESET_FILES, WEIGHTS


def weights_in_cache(process, name):
    """The weights of a repository in the cache of a process, whole or not."""
    folder = process.cache / f"models--{name.replace('/', '--')}"
    return [*folder.glob(f"snapshots/*/{WEIGHTS}")]


# Downloads that break


def test_a_download_that_is_cut_off_goes_on_where_it_stopped(server, puller, like_pushed):
    name = like_pushed("owner/cut")
    server.faults[name, WEIGHTS] = ["cut"]
    try:
        folder = puller(find_preset, name)
    except PresetError:  # older clients go on only when asked again
        folder = puller(find_preset, name)
    assert (folder / WEIGHTS).read_bytes() == server.files(name)[WEIGHTS]
    assert any(request.range for request in server.downloads(name))


@pytest.mark.parametrize("fault", ["reset", "short"])
def test_a_broken_download_leaves_nothing_and_a_repeat_is_right(server, puller, like_pushed, fault):
    name = like_pushed(f"owner/{fault}")
    server.faults[name, WEIGHTS] = [fault]
    assert "the transfer failed" in puller.refusal(find_preset, name)
    assert not weights_in_cache(puller, name)
    folder = puller(find_preset, name)
    assert (folder / WEIGHTS).read_bytes() == server.files(name)[WEIGHTS]


@pytest.mark.parametrize("file", [WEIGHTS, "config.json"])
def test_a_file_that_is_not_what_was_announced_is_fetched_once_more(
    server, puller, like_pushed, file
):
    name = like_pushed(f"owner/other-{file}")
    server.faults[name, file] = ["other"]
    folder = puller(find_preset, name)
    assert (folder / file).read_bytes() == server.files(name)[file]


def test_a_file_that_stays_wrong_is_refused_and_not_kept(server, puller, like_pushed):
    name = like_pushed("owner/wrong")
    server.faults[name, WEIGHTS] = ["other", "other"]
    message = puller.refusal(find_preset, name)
    assert f"{WEIGHTS} arrives other than the Hub announces it" in message
    assert not weights_in_cache(puller, name)
    folder = puller(find_preset, name)
    assert (folder / WEIGHTS).read_bytes() == server.files(name)[WEIGHTS]


@pytest.mark.parametrize("damage", [lambda whole: whole[: len(whole) // 2], lambda whole: b""])
def test_a_file_damaged_in_the_cache_is_fetched_again(server, puller, like_pushed, damage):
    name = like_pushed("owner/damaged")
    folder = puller(find_preset, name)
    weights = folder / WEIGHTS
    weights.write_bytes(damage(weights.read_bytes()))
    assert puller(find_preset, name) == folder
    assert weights.read_bytes() == server.files(name)[WEIGHTS]


def test_a_branch_that_moves_between_list_and_download_gives_one_version_whole(
    server, puller, like_pushed, commits
):
    name = like_pushed("owner/moving")
    repository = server.repositories[name]
    before = server.files(name)
    repository.after_listing = repository.commits[repository.refs["main"]] | {
        PREPROCESSING: b"{}",
        WEIGHTS: b"of another version",
    }
    folder = puller(find_preset, name)
    assert repository.after_listing is None
    assert all((folder / file).read_bytes() == before[file] for file in PRESET_FILES)


def test_weights_that_are_not_those_of_the_description_are_refused(server, puller, like_pushed):
    name = like_pushed("owner/mixed")
    record = json.loads(server.files(name)[PREPROCESSING])
    record["weights_sha256"] = hashlib.sha256(b"others").hexdigest()
    changed = {PREPROCESSING: json.dumps(record).encode()}
    server.repositories[name].commit("main", server.files(name) | changed)
    message = puller.refusal(find_preset, name)
    assert "not the weights that preprocessing.json records (another SHA-256)" in message


@pytest.mark.parametrize("file", [WEIGHTS, "config.json", PREPROCESSING])
def test_a_file_that_is_too_large_is_not_downloaded(server, puller, like_pushed, file):
    name = like_pushed(f"owner/large-{file}")
    server.repositories[name].sizes[file] = 3 << 40
    message = puller.refusal(find_preset, name)
    assert message.startswith(f"{name}: its {file} is larger than")
    assert not server.downloads(name)


def test_two_processes_pull_the_same_preset_at_once(server, pusher, puller, like_pushed):
    name = like_pushed("owner/both")
    server.faults[name, WEIGHTS] = ["slow"]
    folders = [process.submit(find_preset, name) for process in (pusher, puller)]
    assert folders[0].result(60) == (folder := folders[1].result(60))
    assert (folder / WEIGHTS).read_bytes() == server.files(name)[WEIGHTS]


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_waited_for_or_named(server, puller, like_pushed, status):
    name = like_pushed(f"owner/busy-{status}")
    server.repositories[name].busy = [status]
    message = puller.refusal(find_preset, name)
    assert message.startswith(f"{name}: the Hub answered {status}")
    assert message.endswith("; try again in 1 s")
    folder = puller(find_preset, name)
    server.repositories[name].busy = [status]
    assert puller(find_preset, name) == folder, "what is in the cache is enough"


@pytest.mark.parametrize("status", ["429", "503"])
@pytest.mark.parametrize("file", [WEIGHTS, "config.json"])
def test_a_download_that_a_busy_server_refuses_ends_in_the_right_file(
    server, puller, like_pushed, status, file
):
    name = like_pushed(f"owner/refused-{status}-{file}")
    server.faults[name, file] = [status]
    try:
        folder = puller(find_preset, name)  # the client waits for itself after 429
    except PresetError as error:
        assert str(error).startswith(f"{name}: the Hub answered 503")
        assert str(error).endswith("; try again in 1 s")
        folder = puller(find_preset, name)
    assert (folder / file).read_bytes() == server.files(name)[file]


# Without a network


@pytest.fixture(
    scope="module", params=["no server", pytest.param("offline", marks=pytest.mark.slow)]
)
def cut_off(request, server, puller):
    """A process with the puller's cache that cannot reach the server."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    settings = {
        "no server": {"HF_ENDPOINT": nobody},
        "offline": {"HF_ENDPOINT": server.url, "HF_HUB_OFFLINE": "1"},
    }
    with Process(puller.cache.parent, **settings[request.param]) as process:
        yield process


def test_without_a_network_the_cache_is_enough(cut_off, puller, commits, frames, expected):
    folder = puller(find_preset, REPOSITORY)
    np.testing.assert_array_equal(cut_off(labels, REPOSITORY, frames), expected)
    assert cut_off(find_preset, REPOSITORY, commits[1]) == folder


def test_without_a_network_or_cache_the_error_says_so(cut_off, preset, frames):
    message = cut_off.refusal(labels, "owner/other", frames)
    assert "owner/other: not in the cache and the Hub cannot be reached" in message
    assert "owner/other: not pushed" in cut_off.refusal(hub.push, preset, "owner/other")


def test_without_a_network_a_damaged_file_is_removed(server, cut_off, puller, like_pushed):
    name = like_pushed("owner/damaged-offline")
    weights = puller(find_preset, name) / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:1000])
    message = cut_off.refusal(find_preset, name)
    assert f"{WEIGHTS} in the cache was damaged and has been removed" in message
    assert not weights_in_cache(puller, name)
    assert puller(find_preset, name) == weights.parent
