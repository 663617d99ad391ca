"""Presets that go to a Hub and come back, through real calls of `huggingface_hub`.

The Hub is a server on loopback. Its client reads its settings on import, so pushing and pulling
happen in processes of their own, each with a cache of its own.
"""

import multiprocessing
import os
import socket
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import keras
import numpy as np
import pytest
from hub_server import HubServer
from huggingface_hub import constants, create_tag
from random_networks import randomise

from amseg_keras import PresetError, Segmenter, from_pretrained
from amseg_keras.models import AMSegNet
from amseg_keras.pretrained import find_preset, hub
from amseg_keras.pretrained.preset import PRESET_FILES, WEIGHTS

TOKEN = "hf_" + "secretOfTheTests" * 2
WRONG_TOKEN = "hf_" + "wrongSecretOfTheTests" * 2
REPOSITORY = "owner/small"


# What is done in the other processes


def labels(name, frames, revision=None):
    return from_pretrained(name, revision).segment(frames).labels


def push(folder, repo_id, revision=None):
    """The address of the commit."""
    return from_pretrained(folder).push_to_hub(repo_id, revision=revision)


def keras_output(name, x):
    return keras.saving.load_model(name).predict_on_batch(x)


def tag(repo_id, name, revision):
    create_tag(repo_id, tag=name, revision=revision)


def with_token(token, function, *args):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_TOKEN", token)
        return function(*args)


def start(printed):
    """Send all that this process prints, below Python too, to a file."""
    for stream in (1, 2):
        os.dup2(os.open(printed, os.O_WRONLY | os.O_APPEND), stream)
    # The weights of a small network, too, then come in several pieces.
    constants.DOWNLOAD_CHUNK_SIZE = 1 << 16


class Process:
    """A fresh Python process that runs functions of this file.

    Args:
        home: for the Hub's cache, and what the process prints.
        settings: environment variables of the Hub's client.
    """

    def __init__(self, home: Path, **settings: str):
        self.cache = home / "hub"
        self._printed = home / f"printed-{len(list(home.glob('printed-*')))}"
        self._printed.touch()
        self._pool = ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), start, (self._printed,)
        )
        with pytest.MonkeyPatch.context() as patch:
            for name in os.environ:
                if name.startswith(("HF_", "HUGGING")) or name.lower().endswith("_proxy"):
                    patch.delenv(name)
            patch.setenv("HF_HOME", str(home))
            patch.setenv("HF_TOKEN", TOKEN)
            patch.setenv("HF_HUB_DISABLE_XET", "1")
            for name, value in settings.items():
                patch.setenv(name, value)
            self._pool.submit(os.getpid).result()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._pool.shutdown()

    def __call__(self, function, *args):
        return self._pool.submit(function, *args).result(timeout=120)

    def refusal(self, function, *args) -> str:
        """The `PresetError` of a call, which must be one line and give no token away."""
        with pytest.raises(PresetError) as raised:
            self(function, *args)
        traceback = str(raised.value.__cause__)
        assert "Traceback" in traceback
        for shown in (str(raised.value), traceback, self._printed.read_text()):
            assert TOKEN not in shown
            assert WRONG_TOKEN not in shown
        assert "\n" not in str(raised.value)
        return str(raised.value)


# What every test stands on


@pytest.fixture(scope="module")
def server():
    with HubServer(TOKEN, owner="owner") as running:
        yield running


@pytest.fixture(scope="module")
def other_segmenter(small_segmenter):
    """The small segmenter with other weights."""
    return Segmenter(randomise(AMSegNet(base_filters=2), seed=5), small_segmenter.info)


@pytest.fixture(scope="module")
def preset(small_segmenter, tmp_path_factory):
    return small_segmenter.save_pretrained(tmp_path_factory.mktemp("presets") / "small")


@pytest.fixture(scope="module")
def pusher(server, tmp_path_factory):
    with Process(tmp_path_factory.mktemp("pusher"), HF_ENDPOINT=server.url) as process:
        yield process


@pytest.fixture(scope="module")
def commits(server, pusher, preset, other_segmenter, tmp_path_factory):
    """The commits of two pushes to the main branch, the first tagged v1, and one to a branch."""
    other = other_segmenter.save_pretrained(tmp_path_factory.mktemp("presets") / "other")
    first = Path(pusher(hub.push, other, REPOSITORY)).name
    pusher(tag, REPOSITORY, "v1", first)
    second = Path(pusher(push, preset, REPOSITORY)).name
    on_branch = Path(pusher(push, other, REPOSITORY, "trials/other")).name
    return first, second, on_branch


@pytest.fixture(scope="module")
def puller(server, commits, tmp_path_factory):
    """A process with an empty cache."""
    with Process(tmp_path_factory.mktemp("puller"), HF_ENDPOINT=server.url) as process:
        yield process


@pytest.fixture
def expected(small_segmenter, frames):
    """What the newest push must give, wherever it is loaded."""
    return small_segmenter.segment(frames).labels


def repository_like_pushed(server, name, **settings):
    """A repository of this name with the files of the newest push."""
    server.add(name, server.files(REPOSITORY), **settings)
    return name


