"""Two runs are the same if their input holds the same, whatever it is called and wherever it is."""

import os
import shutil

import h5py
import numpy as np
import pytest
import tifffile

from amseg_keras.outputs import RunIdentity, input_content, input_place, stack_identity
from amseg_keras.outputs.identity import WHOLE_BYTES
from amseg_keras.read import open_stack


def identity(path, **settings):
    with open_stack(path) as stack:
        return stack_identity(stack, settings)


@pytest.fixture
def scan(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (6, 32, 48)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "scan.tif", frames, photometric="minisblack")
    return tmp_path / "scan.tif"


def written_over(path):
    frames = np.asarray(tifffile.imread(path))
    tifffile.imwrite(path, frames[..., ::-1].copy(), photometric="minisblack")


def test_a_copy_elsewhere_is_the_same_input(scan, tmp_path):
    record = identity(scan).as_json()
    (tmp_path / "disk").mkdir()
    shutil.copy(scan, tmp_path / "disk" / "renamed.tif")
    assert identity(tmp_path / "disk" / "renamed.tif").difference(record) is None


def test_a_file_that_was_only_touched_is_the_same_input(scan):
    record = identity(scan).as_json()
    os.utime(scan, (1, 1))
    assert identity(scan).difference(record) is None


def test_a_file_that_was_written_over_changed(scan):
    record = identity(scan).as_json()
    written_over(scan)
    assert identity(scan).difference(record) == f"{scan} changed since then"


def test_another_recording_of_the_same_name_is_another_input(scan, tmp_path):
    record = identity(scan).as_json()
    (tmp_path / "day2").mkdir()
    other = tmp_path / "day2" / "scan.tif"
    shutil.copy(scan, other)
    written_over(other)
    assert identity(other).difference(record) == f"it was made from another input, {scan}"


def test_a_change_that_keeps_size_and_time_is_seen(scan):
    record = identity(scan).as_json()
    before = scan.stat()
    written_over(scan)
    os.utime(scan, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert scan.stat().st_size == before.st_size
    assert "changed since then" in identity(scan).difference(record)


def sequence(folder, order):
    folder.mkdir()
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (4, 16, 16)).astype(np.uint8)
    for number, index in enumerate(order):
        tifffile.imwrite(folder / f"f_{number}.tif", frames[index])
    return folder


def test_the_order_of_a_sequence_counts(tmp_path):
    record = identity(sequence(tmp_path / "a", [0, 1, 2, 3])).as_json()
    assert identity(sequence(tmp_path / "same", [0, 1, 2, 3])).difference(record) is None
    assert identity(sequence(tmp_path / "other", [1, 0, 2, 3])).difference(record)


def test_a_frame_more_is_another_input(tmp_path):
    folder = sequence(tmp_path / "a", [0, 1, 2])
    record = identity(folder).as_json()
    shutil.copy(folder / "f_0.tif", folder / "f_3.tif")
    assert "changed since then" in identity(folder).difference(record)


def test_another_dataset_of_the_same_file_is_another_input(tmp_path):
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["a"] = file["b"] = np.zeros((3, 16, 16), np.uint8)
    record = identity(f"{tmp_path / 'scan.h5'}::/a").as_json()
    difference = identity(f"{tmp_path / 'scan.h5'}::/b").difference(record)
    assert difference == 'dataset was "/a" and is now "/b"'


def test_the_sources_of_a_virtual_dataset_count(tmp_path):
    with h5py.File(tmp_path / "part.h5", "w") as file:
        file["data"] = np.zeros((3, 16, 16), np.uint8)
    layout = h5py.VirtualLayout((3, 16, 16), np.uint8)
    layout[:] = h5py.VirtualSource("part.h5", "data", (3, 16, 16))
    with h5py.File(tmp_path / "master.h5", "w") as file:
        file.create_virtual_dataset("data", layout)
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["entry"] = h5py.ExternalLink("master.h5", "data")
    for name in ("master.h5::/data", "link.h5::/entry"):
        record = identity(tmp_path / name).as_json()
        with h5py.File(tmp_path / "part.h5", "r+") as file:
            file["data"][1] += 1
        assert "changed since then" in identity(tmp_path / name).difference(record)


def test_other_settings_are_named(scan):
    record = identity(scan, weights_sha256="a", batch_size=2).as_json()
    difference = identity(scan, weights_sha256="a", batch_size=4).difference(record)
    assert difference == "batch_size was 2 and is now 4"


def test_a_record_of_an_earlier_version_is_not_taken_for_the_same(scan):
    record = identity(scan).as_json()
    del record["result_format"]
    assert "another version of amseg" in identity(scan).difference(record)


@pytest.fixture
def large(tmp_path):
    path = tmp_path / "large.raw"
    with path.open("wb") as file:
        file.truncate(20 * 10**9)  # takes no space on the disk
    return path


def test_of_twenty_gigabytes_samples_are_read(large):
    content = input_content([large])
    assert content.sampled
    assert content.bytes == 20 * 10**9


@pytest.mark.parametrize("place", [0, 20 * 10**9 - 1], ids=["first", "last"])
def test_the_ends_of_a_large_file_are_among_the_samples(large, place):
    before = input_content([large])
    with large.open("r+b") as file:
        file.seek(place)
        file.write(b"x")
    assert not input_content([large]).same_content(before)


def test_a_large_file_that_was_written_to_is_not_trusted(large):
    before = input_content([large])
    with large.open("r+b") as file:
        file.seek(10**9 + 7)  # between two samples
        file.write(b"x")
    os.utime(large, (10, 10))
    found = RunIdentity("large.raw", input_content([large]))
    record = RunIdentity("large.raw", before).as_json()
    assert "was written to since then" in found.difference(record)


def test_a_large_file_that_was_moved_is_the_same(large, tmp_path):
    before = RunIdentity("large.raw", input_content([large])).as_json()
    large.rename(tmp_path / "moved.raw")
    os.utime(tmp_path / "moved.raw", (10, 10))
    moved = RunIdentity("moved.raw", input_content([tmp_path / "moved.raw"]))
    assert moved.difference(before) is None


def test_files_together_above_the_limit_are_sampled(tmp_path):
    paths = [tmp_path / f"{index:03}.raw" for index in range(300)]
    for path in paths:
        with path.open("wb") as file:
            file.truncate(WHOLE_BYTES // 200)
    before = input_content(paths)
    assert before.sampled
    with paths[-1].open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"x")
    assert not input_content(paths).same_content(before)


def test_places_moved_together_stay_the_same(tmp_path):
    (tmp_path / "a" / "scan").mkdir(parents=True)
    before = RunIdentity("scan", input_place(tmp_path / "a" / "scan", tmp_path / "a" / "out"))
    record = before.as_json()
    (tmp_path / "a").rename(tmp_path / "b")
    after = RunIdentity("scan", input_place(tmp_path / "b" / "scan", tmp_path / "b" / "out"))
    assert after.difference(record) is None
    other = RunIdentity("x", input_place(tmp_path / "b" / "x", tmp_path / "b" / "out"))
    assert "from another input" in other.difference(record)
