"""The ESRF test images and the APS keyhole."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from amseg_keras.datasets import open_dataset
from amseg_keras.datasets.label_image import read_label_image
from amseg_keras.datasets.public import SOURCES, make_dataset
from amseg_keras.read import ReadError


def keyhole_frames(folder, count: int) -> np.ndarray:
    """Write frames in which a bright slot moves through a plate; where it is, bool."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:120, :300]
    truth = []
    for index in range(count):
        slot = (y >= 30) & (y < 70) & (np.abs(x - 40 - 9 * index) < 6)
        grey = np.where(y < 30, 500, 1500) * np.where(slot, 1.2, 1.0)
        # A speck below the surface and a flash above it are no keyhole.
        grey[100:104, 10 + index : 14 + index] *= 1.3
        grey[10:20, index * 9 : index * 9 + 30] *= 1.5
        grey += rng.normal(0, 30, grey.shape)  # as noisy for its contrast as the real frames
        folder.mkdir(exist_ok=True)
        tifffile.imwrite(folder / f"shot ({index + 1}).tif", grey.astype(np.uint16))
        truth.append(slot)
    return np.stack(truth)


def test_a_moving_keyhole_is_labelled_and_nothing_else(tmp_path):
    truth = keyhole_frames(tmp_path / "shot", 20)
    made = make_dataset("aps-ti64-ampere", tmp_path / "shot", tmp_path / "d")
    assert [frame.frame for frame in made.frames] == list(range(1, 21))
    assert made.frames[9].other["published_as"] == "shot (10).tif"
    again = open_dataset(tmp_path / "d")
    for frame, slot in zip(again.frames, truth, strict=True):
        labels = again.labels(frame)
        found = labels == 2
        assert (found & slot).sum() / (found | slot).sum() > 0.85
        assert (labels[:29] == 0).all()
        assert (labels[31:][~slot[31:] & ~found[31:]] == 1).all()
        assert not found[100:].any()


def test_too_few_frames_are_refused(tmp_path):
    keyhole_frames(tmp_path / "shot", 5)
    with pytest.raises(ReadError, match="shot: holds no sequence of at least 15"):
        make_dataset("aps-ti64-ampere", tmp_path / "shot", tmp_path / "d")


def test_frames_without_a_plate_are_refused(tmp_path):
    (tmp_path / "flat").mkdir()
    for index in range(16):
        tifffile.imwrite(tmp_path / f"flat/{index:03}.tif", np.full((60, 80), 700, np.uint16))
    with pytest.raises(ReadError, match="flat: shows no straight edge"):
        make_dataset("aps-ti64-ampere", tmp_path / "flat", tmp_path / "d")


def test_the_aps_labels_agree_with_those_made_before(real_data, tmp_path):
    made = make_dataset("aps-ti64-ampere", real_data / "aps_ti64_frames", tmp_path)
    common = either = 0
    for frame in made.frames:
        before = read_label_image(real_data / "aps_ti64_labels" / f"{frame.frame:04}.png") == 3
        found = made.labels(frame) == 2
        common, either = common + (found & before).sum(), either + (found | before).sum()
        assert (found & before).sum() / (found | before).sum() > 0.8
    assert len(made.frames) == 25
    assert common / either > 0.93


def test_the_esrf_images_are_taken_from_among_others(real_data, tmp_path):
    made = make_dataset("esrf-test-images", real_data, tmp_path)
    assert [(one.process, one.facility, one.label) for one in made.frames] == [
        ("lpbf", "esrf", None),
        ("welding", "esrf", None),
    ]
    assert {made.image(frame).shape for frame in made.frames} == {(256, 512)}
    assert made.pixel_size_um == 4.31
    # The published files are these very files, as far as their checksums are known.
    known = {file.sha256 for file in SOURCES["esrf-test-images"].files}
    assert set(made.other["fetched"]["sha256"].values()) == known


def test_one_esrf_image_is_enough_and_another_is_refused(tmp_path):
    Image.fromarray(np.zeros((256, 512), np.uint8)).save(tmp_path / "LPBF.png")
    made = make_dataset("esrf-test-images", tmp_path / "LPBF.png", tmp_path / "d")
    assert len(made.frames) == 1
    Image.fromarray(np.zeros((64, 64), np.uint8)).save(tmp_path / "welding.png")
    with pytest.raises(ReadError, match=r"welding\.png: is 64x64"):
        make_dataset("esrf-test-images", tmp_path / "welding.png", tmp_path / "d2")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReadError, match="empty: is or holds no picture"):
        make_dataset("esrf-test-images", tmp_path / "empty", tmp_path / "d3")


def test_every_source_says_what_a_user_must_know():
    for name, source in SOURCES.items():
        assert source.name == name
        assert source.licence
        assert source.citation
        names = [file.name for file in source.files]
        assert len(set(names)) == len(names)
        for file in source.files:
            assert file.url.startswith("https://")
            assert " " not in file.url
