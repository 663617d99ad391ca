"""Files whose axes can be read in two ways, and frames that the file turns."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from amseg_keras.read import ReadError, ReadOptions, open_stack


def read(path, axes=None):
    with open_stack(path, ReadOptions(axes=axes)) as stack:
        return np.stack(list(stack)), stack.notes


def write_planes(path, frames):
    """Save frames as tifffile does where nobody says what they are, which it warns of."""
    tifffile.imwrite(path, frames, photometric="rgb", planarconfig="separate")


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("count", [3, 4])
def test_three_or_four_frames_of_tifffile_are_frames_and_said(tmp_path, frames, count, dtype):
    stored = frames[:count].astype(dtype)
    write_planes(tmp_path / "a.tif", stored)
    found, notes = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(found, stored)
    assert any("--axes SYX" in note for note in notes)


@pytest.mark.parametrize("count", [3, 4])
def test_planes_of_tifffile_without_metadata_are_frames_too(tmp_path, frames, count):
    options = {"photometric": "rgb", "planarconfig": "separate", "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", frames[:count], **options)
    found, notes = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(found, frames[:count])
    assert any("--axes SYX" in note for note in notes)


def test_the_user_may_call_three_planes_colours(tmp_path, frames):
    write_planes(tmp_path / "a.tif", frames[:3])
    found, _ = read(tmp_path / "a.tif", "SYX")
    luma = np.tensordot([0.299, 0.587, 0.114], frames[:3].astype(float), 1)
    np.testing.assert_allclose(found[0], luma, atol=0.5001)


def test_planes_that_another_program_wrote_are_colours(tmp_path, frames):
    tifffile.imwrite(
        tmp_path / "a.tif",
        frames[:3],
        photometric="rgb",
        planarconfig="separate",
        metadata=None,
        software="camera",
    )
    found, notes = read(tmp_path / "a.tif")
    assert found.shape == (1, 32, 48)
    assert any("--axes TYX" in note for note in notes)


@pytest.mark.parametrize("suffix", [".npy", ".tif"])
def test_frames_along_the_last_axis_are_read_with_axes(tmp_path, frames, suffix):
    stored = np.moveaxis(frames, 0, -1)
    path = tmp_path / f"a{suffix}"
    if suffix == ".npy":
        np.save(path, stored)
    else:
        tifffile.imwrite(path, stored, photometric="minisblack")
    found, notes = read(path, "YXT")
    np.testing.assert_array_equal(found, frames)
    assert "as asked by --axes" in notes[0]


def test_a_shape_that_looks_transposed_is_said(tmp_path, frames):
    np.save(tmp_path / "a.npy", np.moveaxis(frames, 0, -1))
    assert "--axes YXT" in read(tmp_path / "a.npy")[1][0]


def test_an_array_with_colours_last_is_one_picture_and_said(tmp_path, frames):
    np.save(tmp_path / "a.npy", np.stack([frames[0]] * 3, axis=-1))
    found, notes = read(tmp_path / "a.npy")
    np.testing.assert_array_equal(found, frames[:1])
    assert "--axes TYX" in notes[0]


def test_axes_of_another_number_are_refused(tmp_path, frames):
    np.save(tmp_path / "a.npy", frames)
    with pytest.raises(ReadError, match=r"a\.npy: has 3 axes .* --axes TZYX names 4"):
        open_stack(tmp_path / "a.npy", ReadOptions(axes="TZYX"))


# Row 0 and column 0 of what is stored, by the table of TIFF 6.0.
_TURNED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.T,
    6: lambda a: a.T[:, ::-1],
    7: lambda a: a[::-1, ::-1].T,
    8: lambda a: a.T[::-1],
}


@pytest.mark.parametrize("orientation", _TURNED)
def test_a_tiff_is_turned_as_its_tag_says(tmp_path, frames, orientation):
    tag = (274, "H", 1, orientation, True)
    tifffile.imwrite(tmp_path / "a.tif", frames[0], extratags=[tag], metadata=None)
    found, notes = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(found[0], _TURNED[orientation](frames[0]))
    assert len(notes) == (orientation > 1)


@pytest.mark.parametrize("orientation", _TURNED)
def test_a_picture_is_turned_as_its_exif_says(tmp_path, frames, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(frames[0]).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read(tmp_path / "a.png")[0][0], _TURNED[orientation](frames[0]))


def test_thumbnails_and_reduced_pages_are_no_frames(tmp_path, frames):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for frame in frames:
            writer.write(frame, metadata=None)
            writer.write(frame[::4, ::4], subfiletype=1, metadata=None)
    found, notes = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(found, frames)
    assert "6 pages are thumbnails" in notes[0]


def test_ome_metadata_say_the_order_of_the_planes(tmp_path, frames):
    tifffile.imwrite(tmp_path / "a.ome.tif", frames, ome=True, metadata={"axes": "TYX"})
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tiff:
        text = tiff.ome_metadata
    backwards = "".join(
        f'<TiffData FirstT="{k}" FirstC="0" FirstZ="0" IFD="{5 - k}" PlaneCount="1"/>'
        for k in range(6)
    )
    start, end = text.index("<TiffData"), text.index("</Pixels>")
    with tifffile.TiffWriter(tmp_path / "b.ome.tif") as writer:
        for k, frame in enumerate(frames):
            described = (text[:start] + backwards + text[end:]).encode() if k == 0 else None
            writer.write(frame, description=described, metadata=None)
    np.testing.assert_array_equal(read(tmp_path / "b.ome.tif")[0], frames[::-1])
