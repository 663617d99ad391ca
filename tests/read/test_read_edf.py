"""EDF: compressed, in series, and with headers that promise too much."""

import gzip
import subprocess

import numpy as np
import pytest
from fabio.edfimage import EdfImage

from amseg_keras.read import ReadError, find_stacks, open_stack


def write(path, frames, first=None):
    def header(k):
        return {} if first is None else {"acq_frame_nb": str(first + k)}

    image = EdfImage(data=frames[0], header=header(0))
    for k, frame in enumerate(frames[1:], 1):
        image.append_frame(data=frame, header=header(k))
    image.write(str(path))
    return path


def edf(path, *fields):
    """A file of one small frame whose header says `fields`."""
    pairs = [("DataType", "UnsignedShort"), ("ByteOrder", "LowByteFirst"), *fields]
    text = "{\n" + "".join(f"{key} = {value} ;\n" for key, value in pairs)
    path.write_bytes(text.ljust(510).encode() + b"}\n" + bytes(2 * 8 * 9))
    return path


def test_a_compressed_file_is_read(tmp_path, frames):
    stored = write(tmp_path / "a.edf", frames).read_bytes()
    (tmp_path / "b.edf.gz").write_bytes(gzip.compress(stored))
    with open_stack(tmp_path / "b.edf.gz") as stack:
        assert stack.name == "b"
        np.testing.assert_array_equal(np.stack(list(stack)), frames)


def test_files_whose_frame_numbers_go_on_are_one_recording(tmp_path, frames):
    for part in range(3):
        write(tmp_path / f"run_{part:04}.edf", frames[2 * part : 2 * part + 2], 2 * part)
    with open_stack(tmp_path) as stack:
        np.testing.assert_array_equal(np.stack(list(stack)), frames)


def test_files_whose_frame_numbers_begin_anew_are_recordings_of_their_own(tmp_path, frames):
    for part in range(3):
        write(tmp_path / f"run_{part:04}.edf", frames[2 * part : 2 * part + 2], 0)
    assert len(find_stacks([tmp_path])[0]) == 3


@pytest.mark.parametrize(
    "fields",
    [
        (("Dim_1", 9), ("Dim_2147483648", 8)),
        (("Dim_1", 4294967296), ("Dim_2", 8)),
        (("Dim_1", "9" * 300), ("Dim_2", 8)),
        (("Dim_1", 9), ("Dim_2", 8), ("EDF_BinarySize", 1 << 60)),
        (("dim_1", 1 << 20), ("DIM_2", 1 << 20)),
    ],
)
def test_a_header_that_promises_too_much_is_refused(tmp_path, fields):
    with pytest.raises(ReadError, match=r"a\.edf: the header of frame 0"):
        open_stack(edf(tmp_path / "a.edf", *fields))


@pytest.mark.parametrize("scheme", ["GzipCompression", "BzipCompression", "ZCompression", "OFFSET"])
def test_pixels_compressed_inside_are_refused_and_no_program_is_started(
    tmp_path, scheme, monkeypatch
):
    def start(*command, **options):
        raise AssertionError(f"{command} was started")

    monkeypatch.setattr(subprocess, "Popen", start)
    path = edf(tmp_path / "a.edf", ("Dim_1", 9), ("Dim_2", 8), ("Compression", scheme))
    with pytest.raises(ReadError, match=r"frame 0 declares pixels that are compressed"):
        open_stack(path)


@pytest.mark.parametrize("size", [2 * 9 * 8 // 2, 2 * 9 * 8 - 1, 2 * 9 * 8 + 512, 2000])
@pytest.mark.parametrize("key", ["Size", "EDF_BinarySize"])
def test_a_size_that_is_not_of_the_dimensions_is_refused(tmp_path, size, key):
    path = edf(tmp_path / "a.edf", ("Dim_1", 9), ("Dim_2", 8), (key, size))
    path.write_bytes(path.read_bytes() + bytes(4000))
    with pytest.raises(ReadError, match=r"declares frames of 144 bytes in blocks of"):
        open_stack(path)


@pytest.mark.parametrize("size", [144, 512])
def test_a_block_may_be_filled_up(tmp_path, size):
    path = edf(tmp_path / "a.edf", ("Dim_1", 9), ("Dim_2", 8), ("Size", size))
    path.write_bytes(path.read_bytes() + bytes(size - 144))
    with open_stack(path) as stack:
        assert stack.shape == (1, 8, 9)
