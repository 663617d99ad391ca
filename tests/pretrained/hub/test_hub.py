"""Presets that go to a Hub and come back, through real calls of `huggingface_hub`.

The Hub is a server on loopback. Its client reads its settings on import, so pushing and pulling
happen in processes of their own.
"""

import hashlib
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from pretrained.hub_calls import REPOSITORY, keras_output, labels, run_code
from pretrained.hub_process import TOKEN, WRONG_TOKEN, with_token

from amseg_keras import PresetError
from amseg_keras.pretrained import find_preset, hub
from amseg_keras.pretrained.preset import PRESET_FILES, WEIGHTS

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
    with pytest.raises(PresetError, match=r"README\.md: (is )?a link"):
        hub.push(folder, "owner/linked")
    (folder / WEIGHTS).unlink()
    with pytest.raises(PresetError, match=r"model\.weights\.h5 is missing"):
        hub.push(folder, "owner/linked")


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
