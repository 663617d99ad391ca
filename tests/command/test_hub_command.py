"""`amseg hub` against a Hub on loopback, in processes whose output must not hold the token."""

import os
import pty
import subprocess
import sys
import termios

import numpy as np
import pytest
from click.testing import CliRunner
from pretrained.hub_process import TOKEN, WRONG_TOKEN, Process, with_token
from pretrained.hub_server import HubServer
from random_networks import randomise
from shallow_networks import shallow_network

from amseg_keras import Segmenter, from_pretrained
from amseg_keras.command.hub import hub
from amseg_keras.pretrained.preset import PRESET_FILES, WEIGHTS, weights_digest

REPOSITORY = "owner/small"


def amseg_hub(*arguments):
    """Exit code, what is printed, and what is said beside it."""
    done = CliRunner().invoke(hub, [str(one) for one in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    for token in (TOKEN, WRONG_TOKEN):
        assert token not in done.output
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture(scope="module")
def server():
    with HubServer(TOKEN, owner="owner") as running:
        yield running


@pytest.fixture(scope="module")
def run(server, tmp_path_factory):
    """Run a command in a process that knows the server."""
    home = tmp_path_factory.mktemp("home")
    with Process(home, HF_ENDPOINT=server.url) as process:

        def amseg(*arguments, token=TOKEN):
            return process(with_token, token, amseg_hub, *arguments)

        amseg.home = home
        yield amseg
        assert TOKEN not in process.printed
        assert WRONG_TOKEN not in process.printed


@pytest.fixture(scope="module")
def segmenter(small_segmenter):
    return Segmenter(randomise(shallow_network()), small_segmenter.info)


@pytest.fixture(scope="module")
def preset(segmenter, tmp_path_factory):
    return segmenter.save_pretrained(tmp_path_factory.mktemp("presets") / "small")


@pytest.fixture(scope="module")
def pushed(run, preset):
    code, printed, _ = run("push", preset, REPOSITORY, "--tag", "v1")
    assert code == 0
    return printed.strip()


def test_push_prints_the_address_of_the_commit(server, pushed):
    newest = server.repositories[REPOSITORY].refs
    assert pushed == f"{server.url}/{REPOSITORY}/commit/{newest['main']}"
    assert newest["v1"] == newest["main"]


def test_push_to_a_branch_of_a_private_repository(server, run, preset):
    code, _, _ = run("push", preset, "owner/hidden", "--private", "--revision", "trial")
    assert code == 0
    repository = server.repositories["owner/hidden"]
    assert repository.private
    assert WEIGHTS in repository.commits[repository.refs["trial"]]
    assert WEIGHTS not in server.files("owner/hidden")


def test_pull_gives_a_folder_that_segments_as_before(run, pushed, segmenter, frames, tmp_path):
    code, printed, _ = run(
        "pull", f"hf://{REPOSITORY}", "--revision", "v1", "-o", tmp_path / "here"
    )
    assert (code, printed.strip()) == (0, str(tmp_path / "here"))
    assert {path.name for path in (tmp_path / "here").iterdir()} == set(PRESET_FILES)
    np.testing.assert_array_equal(
        from_pretrained(tmp_path / "here").segment(frames).labels, segmenter.segment(frames).labels
    )


def test_pull_does_not_write_through_a_link(run, pushed, tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "README.md").symlink_to(tmp_path / "mine")
    assert run("pull", REPOSITORY, "-o", tmp_path / "here")[0] == 0
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (tmp_path / "here" / "README.md").is_symlink()


def test_pull_shows_its_progress_and_prints_the_folder(server, run, pushed, preset, tmp_path):
    seen, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ} | {
        "HF_HOME": str(tmp_path),
        "HF_ENDPOINT": server.url,
        "HF_TOKEN": TOKEN,
        "HF_HUB_DISABLE_XET": "1",
    }
    code = "from amseg_keras.command.hub import hub; hub()"
    done = subprocess.run(
        [sys.executable, "-c", code, "pull", REPOSITORY],
        stdout=subprocess.PIPE,
        stderr=terminal,
        text=True,
        env=environment,
    )
    shown = os.read(seen, 1 << 20).decode()
    assert done.returncode == 0, shown
    assert weights_digest(tmp_path / done.stdout.strip()) == weights_digest(preset)
    assert "100%" in shown
    assert TOKEN not in shown


def test_info_of_a_repository(server, run, pushed, preset):
    code, printed, _ = run("info", REPOSITORY)
    assert code == 0
    lines = printed.splitlines()
    assert lines[0] == REPOSITORY
    assert "  trained on  nothing: random weights" in lines
    assert f"  SHA-256     {weights_digest(preset)}" in lines
    assert "  tags        v1" in lines
    assert f"  commit      {server.repositories[REPOSITORY].refs['main']}" in lines


def test_info_of_a_folder(run, preset):
    code, printed, _ = run("info", preset)
    assert (code, printed.splitlines()[0]) == (0, "small")
    assert f"  SHA-256     {weights_digest(preset)}" in printed.splitlines()


def test_list_names_what_is_at_hand(run, pushed):
    run("pull", REPOSITORY)
    code, printed, _ = run("list")
    names = [line for line in printed.splitlines() if not line.startswith(" ")]
    assert (code, names[-1]) == (0, REPOSITORY)
    assert "amsegnet-esrf" in names


def test_list_of_an_owner_names_what_is_on_the_hub(server, run, pushed):
    server.add("owner/something-else", {"README.md": b"# no network of this package"})
    code, printed, _ = run("list", "owner", token="")
    assert (code, printed.splitlines()) == (0, [REPOSITORY])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("pull", "owner/nothing"), "amseg: owner/nothing: no such repository on the Hub"),
        (("info", "owner/nothing"), "amseg: owner/nothing: no such repository on the Hub"),
        (("info", "amsegnet-esfr"), "amseg: amsegnet-esfr: not the name of a repository"),
        (("push", "nowhere", "owner/x"), "amseg: nowhere: no preset, folder or repository"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_exit_code_1(run, arguments, expected):
    code, printed, said = run(*arguments)
    assert (code, printed) == (1, "")
    assert said.startswith(expected)
    assert said.count("\n") == 1


def test_a_wrong_token_is_named_and_not_shown(run, pushed, preset):
    code, printed, said = run("push", preset, REPOSITORY, token=WRONG_TOKEN)
    assert (code, printed) == (1, "")
    assert "the Hub answered 401" in said
    assert said.endswith("check the token (hf auth login)\n")


@pytest.mark.parametrize("arguments", [("pull", "small"), ("push", "amsegnet-esrf", "a/b/c")])
def test_what_is_no_repository_is_wrong_use(run, arguments):
    code, _, said = run(*arguments)
    assert code == 2
    assert "is not the name of a repository, which is owner/repo" in said
