"""What the demo takes from strangers, and what it refuses before decoding a pixel."""

import struct
import zlib
from dataclasses import replace

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from amseg_keras.demo.limits import Limits, check_file, check_stack, harmless_name, recordings_in
from amseg_keras.read import ReadError

LIMITS = Limits(upload_mb=1, frames=4, frame_pixels=2000)


def png_of(path, width, height):
    """A PNG that says how large it is and holds nothing."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(64))),
        (b"IEND", b""),
    ]
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


def refused(path):
    with pytest.raises(ReadError) as caught:
        check_file(path, LIMITS)
    assert str(caught.value).startswith(path.name)
    return str(caught.value)


@pytest.mark.parametrize("side", [100, 12_000, 60_000])
def test_a_picture_that_unpacks_to_a_huge_one_is_refused(tmp_path, side):
    assert "2,000 pixels" in refused(png_of(tmp_path / "bomb.png", side, side))


def test_a_large_page_behind_a_small_one_is_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "pages.tif") as file:
        for side in (40, 200):
            file.write(np.zeros((side, side), "uint8"), compression="zlib")
    assert "200 x 200" in refused(tmp_path / "pages.tif")


def test_a_long_stack_is_refused_with_its_length(tmp_path):
    tifffile.imwrite(tmp_path / "long.tif", np.zeros((5, 8, 8), "uint8"), photometric="minisblack")
    assert "holds 5 frames and this page takes 4" in refused(tmp_path / "long.tif")


@pytest.mark.parametrize("ending", ["mp4", "avi", "mov", "mkv"])
def test_a_playlist_under_a_videos_name_is_refused(tmp_path, ending):
    path = tmp_path / f"movie.{ending}"
    path.write_text("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")
    assert "is no MP4" in refused(path)


def link_to_file(file, other):
    file["frames"] = h5py.ExternalLink(other, "/frames")


def external_storage(file, other):
    file.create_dataset("frames", (3, 8, 8), "uint8", external=[(str(other), 0, 192)])


def virtual(file, other):
    layout = h5py.VirtualLayout((3, 8, 8), "uint8")
    layout[:] = h5py.VirtualSource(other, "frames", (3, 8, 8))
    file.create_virtual_dataset("frames", layout)


@pytest.mark.parametrize("write", [link_to_file, external_storage, virtual])
def test_hdf5_that_points_to_another_file_is_refused(tmp_path, write):
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["frames"] = np.zeros((3, 8, 8), "uint8")
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        write(file.create_group("entry/data"), other)
    assert "takes /entry/data/frames from another file" in refused(tmp_path / "scan.h5")


def test_hdf5_of_huge_chunks_is_refused(tmp_path):
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file.create_dataset("frames", (1 << 20, 20, 20), "u1", chunks=(1 << 20, 20, 20))
    assert "pieces of more than 256 MB" in refused(tmp_path / "scan.h5")


def test_hdf5_that_holds_its_frames_is_taken(tmp_path):
    frames = np.arange(3 * 8 * 8, dtype="uint16").reshape(3, 8, 8)
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["frames"] = frames
        file["same"] = h5py.SoftLink("/frames")
        file["entry"] = file["/"]  # a circle
    (source,) = recordings_in(tmp_path, LIMITS)
    with source.open() as stack:
        np.testing.assert_array_equal(stack[2], frames[2])


def test_numbered_pictures_are_one_recording(tmp_path):
    for number in (10, 9):
        Image.fromarray(np.full((8, 8), number, "uint8")).save(tmp_path / f"shot_{number}.png")
    (source,) = recordings_in(tmp_path, LIMITS)
    with source.open() as stack:
        assert [int(frame[0, 0]) for frame in stack] == [9, 10]


def test_a_recording_that_takes_too_much_memory_is_refused(tmp_path):
    np.save(tmp_path / "large.npy", np.zeros((4, 40, 40), "float64"))
    (source,) = recordings_in(tmp_path, LIMITS)
    with source.open() as stack, pytest.raises(ReadError, match=r"large: takes 0 MB once it is"):
        check_stack(stack, replace(LIMITS, decoded_mb=0))


def test_a_name_cannot_lead_out_of_the_folder():
    assert harmless_name("../../..%2f.. -$(x)'.png") == "2f.._-_x.png"
    assert harmless_name("C:\\frames\\a.png") == "a.png"
    with pytest.raises(ReadError, match=r"^a.exe: is of no type that is read here"):
        harmless_name("a.exe")
