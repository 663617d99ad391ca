"""Inputs that cannot be read: one sentence that begins with the file."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from fuzz_readers import READERS, SHARE, fuzz

from amseg_keras.read import ReadError, find_stacks, open_stack

SUFFIXES = [".png", ".jpg", ".bmp", ".tif", ".npy", ".h5", ".nxs", ".edf", ".mp4", ".avi", ".mkv"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_missing_file_is_missing(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    with pytest.raises(ReadError) as caught:
        open_stack(path)
    assert str(caught.value) == f"{path}: no such file or folder; check the path"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_empty_file_is_empty(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.touch()
    with pytest.raises(ReadError) as caught:
        open_stack(path)
    assert str(caught.value) == f"{path}: is empty (0 bytes); copy or export it again"


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("content", [b"hello\n", b"\0" * 5000, bytes(range(256)) * 20])
def test_a_file_of_something_else_is_an_error_without_noise(tmp_path, suffix, content, capfd):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(ReadError) as caught:
        open_stack(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is not None
    assert "".join(capfd.readouterr()) == ""


def test_an_unsupported_extension_lists_the_supported(tmp_path):
    (tmp_path / "a.cine").write_bytes(b"x")
    with pytest.raises(ReadError, match=r"a\.cine: files of type '\.cine' are not.*\.tif.*\.mp4"):
        open_stack(tmp_path / "a.cine")


def test_a_folder_without_images_says_so(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ReadError, match="is a folder without images"):
        open_stack(tmp_path)


def test_a_pattern_without_matches_says_so(tmp_path):
    with pytest.raises(ReadError, match="no image matches this pattern"):
        open_stack(tmp_path / "*.tif")


def test_a_folder_named_as_an_image_is_an_error(tmp_path):
    (tmp_path / "x.tif").mkdir()
    with pytest.raises(ReadError, match=r"x\.tif: is a folder without images"):
        open_stack(tmp_path / "x.tif")


def test_a_folder_named_as_an_image_inside_a_folder_is_an_error_beside_the_rest(tmp_path):
    (tmp_path / "x.tif").mkdir()
    np.save(tmp_path / "a.npy", np.zeros((20, 20)))
    stacks, errors = find_stacks([tmp_path])
    assert [stack.name for stack in stacks] == ["a"]
    assert str(errors[0]).startswith(f"{tmp_path}/x.tif: is a folder")


def test_one_bad_input_leaves_the_others(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((20, 20)))
    stacks, errors = find_stacks([tmp_path / "gone.tif", tmp_path / "a.npy"])
    assert [stack.name for stack in stacks] == ["a"]
    assert len(errors) == 1


def test_a_link_to_nothing_is_missing(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(ReadError, match=r"a\.png: no such file"):
        open_stack(tmp_path / "a.png")


@pytest.mark.skipif(sys.platform == "win32", reason="rights work differently on Windows")
def test_forbidden_files_and_folders_say_permission_denied():
    check = (
        "import os, sys\n"
        "from amseg_keras.read import ReadError, open_stack\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"  # root may read everything
        "for path in sys.argv[1:]:\n"
        "    try: open_stack(path)\n"
        "    except ReadError as error: print(error)\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        path, closed = Path(folder, "a.npy"), Path(folder, "closed")
        np.save(path, np.zeros((20, 20)))
        closed.mkdir()
        os.chmod(folder, 0o755)
        path.chmod(0)
        closed.chmod(0)
        forbidden = [str(path), str(closed), str(closed / "a.npy")]
        said = subprocess.run(
            [sys.executable, "-c", check, *forbidden],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        ).stdout.splitlines()
    assert [line.split(";")[0] for line in said] == [f"{p}: permission denied" for p in forbidden]


OFFSETS = 90


def cuts(size: int) -> list[int]:
    """Offsets spread over the file, and every one near its ends, where headers and indexes lie."""
    spread = np.linspace(0, size - 1, OFFSETS).astype(int).tolist()
    return sorted({*spread, *range(1, 12), *range(max(0, size - 60), size)})


def test_a_cut_file_is_an_error_or_whole(file_format, frames, tmp_path, capfd):
    path = file_format.write(tmp_path, frames.astype(file_format.dtypes[0]))
    whole = path.read_bytes()
    with open_stack(path) as stack:
        expected = list(stack)
    # EDF stores no number of frames: cut exactly between two, it is a sound shorter file.
    between = set()
    if path.suffix == ".edf":
        between = {len(whole) * n // len(frames) for n in range(len(frames))}
    for cut in cuts(len(whole)):
        if cut in between:
            continue
        path.write_bytes(whole[:cut])
        try:
            stack = open_stack(path)
        except ReadError as error:
            assert str(error).startswith(str(path))
            continue
        with stack:
            assert len(stack) == len(expected), f"cut at {cut} of {len(whole)}"
            for index in range(len(stack)):
                try:
                    frame = stack[index]
                except ReadError as error:
                    assert str(error).startswith(str(path))
                else:
                    assert np.array_equal(frame, expected[index]), f"cut at {cut}, frame {index}"
    noise = capfd.readouterr()
    assert noise.out + noise.err == ""


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9, 0.99])
def test_a_cut_member_of_a_sequence_is_an_error_of_its_frame(frames, tmp_path, cut):
    import tifffile

    for number, frame in enumerate(frames):
        tifffile.imwrite(tmp_path / f"{number}.tif", frame)
    broken = tmp_path / "0.tif"
    data = broken.read_bytes()
    broken.write_bytes(data[: int(cut * len(data))])
    with open_stack(tmp_path) as stack:
        assert len(stack) == len(frames)
        with pytest.raises(ReadError, match=r"0\.tif: "):
            stack[0]
        np.testing.assert_array_equal(stack[1], frames[1])


WITHOUT_EXTRAS = """
import sys
for name in ("compression", "fabio", "hdf5plugin", "imagecodecs"):
    sys.modules[name] = None
