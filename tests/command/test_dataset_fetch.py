"""`amseg dataset fetch` as a user types it."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from amseg_keras.command.dataset import dataset
from amseg_keras.datasets.public import SOURCES, PublicFile, PublicSource, download


def fetch(*words: object) -> Result:
    return CliRunner().invoke(dataset, ["fetch", *map(str, words)])


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "given" / "LPBF.png"
    path.parent.mkdir()
    Image.fromarray(np.zeros((256, 512), np.uint8)).save(path)
    return path


def test_without_a_name_it_lists_them():
    result = fetch()
    assert result.exit_code == 0
    for source in SOURCES.values():
        assert source.name in result.output
        assert source.licence in result.output


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["hpdc-video"], "-o DIR"),
        (["-o", "d"], "say which: hpdc-video"),
        (["cats", "-o", "d"], "esrf-test-images"),
    ],
)
def test_wrong_use_says_what_is_right(words, hint):
    result = fetch(*words)
    assert result.exit_code == 2
    assert hint in result.output


def test_a_given_file_becomes_a_data_set_once(picture, tmp_path):
    out = tmp_path / "d"
    result = fetch("esrf-test-images", "--from", picture, "-o", out)
    assert result.exit_code == 0, result.output
    assert "licence: none stated" in result.output
    assert "1 frames of 256x512, 0 with labels" in result.output
    assert (out / "images" / "esrf_lpbf_00001.tif").is_file()
    assert list(tmp_path.glob(".*")) == []
    fetched = json.loads((out / "dataset.json").read_text())["fetched"]
    assert fetched["name"] == "esrf-test-images"
    assert "e2325572" in fetched["citation"]
    again = fetch("esrf-test-images", "--from", picture, "-o", out)
    assert again.exit_code == 0
    assert "is there already, 1 frames" in again.output


def test_a_folder_with_something_else_is_refused_and_kept(picture, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    result = fetch("esrf-test-images", "--from", picture, "-o", mine)
    assert result.exit_code == 2
    assert "is not empty: give another folder" in result.output
    (mine / "dataset.json").write_text('{"class_names": ["a", "b"], "frames": []}')
    result = fetch("esrf-test-images", "--from", picture, "-o", mine)
    assert result.exit_code == 2
    assert "holds another data set: give another folder" in result.output
    result = fetch("esrf-test-images", "--from", picture, "-o", mine / "notes.txt")
    assert result.exit_code == 2
    assert (mine / "notes.txt").read_text() == "mine"


def test_bad_input_is_one_sentence_and_leaves_nothing(tmp_path):
    out = tmp_path / "d"
    missing = fetch("hpdc-video", "--from", tmp_path / "none.mp4", "-o", out)
    assert missing.exit_code == 1
    assert "none.mp4: no such file or folder; give the video file" in missing.output
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"\0" * 100)
    result = fetch("hpdc-video", "--from", bad, "-o", out)
    assert result.exit_code == 1
    assert "bad.mp4: cannot be read as a video" in result.output
    assert not out.exists()


def test_what_a_killed_fetch_left_is_replaced(picture, tmp_path):
    left = tmp_path / ".d-fetching" / "images"
    left.mkdir(parents=True)
    (left / "half.tif").write_bytes(b"half")
    (tmp_path / "d").mkdir()
    assert fetch("esrf-test-images", "--from", picture, "-o", tmp_path / "d").exit_code == 0
    assert not left.exists()
    assert not (tmp_path / "d" / "images" / "half.tif").exists()


def test_without_a_network_it_says_how_to_go_on(monkeypatch, tmp_path):
    old = SOURCES["esrf-test-images"]
    nowhere = (PublicFile("LPBF.jpg", "http://127.0.0.1:9/LPBF.jpg"),)
    terms = (old.size, old.licence, old.citation, old.page, old.from_what)
    monkeypatch.setitem(SOURCES, old.name, PublicSource(old.name, old.title, nowhere, *terms))
    monkeypatch.setitem(download.__globals__, "WAIT_S", 0.0)
    monkeypatch.setenv("AMSEG_CACHE", str(tmp_path / "cache"))
    result = fetch("esrf-test-images", "-o", tmp_path / "d")
    assert result.exit_code == 1
    last = result.output.strip().splitlines()[-1]
    assert last.startswith("amseg: http://127.0.0.1:9/LPBF.jpg: cannot be downloaded")
    assert f"download it by hand from {old.page} and give --from" in last
    assert not (tmp_path / "d").exists()


def test_the_authors_clip(real_data, tmp_path):
    clip = real_data / "hpdc_video_clip.mp4"
    result = fetch("hpdc-video", "--from", clip, "-o", tmp_path / "d")
    assert result.exit_code == 0, result.output
    assert "14 frames of 256x512, 14 with labels (background, pore)" in result.output
    assert "pore IoU 0.86" in result.output
