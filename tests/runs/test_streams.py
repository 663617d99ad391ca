"""Frames read ahead and files written behind: in order, with their errors, and not too many."""

import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import h5py
import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
import zarr

from amseg_keras.classes import CLASS_NAMES, IGNORE
from amseg_keras.preprocess import GreyRange
from amseg_keras.read import ReadError, open_stack
from amseg_keras.report import overlay as overlays
from amseg_keras.report.label_files import read_zarr, write_hdf5, write_zarr
from amseg_keras.runs import RunSettings, run_stack
from amseg_keras.runs.streams import ReadAhead, WriteBehind


class Recording:
    """Frames that count how often they are read; some are damaged."""

    def __init__(self, count, damaged=()):
        self.shape = (count, 2, 3)
        self.damaged = set(damaged)
        self.read = []

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        self.read.append(index)
        if index in self.damaged:
            raise ReadError(f"frame {index} is damaged")
        return np.full(self.shape[1:], index, np.uint16)


def settled(recording):
    """How many frames have been read once no more are."""
    count = -1
    while count != len(recording.read):
        count = len(recording.read)
        time.sleep(0.05)
    return count


def test_frames_come_as_they_are_and_each_is_read_once():
    recording = Recording(9)
    with ReadAhead(recording, range(9), ahead=3) as frames:
        assert [int(frames[index][0, 0]) for index in range(9)] == list(range(9))
        assert [int(frames.take(index)[0, 0]) for index in range(9)] == list(range(9))
    assert recording.read == list(range(9))


def test_no_more_frames_are_read_ahead_than_asked():
    recording = Recording(100)
    with ReadAhead(recording, range(100), ahead=4) as frames:
        assert settled(recording) == 4
        frames.take(0)
        assert settled(recording) == 4  # the reader wakes up for half of them
        frames.take(1)
        assert settled(recording) == 6
    assert settled(recording) == 6


def test_an_error_is_raised_at_its_frame_and_not_before():
    with ReadAhead(Recording(6, damaged=[3]), range(6), ahead=6) as frames:
        for index in (0, 1, 2, 4, 5):
            assert frames[index][0, 0] == index
        with pytest.raises(ReadError, match="frame 3 is damaged"):
            frames[3]
        assert frames.take(3) is None


def test_frames_out_of_turn_and_twice_are_given_too():
    recording = Recording(50)
    with ReadAhead(recording, range(10, 50), ahead=2) as frames:
        assert [int(frames[index][0, 0]) for index in (40, 3, 12, 12, 49)] == [40, 3, 12, 12, 49]


def test_items_arrive_in_order_in_another_thread():
    def write(items):
        return threading.get_ident(), list(items)

    with WriteBehind(write, behind=2) as writer:
        for item in range(20):
            writer.put(item)
        thread, items = writer.result()
    assert items == list(range(20))
    assert thread != threading.get_ident()


def test_what_writing_raises_is_raised_where_items_are_put():
    def write(items):
        next(items)
        raise OSError("disk full")

    with WriteBehind(write, behind=1) as writer, pytest.raises(OSError, match="disk full"):
        for item in range(100):
            writer.put(item)


def test_a_writer_that_is_left_sees_its_items_fail():
    ends = []

    def write(items):
        try:
            for _ in items:
                pass
        except Exception as error:
            ends.append(error)
            raise

    with pytest.raises(KeyError), WriteBehind(write, behind=1) as writer:
        writer.put(1)
        raise KeyError
    assert len(ends) == 1


@pytest.fixture
def stack_file(tmp_path):
    rng = np.random.default_rng(3)
    frames = np.cumsum(rng.normal(0, 60, (11, 64, 96)), axis=1) + 2000
    path = tmp_path / "movie.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset("data", frames.shape, np.uint16, chunks=(1, 64, 96))
        for index, frame in enumerate(frames.astype(np.uint16)):
            if index != 5:  # never written: what a recording that stopped leaves
                data[index] = frame
    return path


def run(segmenter, path, folder, progress=lambda done: None, **settings):
    with open_stack(path) as stack:
        return run_stack(
            stack, segmenter, "digest", folder, RunSettings(batch_size=2, **settings), progress
        )


def test_a_damaged_frame_in_the_middle_is_named_and_left_out(small_segmenter, stack_file, tmp_path):
    record = run(small_segmenter, stack_file, tmp_path / "out")
    (failed,) = record["unreadable_frames"]
    assert failed["frame"] == 5
    labels = tifffile.imread(tmp_path / "out" / "labels.tif")
    assert [int((frame == IGNORE).all()) for frame in labels] == [0] * 5 + [1] + [0] * 5
    assert len(iio.imread(tmp_path / "out" / "overlay.mp4", plugin="pyav")) == 10


@pytest.mark.parametrize("label_format", ["tiff", "png", "hdf5", "zarr"])
def test_a_killed_run_leaves_no_half_written_file(
    small_segmenter, stack_file, tmp_path, label_format
):
    def kill(done):
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(small_segmenter, stack_file, tmp_path / "out", kill, label_format=label_format)
    left = {path.name for path in (tmp_path / "out").iterdir()} - {"labels"}
    assert left == {".unfinished"}


