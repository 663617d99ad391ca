"""HDF5 beside its writer: what is there so far, and whether somebody still writes."""

import subprocess
import sys

import h5py
import numpy as np
import pytest

from amseg_keras.read import FrameStack, ReadError
from amseg_keras.read.formats.hdf5 import GrowingHdf5Reader, is_closed, is_growing

# Writes a frame of twice its number for every line it is sent, and says when each is there.
WRITER = """
import sys, h5py, numpy as np
path, libver, mode = sys.argv[1:]
with h5py.File(path, "w", libver=None if libver == "old" else libver) as file:
    frames = 6 if mode == "reserved" else 0
    data = file.create_dataset(
        "entry/data", (frames, 32, 48), "u2", maxshape=(None, 32, 48),
        chunks=(4 if mode == "several a chunk" else 1, 16, 48),
        compression="gzip",
    )
    if mode != "alone":
        file.swmr_mode = True
    print("open", flush=True)
    for number, _ in enumerate(sys.stdin):
        if mode != "reserved":
            data.resize(number + 1, 0)
        data[number] = np.full((32, 48), 2 * number, "u2")
        file.flush()
        print("there", flush=True)
"""


class Writer:
    """A process that writes a frame when it is told to."""

    def __init__(self, path, libver="latest", mode="swmr"):
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), libver, mode],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline() == "open\n"

    def write(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "there\n"

    def close(self):
        self.process.communicate(timeout=60)
        assert self.process.returncode == 0


@pytest.fixture
def path(tmp_path):
    return tmp_path / "scan.h5"


@pytest.mark.parametrize("mode", ["swmr", "several a chunk", "reserved"])
def test_frames_are_there_as_they_are_written(path, mode):
    writer = Writer(path, mode=mode)
    with pytest.raises(ReadError, match="scan"):
        GrowingHdf5Reader(path, None)
    writer.write()
    reader = GrowingHdf5Reader(path, None)
    with FrameStack("scan", str(path), reader) as stack:
        assert len(stack) == 1
        writer.write()
        writer.write()
        assert len(stack) == 1
        reader.refresh()
        assert len(stack) == 3
        assert [int(frame[31, 47]) for frame in stack] == [0, 2, 4]
        writer.close()
        reader.refresh()
        assert len(stack) == 3


def test_a_file_grows_until_its_writer_closes_it(path):
    writer = Writer(path)
    assert (is_growing(path), is_closed(path)) == (True, False)
    writer.close()
    assert (is_growing(path), is_closed(path)) == (False, True)


@pytest.mark.parametrize("libver", ["latest", "old"])
def test_a_writer_without_swmr_is_seen_until_it_closes_the_file(path, libver):
    writer = Writer(path, libver, "alone")
    writer.write()
    assert (is_growing(path), is_closed(path)) == (False, False)
    writer.close()
    assert (is_growing(path), is_closed(path)) == (False, True)


def test_a_user_block_in_front_hides_nothing(path):
    with h5py.File(path, "w", libver="latest", userblock_size=1024) as file:
        file["data"] = np.zeros((2, 32, 48))
        file.flush()
        assert not is_closed(path)
    assert is_closed(path)


def test_a_reader_does_not_keep_a_writer_out(path):
    writer = Writer(path)
    writer.write()
    writer.close()
    reader = GrowingHdf5Reader(path, None)
    code = f"import h5py; h5py.File({str(path)!r}, 'a').attrs['more'] = 1"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    reader.close()


def test_what_is_not_stored_in_chunks_is_read_when_it_is_closed(path):
    with h5py.File(path, "w", libver="latest") as file:
        file["data"] = np.zeros((2, 32, 48))
    with pytest.raises(ReadError, match="wait until its writer has closed it"):
        GrowingHdf5Reader(path, None)


def test_a_file_that_is_no_hdf5_counts_as_closed(path):
    path.write_bytes(b"text")
    assert (is_growing(path), is_closed(path)) == (False, True)
