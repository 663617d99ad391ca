"""Presets that go to a Hub and come back, through real calls of `huggingface_hub`.

The Hub is a server on loopback. Its client reads its settings on import, so pushing and pulling
happen in processes of their own.
"""

import hashlib
import json
import shutil
import socket
from pathlib import Path

import keras
import numpy as np
import pytest
from pretrained.hub_process import TOKEN, WRONG_TOKEN, Process, with_token
from pretrained.hub_server import HubServer
from random_networks import randomise
from shallow_networks import shallow_network

from amseg_keras import PresetError, Segmenter, from_pretrained
from amseg_keras.pretrained import find_preset, hub
from amseg_keras.pretrained.preset import PREPROCESSING, PRESET_FILES, WEIGHTS

REPOSITORY = "owner/small"


# What is done in the other processes


def labels(name, frames, revision=None):
    return from_pretrained(name, revision).segment(frames).labels


def push(folder, repo_id, revision=None):
    """The address of the commit."""
    return from_pretrained(folder).push_to_hub(repo_id, revision=revision)


def keras_output(name, x):
    return keras.saving.load_model(name).predict_on_batch(x)


def run_code(code):
    """The variables that it leaves."""
    variables = {}
    exec(code, variables)
    return variables["result"].labels


# What every test stands on


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


def weights_in_cache(process, name):
    """The weights of a repository in the cache of a process, whole or not."""
    folder = process.cache / f"models--{name.replace('/', '--')}"
    return [*folder.glob(f"snapshots/*/{WEIGHTS}")]


# Push and pull


def test_a_pushed_segmenter_gives_the_same_labels_in_another_process(
    puller, commits, frames, expected
):
    assert len(np.unique(expected)) > 2
    np.testing.assert_array_equal(puller(labels, REPOSITORY, frames), expected)
    np.testing.assert_array_equal(puller(labels, f"hf://{REPOSITORY}", frames), expected)


def test_a_commit_a_tag_or_a_branch_gives_its_own_weights(
    puller, commits, other_segmenter, frames, expected
):
    other = other_segmenter.segment(frames).labels
    assert (other != expected).any()
    first, second, on_branch = commits
    np.testing.assert_array_equal(puller(labels, REPOSITORY, frames, "v1"), other)
    for revision, commit in (
        (None, second),
        ("v1", first),
        (first, first),
        ("trials/other", on_branch),
    ):
        assert puller(find_preset, REPOSITORY, revision).name == commit


def test_only_the_files_of_a_preset_are_pushed(server, commits):
    assert set(server.files(REPOSITORY)) == {*PRESET_FILES, ".gitattributes"}


def test_only_the_files_of_a_preset_are_fetched(server, puller, like_pushed):
    name = like_pushed("owner/extra")
    extra = {"evil.pkl": b"evil", "evil.py": b"evil", "evil/config.json": b"evil"}
    server.repositories[name].commit("main", server.files(name) | extra)
    folder = puller(find_preset, name)
    assert {path.name for path in folder.rglob("*")} == set(PRESET_FILES)
    asked = [request.path for request in server.downloads(name)]
    assert {path.rpartition("/")[2] for path in asked} == set(PRESET_FILES)
    assert not any("evil" in path for path in asked)


def test_a_repository_cannot_write_outside_the_cache(server, puller, like_pushed):
    name = like_pushed("owner/paths")
    paths = {f"{'../' * up}outside/{WEIGHTS}": b"evil" for up in range(1, 6)}
    server.repositories[name].commit("main", server.files(name) | paths)
    folder = puller(find_preset, name)
    assert {path.name for path in folder.rglob("*")} == set(PRESET_FILES)
    assert not [*puller.cache.parent.parent.rglob("outside")]


def test_keras_itself_loads_the_repository(puller, commits, segmenter):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("Keras needs TensorFlow to load from the Hub")
    x = np.random.default_rng(0).random((1, 32, 48, 1), np.float32)
    np.testing.assert_allclose(
        puller(keras_output, f"hf://{REPOSITORY}", x),
        segmenter.model.predict_on_batch(x),
        atol=1e-5,
    )


def test_the_code_in_the_card_of_a_repository_runs(server, puller, commits):
    card = server.files(REPOSITORY)["README.md"].decode()
    code = card.split("```python\n")[1].split("```")[0]
    assert f'from_pretrained("{REPOSITORY}")' in code
    assert puller(run_code, code).shape == (24, 256, 512)


# Pushing again


def uploads(server):
    return [request for request in server.requests if request.method == "PUT"]


def test_what_is_there_already_is_not_sent_again(server, pusher, preset):
    name = "owner/twice"
    commit = pusher(hub.push, preset, name)
    sent, before = len(uploads(server)), len(server.repositories[name].commits)
    assert pusher(hub.push, preset, name) == commit
    assert len(uploads(server)) == sent
    assert len(server.repositories[name].commits) == before


def test_only_the_card_is_sent_when_only_the_card_has_changed(
    server, pusher, preset, tmp_path, commits
):
    name = "owner/card"
    pusher(hub.push, preset, name)
    sent, before = len(uploads(server)), len(server.repositories[name].commits)
    changed = Path(shutil.copytree(preset, tmp_path / "changed"))
    (changed / "README.md").write_text("# A better card\n")
    pusher(hub.push, changed, name)
    assert len(uploads(server)) == sent
    assert len(server.repositories[name].commits) == before + 1
    assert server.files(name)["README.md"] == b"# A better card\n"