def test_a_pushed_segmenter_gives_the_same_labels_in_another_process(puller, frames, expected):
    assert len(np.unique(expected)) > 2
    np.testing.assert_array_equal(puller(labels, REPOSITORY, frames), expected)
    np.testing.assert_array_equal(puller(labels, f"hf://{REPOSITORY}", frames), expected)


def test_a_commit_a_tag_or_a_branch_gives_its_own_weights(
    puller, commits, other_segmenter, frames, expected
):
    other = other_segmenter.segment(frames).labels
    assert (other != expected).any()
    first, second, on_branch = commits
    for revision in (first, "trials/other"):
        np.testing.assert_array_equal(puller(labels, REPOSITORY, frames, revision), other)
    for revision, commit in ((None, second), ("v1", first), ("trials/other", on_branch)):
        assert puller(find_preset, REPOSITORY, revision).name == commit


def test_only_the_files_of_a_preset_are_pushed(server, commits):
    assert set(server.files(REPOSITORY)) == {*PRESET_FILES, ".gitattributes"}


def test_only_the_files_of_a_preset_are_fetched(server, puller):
    extra = {"evil.pkl": b"evil", "evil.py": b"evil", "evil/config.json": b"evil"}
    server.add("owner/extra", server.files(REPOSITORY) | extra)
    folder = puller(find_preset, "owner/extra")
    assert {path.name for path in folder.rglob("*")} == set(PRESET_FILES)
    asked = [request.path for request in server.downloads("owner/extra")]
    assert {path.rpartition("/")[2] for path in asked} == set(PRESET_FILES)
    assert not any("evil" in path for path in asked)


def test_keras_itself_loads_the_repository(puller, small_segmenter):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("Keras needs TensorFlow to load from the Hub")
    x = np.random.default_rng(0).random((1, 32, 48, 1), np.float32)
    np.testing.assert_allclose(
        puller(keras_output, f"hf://{REPOSITORY}", x),
        small_segmenter.model.predict_on_batch(x),
        atol=1e-5,
    )


# Downloads that break


def test_a_download_that_is_cut_off_goes_on_where_it_stopped(server, puller):
    name = repository_like_pushed(server, "owner/cut")
    server.faults[name, WEIGHTS] = ["cut"]
    try:
        folder = puller(find_preset, name)
    except PresetError:  # older clients go on only when asked again
        folder = puller(find_preset, name)
    assert (folder / WEIGHTS).read_bytes() == server.files(name)[WEIGHTS]
    assert any(request.range for request in server.downloads(name))


@pytest.mark.parametrize("fault", ["reset", "short"])
def test_a_broken_download_leaves_nothing_and_a_repeat_is_right(server, puller, frames, fault):
    name = repository_like_pushed(server, f"owner/{fault}")
    server.faults[name, WEIGHTS] = [fault]
    assert "the transfer failed" in puller.refusal(labels, name, frames)
    assert not list(puller.cache.glob(f"models--owner--{fault}/snapshots/*/{WEIGHTS}"))
    folder = puller(find_preset, name)
    assert (folder / WEIGHTS).read_bytes() == server.files(name)[WEIGHTS]


# Without a network


@pytest.fixture(scope="module", params=["no server", "offline"])
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


# Refusals


def test_what_is_not_on_the_hub_is_named(puller, frames):
    message = puller.refusal(labels, "owner/nothing", frames)
    assert message.startswith("owner/nothing: no such repository on the Hub")
    message = puller.refusal(labels, REPOSITORY, frames, "v9")
    assert message == f"{REPOSITORY} (revision v9): the repository has no such revision"
    message = puller.refusal(labels, REPOSITORY, frames, "0" * 40)
    assert message.endswith("the repository has no such revision")
    message = puller.refusal(labels, "owner/not--allowed", frames)
    assert message.startswith("owner/not--allowed: not the name of a repository")


def test_a_repository_without_a_preset_is_named(server, puller, frames):
    server.add("owner/empty", {"evil.pkl": b"evil"})
    assert "preprocessing.json is missing" in puller.refusal(labels, "owner/empty", frames)


def test_a_repository_that_may_not_be_read_is_named(server, puller, frames):
    private = repository_like_pushed(server, "owner/private", private=True)
    gated = repository_like_pushed(server, "owner/gated", gated=True)
    assert "it is private: set HF_TOKEN" in puller.refusal(with_token, "", labels, private, frames)
    assert "check the token" in puller.refusal(with_token, WRONG_TOKEN, labels, private, frames)
    assert "ask for access" in puller.refusal(labels, gated, frames)
    assert puller(find_preset, private).is_dir()


def test_a_push_that_is_not_allowed_is_named(pusher, commits, preset):
    for token, name in ((WRONG_TOKEN, REPOSITORY), ("", REPOSITORY), (TOKEN, "elsewhere/small")):
        message = pusher.refusal(with_token, token, hub.push, preset, name)
        assert message.startswith(f"{name}: not pushed: the Hub answered 40")
        assert message.endswith("check the token (hf auth login)")


def test_a_server_that_fails_is_not_called_unreachable(server, puller, frames):
    name = repository_like_pushed(server, "owner/failing", failing=True)
    message = puller.refusal(labels, name, frames)
    assert message.startswith(f"{name}: the Hub answered 500 (Internal Error")
    assert message.endswith("; try again later")
