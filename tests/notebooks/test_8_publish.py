"""Notebook 8: to a Hub and back, the Hub being a server on loopback."""

import pandas as pd
import pytest
from click.testing import CliRunner
from huggingface_hub import ModelCard
from pretrained.hub_process import TOKEN
from pretrained.hub_server import HubServer

from amseg_keras.command import main
from amseg_keras.pretrained.preset import PRESET_FILES, WEIGHTS

pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

from notebooks.running import execute_in_kernel, notebook

pytestmark = pytest.mark.slow  # a kernel whose client of the Hub reads its settings on import
REPOSITORY = "somebody/melt"


@pytest.fixture(scope="module")
def server():
    with HubServer(TOKEN, owner="somebody") as running:
        yield running


@pytest.fixture(scope="module")
def run(server, start, tmp_path_factory):
    """What the notebook printed, and the folder of its results."""
    folder = tmp_path_factory.mktemp("publish")
    simulate = "simulate --facility aps --process welding --frames 3 --seed 6 --shape 64x96 -o"
    CliRunner().invoke(main, [*simulate.split(), str(folder / "frames")], catch_exceptions=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_TOKEN", TOKEN)
        patch.setenv("HF_HOME", str(folder / "home"))
        patch.setenv("HF_HUB_DISABLE_XET", "1")
        patch.delenv("HF_HUB_OFFLINE", raising=False)
        printed = execute_in_kernel(
            notebook(8),
            folder,
            OWNER="somebody",
            NAME="melt",
            ENDPOINT=server.url,
            DATA="frames",
            MODEL=str(start),
            EPOCHS=1,
            LICENCE="mit",
        )
    return printed, folder / "results" / "publish"


def test_the_preset_is_published_with_its_card(server, run):
    files = server.files(REPOSITORY)
    assert set(files) == {*PRESET_FILES, ".gitattributes"}
    card = ModelCard(server.repositories[REPOSITORY].commits[_v1(server)]["README.md"].decode())
    assert card.data.license == "mit"
    assert "answered for by somebody" in card.text
    assert f'from_pretrained("{REPOSITORY}")' in card.text


def test_what_is_pulled_is_what_was_pushed(server, run):
    _, results = run
    pulled = (results / "pulled" / WEIGHTS).read_bytes()
    assert pulled == (results / "melt" / "preset" / WEIGHTS).read_bytes()
    assert pulled == server.repositories[REPOSITORY].commits[_v1(server)][WEIGHTS]
    assert pd.read_csv(results / "same.csv")["the same labels"].all()


def test_an_older_version_stays_what_it_was(server, run):
    _, results = run
    assert server.files(REPOSITORY)[WEIGHTS] != (results / "pulled" / WEIGHTS).read_bytes()
    versions = pd.read_csv(results / "versions.csv", index_col=0)
    assert versions.loc["pushed first", "v1"] == 1
    assert versions.loc["pushed second", "newest"] == 1


def test_neither_the_token_nor_the_address_is_printed(server, run):
    text, _ = run
    assert f"{REPOSITORY} on a local stand-in for the Hub" in text
    assert f"/{REPOSITORY}/commit/" in text
    assert TOKEN not in text
    assert server.url not in text


def _v1(server):
    return server.repositories[REPOSITORY].refs["v1"]