def test_an_interrupted_push_is_repeated(server, pusher, preset):
    name = "owner/interrupted"
    server.faults[name, "commit"] = ["cut"]
    assert f"{name}: not pushed" in pusher.refusal(hub.push, preset, name)
    sent = len(uploads(server))
    pusher(hub.push, preset, name, False, None, "v1")
    pusher(hub.push, preset, name, False, None, "v1")
    assert len(uploads(server)) == sent
    assert server.files(name)[WEIGHTS] == (preset / WEIGHTS).read_bytes()
    assert len(server.repositories[name].commits) == 2


def test_a_tag_is_not_moved_to_another_version(server, pusher, preset, other_preset):
    name = "owner/tagged"
    first = Path(pusher(hub.push, preset, name, False, None, "v1")).name
    message = pusher.refusal(hub.push, other_preset, name, False, None, "v1")
    assert message == f"{name}: pushed, but the tag v1 is that of another version; give another"
    assert server.repositories[name].refs["v1"] == first


def test_a_public_repository_is_not_taken_for_a_private_one(server, pusher, preset, like_pushed):
    name = like_pushed("owner/public")
    before = server.files(name)
    message = pusher.refusal(hub.push, preset, name, True)
    assert message.startswith(f"{name}: not pushed: the repository is there already and public")
    assert server.files(name) == before
    pusher(hub.push, preset, "owner/secret", True)
    assert server.repositories["owner/secret"].private


def test_what_is_not_a_preset_is_not_pushed(server, preset, tmp_path):
    folder = Path(shutil.copytree(preset, tmp_path / "linked"))
    (tmp_path / "secret").write_text("secret")
    (folder / "README.md").unlink()
    (folder / "README.md").symlink_to(tmp_path / "secret")
    with pytest.raises(PresetError, match=r"README\.md: a link, which is not pushed"):
        hub.push(folder, "owner/linked")
    (folder / WEIGHTS).unlink()
    with pytest.raises(PresetError, match=r"model\.weights\.h5 is missing"):
        hub.push(folder, "owner/linked")


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


def test_without_a_network_a_damaged_file_is_removed(server, cut_off, puller, like_pushed):
    name = like_pushed("owner/damaged-offline")
    weights = puller(find_preset, name) / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:1000])
    message = cut_off.refusal(find_preset, name)
    assert f"{WEIGHTS} in the cache was damaged and has been removed" in message
    assert not weights_in_cache(puller, name)
    assert puller(find_preset, name) == weights.parent


# Refusals


def test_what_is_not_on_the_hub_is_named(puller, commits):
    message = puller.refusal(find_preset, "owner/nothing")
    assert message.startswith("owner/nothing: no such repository on the Hub")
    message = puller.refusal(find_preset, REPOSITORY, "v9")
    assert message == f"{REPOSITORY} (revision v9): the repository has no such revision"
    message = puller.refusal(find_preset, REPOSITORY, "0" * 40)
    assert message.endswith("the repository has no such revision")
    message = puller.refusal(find_preset, "owner/not--allowed")
    assert message.startswith("owner/not--allowed: not the name of a repository")


def test_a_repository_without_a_preset_is_named(server, puller):
    server.add("owner/empty", {"evil.pkl": b"evil"})
    message = puller.refusal(find_preset, "owner/empty")
    assert "preprocessing.json is missing" in message


def test_a_repository_that_may_not_be_read_is_named(puller, like_pushed):
    private = like_pushed("owner/private", private=True)
    gated = like_pushed("owner/gated", gated=True)
    assert "it is private: set HF_TOKEN" in puller.refusal(with_token, "", find_preset, private)
    message = puller.refusal(with_token, WRONG_TOKEN, find_preset, private)
    assert "the Hub answered 401" in message
    assert "check the token" in message
    assert "ask for access" in puller.refusal(find_preset, gated)
    assert puller(find_preset, private).is_dir()


def test_a_push_that_is_not_allowed_is_named(pusher, preset, commits):
    for token, name in ((WRONG_TOKEN, REPOSITORY), ("", REPOSITORY), (TOKEN, "elsewhere/small")):
        message = pusher.refusal(with_token, token, hub.push, preset, name)
        assert message.startswith(f"{name}: not pushed: the Hub answered 40")
        assert message.endswith("check the token (hf auth login)")


def test_a_server_that_fails_is_not_called_unreachable(puller, like_pushed):
    name = like_pushed("owner/failing", failing=True)
    message = puller.refusal(find_preset, name)
    assert message.startswith(f"{name}: the Hub answered 500 (Internal Error")
    assert message.endswith("; try again later")


# Looking without downloading


def test_a_repository_is_described_without_its_weights(server, puller, commits, preset, segmenter):
    before = len(server.downloads(REPOSITORY))
    found = puller(hub.look, REPOSITORY, commits[0])
    asked = [request.path for request in server.downloads(REPOSITORY)[before:]]
    assert not any(WEIGHTS in path for path in asked)
    assert found.info.class_names == segmenter.class_names
    assert (found.info.name, found.commit, found.tags) == (REPOSITORY, commits[0], ("v1",))
    weights = server.repositories[REPOSITORY].commits[commits[0]][WEIGHTS]
    assert found.weights_bytes == len(weights)
    assert found.weights_sha256 == hashlib.sha256(weights).hexdigest()


def test_an_owner_has_a_list_of_presets(server, puller, like_pushed):
    with_card = like_pushed("lister/mine")
    server.add("lister/something-else", {"README.md": b"# no network of this package"})
    assert puller(hub.owned_by, "lister") == [with_card]