from amseg_keras.read import open_stack
for path in sys.argv[1:]:
    try:
        with open_stack(path) as stack:
            stack[0]
    except ValueError as error:
        print(error)
"""


def test_what_an_extra_reads_says_which_package_is_missing(frames, tmp_path):
    import h5py
    import hdf5plugin
    import imagecodecs
    import tifffile
    from fabio.edfimage import EdfImage

    names = ("a.edf", "a.h5", "whole.h5", "a.png")
    paths = [tmp_path / name for name in (*names, "a.tif", "z.tif")]
    EdfImage(data=frames[0]).write(str(paths[0]))
    with h5py.File(paths[1], "w") as file:
        file.create_dataset("a", data=frames, chunks=True, **hdf5plugin.LZ4())
    layout = h5py.VirtualLayout(frames.shape, frames.dtype)
    layout[:] = h5py.VirtualSource("a.h5", "a", frames.shape)
    with h5py.File(paths[2], "w") as file:
        file.create_virtual_dataset("a", layout)
    colours = np.stack([frames[0].astype(np.uint16)] * 3, axis=-1)
    paths[3].write_bytes(imagecodecs.png_encode(colours))
    for path, compression in zip(paths[4:], ("lzw", "zstd"), strict=True):
        tifffile.imwrite(path, frames, compression=compression, photometric="minisblack")

    said = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS, *map(str, paths)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()

    packages = ("fabio", "hdf5plugin", "hdf5plugin", *["imagecodecs"] * 3)
    assert len(said) == len(paths)
    for path, package, sentence in zip(paths, packages, said, strict=True):
        assert sentence.startswith(str(path))
        assert f"needs the package {package}, which is not installed" in sentence
        assert sentence.endswith("run pip install 'amseg-keras[formats]'")


FILES = int(os.environ.get("AMSEG_FUZZ_FILES", "10000"))


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
def test_damaged_files_are_read_or_refused(reader):
    tally = fuzz(reader, FILES // SHARE.get(reader, 1))
    assert not tally.bad, "\n".join(tally.examples)


def test_a_few_damaged_files_are_read_or_refused():
    tally = fuzz("edf", 80, seed=1)
    assert tally.tried == 80
    assert not tally.bad, "\n".join(tally.examples)
