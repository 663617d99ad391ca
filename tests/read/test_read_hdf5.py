"""HDF5 and NeXus: which dataset, what is missing in it."""

import h5py
import numpy as np
import pytest

from amseg_keras.read import ReadError, find_stacks, open_stack


@pytest.fixture
def path(tmp_path):
    return tmp_path / "scan.h5"


def test_the_only_stack_is_found_and_noted(path, frames):
    with h5py.File(path, "w") as file:
        file["entry/data/data"] = frames
        file["entry/time"] = np.arange(6.0)
        file["entry/matrix"] = np.eye(4)
    with open_stack(path) as stack:
        np.testing.assert_array_equal(stack[5], frames[5])
        assert stack.notes == ("dataset /entry/data/data taken, the only image stack of the file",)


def test_a_soft_link_to_the_stack_does_not_make_it_two(path, frames):
    with h5py.File(path, "w") as file:
        file["detector/data"] = frames
        file["entry/data"] = h5py.SoftLink("/detector/data")
    with open_stack(path) as stack:
        assert stack.shape == frames.shape


def test_of_several_stacks_the_error_lists_how_to_name_each(path, frames):
    with h5py.File(path, "w") as file:
        file["a"], file["b"] = frames, frames[:2]
    with pytest.raises(ReadError) as caught:
        open_stack(path)
    assert str(caught.value).startswith(f"{path}: holds 2 image stacks")
    assert f"{path}::/a (6 x 32 x 48 uint8), {path}::/b (2 x 32 x 48 uint8)" in str(caught.value)


def test_a_named_dataset_is_read(path, frames):
    with h5py.File(path, "w") as file:
        file["a/x"], file["b/x"] = frames, frames[::-1]
    with open_stack(f"{path}::/b/x") as stack:
        assert stack.name == "scan_b_x"
        assert stack.source == f"{path}::/b/x"
        np.testing.assert_array_equal(stack[0], frames[-1])


def test_the_nexus_default_is_followed(path, frames):
    with h5py.File(path, "w") as file:
        file["entry/raw/data"], file["entry/clean/data"] = frames, frames[::-1]
        file.attrs["default"] = "entry"
        file["entry"].attrs["default"] = "clean"
        file["entry/clean"].attrs["signal"] = "data"
    with open_stack(path) as stack:
        np.testing.assert_array_equal(stack[0], frames[-1])
        assert "/entry/clean/data" in stack.notes[0]


def test_a_wrong_name_lists_what_is_there(path, frames):
    with h5py.File(path, "w") as file:
        for number in range(12):
            file[f"d{number:02}"] = frames
    with pytest.raises(ReadError) as caught:
        open_stack(f"{path}::/nothing")
    assert str(caught.value).startswith(f"{path}::/nothing: is no dataset")
    assert "::/d07 " in str(caught.value)
    assert str(caught.value).endswith("and 4 more")


def test_a_group_is_not_a_dataset(path, frames):
    with h5py.File(path, "w") as file:
        file["entry/data"] = frames
    with pytest.raises(ReadError, match="is a group, not a dataset"):
        open_stack(f"{path}::/entry")


@pytest.mark.parametrize("shape", [(40,), (2, 3, 20, 20), (1, 2, 3, 20, 20), ()])
def test_a_dataset_of_wrong_dimensions_is_an_error(path, shape):
    with h5py.File(path, "w") as file:
        file["a"] = np.zeros(shape)
    with pytest.raises(ReadError, match=r"scan\.h5::/a: has shape"):
        open_stack(f"{path}::/a")


@pytest.mark.parametrize("shape", [(6, 1, 32, 48), (1, 6, 32, 48), (6, 32, 48, 1)])
def test_a_fourth_axis_of_one_is_dropped(path, frames, shape):
    with h5py.File(path, "w") as file:
        file["a"] = frames.reshape(shape)
    with open_stack(path) as stack:
        np.testing.assert_array_equal(stack[4], frames[4])


def test_a_file_without_images_says_what_it_holds(path):
    with h5py.File(path, "w") as file:
        file["time"] = np.arange(6.0)
    with pytest.raises(ReadError, match=r"no image stack.*::/time \(6 float64\)"):
        open_stack(path)


def test_an_external_link_is_followed(path, tmp_path, frames):
    with h5py.File(tmp_path / "data_000001.h5", "w") as file:
        file["data"] = frames
    with h5py.File(path, "w") as file:
        file["entry/data_000001"] = h5py.ExternalLink("data_000001.h5", "/data")
    with open_stack(path) as stack:
        np.testing.assert_array_equal(stack[1], frames[1])


def test_a_broken_link_is_noted(path, frames):
    with h5py.File(path, "w") as file:
        file["a"] = frames
        file["b"] = h5py.ExternalLink("gone.h5", "/data")
    with open_stack(path) as stack:
        assert "links to missing files: /b" in stack.notes[0]


def test_a_virtual_dataset_without_its_source_is_an_error(path, frames):
    layout = h5py.VirtualLayout(frames.shape, "u1")
    layout[:] = h5py.VirtualSource("gone.h5", "data", frames.shape)
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("a", layout)
    with pytest.raises(ReadError, match=r"takes frames from gone\.h5, which is missing"):
        open_stack(path)


def test_frames_that_were_never_written_are_errors(path, frames):
    with h5py.File(path, "w") as file:
        data = file.create_dataset("a", (6, 32, 48), "u1", chunks=(2, 32, 20), compression="gzip")
        data[:4] = frames[:4]
    with open_stack(path) as stack:
        np.testing.assert_array_equal(stack[3], frames[3])
        with pytest.raises(ReadError, match="frame 4 was never written"):
            stack[4]


def test_text_is_not_grey_values(path):
    with h5py.File(path, "w") as file:
        file["a"] = np.full((20, 20), b"x")
    with pytest.raises(ReadError, match="not grey values"):
        open_stack(f"{path}::/a")


def test_a_dataset_of_another_kind_of_file_is_an_error(tmp_path, frames):
    np.save(tmp_path / "a.npy", frames)
    _, errors = find_stacks([f"{tmp_path}/a.npy::/data"])
    assert "is no HDF5 file" in str(errors[0])


@pytest.mark.parametrize("wrong", ["4.31", -1.0, np.nan, [1.0, 2.0]])
def test_an_attribute_that_is_no_pixel_size_is_none(path, frames, wrong):
    with h5py.File(path, "w") as file:
        file["data"] = frames
        file["data"].attrs["pixel_size_um"] = wrong
        file["data"].attrs["frame_rate_hz"] = 40e3
    with open_stack(path) as stack:
        assert stack.pixel_size_um is None
        assert stack.frame_rate_hz == 40e3