def test_what_a_kill_left_half_written_is_gone_afterwards(small_segmenter, stack_file, tmp_path):
    out = tmp_path / "out"
    (out / ".labels-0123abcd.zarr").mkdir(parents=True)
    (out / ".labels-0123abcd.tif").write_bytes(b"II*")
    run(small_segmenter, stack_file, out)
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(("drawn", "shown"), [(None, 10), (4, 4), (2000, 10)])
def test_as_many_frames_are_drawn_as_the_user_wants(
    small_segmenter, stack_file, tmp_path, drawn, shown
):
    run(small_segmenter, stack_file, tmp_path / "out", drawn=drawn)
    assert len(iio.imread(tmp_path / "out" / "overlay.mp4", plugin="pyav")) == shown


def test_no_overlay_is_no_file(small_segmenter, stack_file, tmp_path):
    record = run(small_segmenter, stack_file, tmp_path / "out", drawn=0)
    assert record["outputs"] == ["labels.tif", "frames.csv", "bounds.npz", "run.json"]
    assert not list((tmp_path / "out").glob("overlay*"))


@pytest.fixture
def labels():
    maps = np.random.default_rng(0).integers(0, 5, (37, 20, 31)).astype(np.uint8)
    maps[1] = IGNORE
    return maps


def test_zarr_labels_are_read_by_the_zarr_package(labels, tmp_path):
    (tmp_path / "labels.zarr").mkdir()
    assert write_zarr(tmp_path, iter(labels), labels.shape, CLASS_NAMES) == "labels.zarr"
    array = zarr.open_array(tmp_path / "labels.zarr", mode="r")
    np.testing.assert_array_equal(array[:], labels)
    assert tuple(array.attrs["class_names"]) == CLASS_NAMES
    assert array.chunks == (16, 20, 31)
    assert [path.name for path in tmp_path.iterdir()] == ["labels.zarr"]


def test_zarr_labels_come_back_frame_by_frame(labels, tmp_path):
    write_zarr(tmp_path, iter(labels), labels.shape, CLASS_NAMES)
    shape, dtype, frames = read_zarr(tmp_path / "labels.zarr")
    assert (shape, dtype) == (labels.shape, np.uint8)
    np.testing.assert_array_equal(list(frames), labels)


def test_without_the_zarr_package_the_error_says_what_to_install(labels, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ImportError, match=r"pip install 'amseg-keras\[zarr\]'"):
        write_zarr(tmp_path, iter(labels), labels.shape, CLASS_NAMES)
    assert not list(tmp_path.iterdir())


def test_hdf5_labels_are_compressed_by_frame(labels, tmp_path):
    smooth = np.repeat(np.repeat(labels, 8, axis=1), 8, axis=2)
    write_hdf5(tmp_path, iter(smooth), smooth.shape, CLASS_NAMES)
    with h5py.File(tmp_path / "labels.h5") as file:
        assert (file["labels"].chunks, file["labels"].compression) == ((1, 160, 248), "gzip")
        assert file["labels"].id.get_storage_size() < smooth.size / 10
        np.testing.assert_array_equal(file["labels"], smooth)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colours_from_the_table_are_those_computed_pixel_by_pixel(dtype):
    rng = np.random.default_rng(0)
    frame = rng.integers(0, np.iinfo(dtype).max + 1, (40, 50)).astype(dtype)
    ids = rng.choice([0, 1, 2, 3, 4, 5, IGNORE], frame.shape).astype(np.uint8)
    grey_range = GreyRange(*np.percentile(frame, [10, 90]).tolist(), 1.0)
    picture = overlays.overlay(frame, ids, CLASS_NAMES, grey_range)
    as_real = overlays.overlay(frame.astype(np.float64), ids, CLASS_NAMES, grey_range)
    np.testing.assert_array_equal(picture, as_real)


STREAM = """
import resource, sys
from pathlib import Path
import h5py, numpy as np, keras
from amseg_keras import Segmenter
from amseg_keras.classes import CLASS_NAMES
from amseg_keras.preprocess import GreyScaling
from amseg_keras.pretrained import PresetInfo
from amseg_keras.read import open_stack
from amseg_keras.runs import RunSettings, run_stack
from shallow_networks import shallow_network
folder, frames = Path(sys.argv[1]), int(sys.argv[2])
some = np.random.default_rng(0).integers(0, 4000, (16, 256, 512)).astype("uint16")
with h5py.File(folder / "long.h5", "w") as file:
    data = file.create_dataset("data", (frames, 256, 512), "uint16", chunks=(1, 256, 512))
    for index in range(frames):
        data[index] = some[index % 16]
segmenter = Segmenter(shallow_network(), PresetInfo("t", CLASS_NAMES, GreyScaling(), 4.3, "no"))
with open_stack(folder / "long.h5") as stack:
    run_stack(stack, segmenter, "d", folder / "out", RunSettings("hdf5"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_stack(tmp_path):
    script = tmp_path / "stream.py"
    script.write_text(textwrap.dedent(STREAM))
    peaks = []
    for frames in (300, 3000):
        folder = tmp_path / str(frames)
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, script, folder, str(frames)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )
        peaks.append(int(done.stdout.split()[-1]))
    assert peaks[1] < 2000
    assert peaks[1] - peaks[0] < 150
