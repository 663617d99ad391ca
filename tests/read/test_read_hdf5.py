"""HDF5 and NeXus: which dataset, what is missing in it."""

import subprocess
import sys

import h5py
import numpy as np
import pytest

from amseg_keras.read import ReadError, ReadOptions, find_stacks, open_stack


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


def virtual(path, frames, *parts):
    """A virtual dataset of the shape of `frames`, with (frames, file, frames of its) sources."""
    layout = h5py.VirtualLayout(frames.shape, "u1")
    for where, file, count in parts:
        layout[where] = h5py.VirtualSource(file, "d", (count, *frames.shape[1:]))
    with h5py.File(path, "w", libver="latest") as file:
        file.create_virtual_dataset("data", layout)


def save_source(path, frames, written=None):
    with h5py.File(path, "w") as file:
        data = file.create_dataset("d", frames.shape, "u1", chunks=(1, *frames.shape[1:]))
        data[:written] = frames[:written]


def held(path, frames):
    """Which frames are read, each checked against its pixels."""
    found = []
    with open_stack(path) as stack:
        for index in range(len(stack)):
            try:
                np.testing.assert_array_equal(stack[index], frames[index])
            except ReadError as error:
                assert f"frame {index} is stored nowhere" in str(error)
            else:
                found.append(index)
    return found


def test_frames_that_no_source_gives_are_errors(path, tmp_path, frames):
    save_source(tmp_path / "three.h5", frames[:3])
    virtual(path, frames, (slice(0, 3), "three.h5", 3))
    assert held(path, frames) == [0, 1, 2]


def test_frames_that_a_source_never_wrote_are_errors(path, tmp_path, frames):
    save_source(tmp_path / "six.h5", frames, written=4)
    virtual(path, frames, (slice(0, 6), "six.h5", 6))
    assert held(path, frames) == [0, 1, 2, 3]


def test_a_missing_source_or_dataset_loses_its_own_frames_alone(path, tmp_path, frames):
    save_source(tmp_path / "two.h5", frames[:2])
    h5py.File(tmp_path / "empty.h5", "w").close()
    parts = ((slice(0, 2), "two.h5", 2), (slice(2, 4), "gone.h5", 2), (slice(4, 6), "empty.h5", 2))
    virtual(path, frames, *parts)
    assert held(path, frames) == [0, 1]


def test_holes_in_a_source_of_a_source_are_errors(path, tmp_path, frames):
    save_source(tmp_path / "six.h5", frames, written=5)
    virtual(tmp_path / "middle.h5", frames, (slice(0, 6), "six.h5", 6))
    with h5py.File(tmp_path / "middle.h5", "a") as file:
        file["d"] = h5py.SoftLink("/data")
    virtual(path, frames, (slice(0, 6), "middle.h5", 6))
    assert held(path, frames) == [0, 1, 2, 3, 4]


def test_interleaved_sources_lose_every_other_frame(path, tmp_path, frames):
    save_source(tmp_path / "even.h5", frames[::2])
    virtual(path, frames, (slice(0, 6, 2), "even.h5", 3), (slice(1, 6, 2), "odd.h5", 3))
    assert held(path, frames) == [0, 2, 4]


def test_a_frame_of_which_a_part_has_no_source_is_an_error(path, tmp_path, frames):
    save_source(tmp_path / "left.h5", frames[:, :, :24])
    layout = h5py.VirtualLayout(frames.shape, "u1")
    layout[:, :, :24] = h5py.VirtualSource("left.h5", "d", (6, 32, 24))
    with h5py.File(path, "w", libver="latest") as file:
        file.create_virtual_dataset("data", layout)
    with open_stack(path) as stack, pytest.raises(ReadError, match=r"no source file gives 50\.0%"):
        stack[0]


def test_sources_are_found_beside_the_file_that_a_link_leads_to(tmp_path, frames):
    for name in ("raw", "processed"):
        (tmp_path / name).mkdir()
    save_source(tmp_path / "raw" / "six.h5", frames)
    virtual(tmp_path / "raw" / "master.h5", frames, (slice(0, 6), "six.h5", 6))
    (tmp_path / "processed" / "master.h5").symlink_to("../raw/master.h5")
    assert held(tmp_path / "processed" / "master.h5", frames) == list(range(6))


def test_numbered_sources_are_found_by_their_pattern(path, tmp_path, frames):
    for block in (0, 2):
        save_source(tmp_path / f"part_{block}.h5", frames[2 * block : 2 * block + 2])
    limit = h5py.h5s.UNLIMITED
    space = h5py.h5s.create_simple(frames.shape, (limit, 32, 48))
    space.select_hyperslab((0, 0, 0), (limit, 1, 1), (2, 1, 1), (2, 32, 48))
    source = h5py.h5s.create_simple((2, 32, 48))
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_virtual(space, b"part_%b.h5", b"d", source)
    with h5py.File(path, "w", libver="latest") as file:
        shape = h5py.h5s.create_simple(frames.shape, (limit, 32, 48))
        h5py.h5d.create(file.id, b"data", h5py.h5t.NATIVE_UINT8, shape, properties)
    with h5py.File(path) as file:
        seen = file["data"].shape[0]
    assert held(path, frames) == [k for k in (0, 1, 4, 5) if k < seen]


def test_pixels_in_a_file_outside_the_folder_are_refused(tmp_path, frames, monkeypatch):
    secret, inside = tmp_path / "secret.raw", tmp_path / "in"
    inside.mkdir()
    secret.write_bytes(frames.tobytes())
    monkeypatch.chdir(inside)
    for name in ("../secret.raw", "own.raw"):
        (inside / "own.raw").write_bytes(frames.tobytes())
        with h5py.File("a.h5", "w") as file:
            file.create_dataset("data", frames.shape, "u1", external=[(name, 0, frames.size)])
        if name == "own.raw":
            assert held(inside / "a.h5", frames) == list(range(6))
        else:
            with pytest.raises(ReadError, match="outside its own folder, which is not read"):
                open_stack(inside / "a.h5")


@pytest.mark.parametrize("kind", ["array", "bytes"])
def test_nexus_attributes_may_be_arrays(path, frames, kind):
    with h5py.File(path, "w") as file:
        file["entry/raw"], file["entry/clean"] = frames, frames[::-1]
        text = h5py.string_dtype()
        file.attrs["default"] = np.array(["entry"], text) if kind == "array" else np.bytes_("entry")
        file["entry"].attrs["signal"] = np.array([b"clean"])
    with open_stack(path) as stack:
        np.testing.assert_array_equal(stack[0], frames[-1])


def test_the_old_mark_of_nexus_names_the_signal(path, frames):
    with h5py.File(path, "w") as file:
        file["entry/raw"], file["entry/clean"] = frames, frames[::-1]
        file["entry/clean"].attrs["signal"] = 1
    with open_stack(path) as stack:
        np.testing.assert_array_equal(stack[0], frames[-1])


def test_labels_of_the_axes_are_followed(path, frames):
    with h5py.File(path, "w") as file:
        file["data"] = np.moveaxis(frames, 0, -1)
        for axis, label in zip(file["data"].dims, ("y", "x", "frame"), strict=True):
            axis.label = label
    with open_stack(path) as stack:
        np.testing.assert_array_equal(np.stack(list(stack)), frames)
        assert any("as the file says" in note for note in stack.notes)


def test_data_files_of_a_detector_follow_each_other(tmp_path, frames):
    for number, first in ((1, 1), (2, 4)):
        with h5py.File(tmp_path / f"scan_data_{number:06}.h5", "w") as file:
            file["entry/data/data"] = frames[first - 1 : first + 2]
            file["entry/data/data"].attrs["image_nr_low"] = first
    with open_stack(tmp_path) as stack:
        np.testing.assert_array_equal(np.stack(list(stack)), frames)
        assert "as the frame numbers in the files say" in stack.notes[0]


@pytest.mark.parametrize("swmr", [True, False])
def test_a_crashed_writer_is_told_h5clear(path, swmr):
    script = f"""
import h5py, os
file = h5py.File({str(path)!r}, "w", libver="latest")
file.create_dataset("data", (6, 32, 48), "u1", chunks=(1, 32, 48))[:] = 1
file.flush()
if {swmr}:
    file.swmr_mode = True
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    with pytest.raises(ReadError, match="h5clear -s"):
        open_stack(path)


def test_a_dataset_of_frames_that_hardly_exist_is_refused(path):
    with h5py.File(path, "w") as file:
        data = file.create_dataset("data", (1 << 50, 16, 16), "u1", chunks=(1, 16, 16))
        data[0] = 1
    with pytest.raises(ReadError, match="promises 1125899906842624 frames and holds about 1"):
        open_stack(path)


def growing(path, frames, sources):
    """A virtual dataset without a limit, whose frames come from the sources in turn."""
    size = frames.shape[1:]
    layout = h5py.VirtualLayout(frames.shape, "u1", maxshape=(None, *size))
    limit = h5py.h5s.UNLIMITED
    for at, source in enumerate(sources):
        part = h5py.VirtualSource(source, "d", frames.shape, maxshape=(None, *size))
        layout[at : limit : len(sources)] = part[0:limit]
    with h5py.File(path, "w", libver="latest") as file:
        file.create_virtual_dataset("data", layout)


def save_growing(path, frames):
    with h5py.File(path, "w") as file:
        file.create_dataset("d", data=frames, maxshape=(None, *frames.shape[1:]))


def test_a_source_that_grows_without_a_limit_is_read(path, tmp_path, frames):
    save_growing(tmp_path / "one.h5", frames[:5])
    growing(path, frames, ["one.h5"])
    assert held(path, frames) == [0, 1, 2, 3, 4]


def test_a_source_that_grows_more_slowly_loses_its_own_frames_alone(path, tmp_path, frames):
    save_growing(tmp_path / "even.h5", frames[::2])
    save_growing(tmp_path / "odd.h5", frames[1::2][:1])
    growing(path, frames, ["even.h5", "odd.h5"])
    assert held(path, frames)[:3] == [0, 1, 2]
    assert 3 not in held(path, frames)


def test_a_source_whose_values_do_not_fit_is_refused(path, tmp_path, frames):
    save_growing(tmp_path / "one.h5", frames.astype("u2") * 100)
    virtual(path, frames, (slice(0, 6), "one.h5", 6))
    with open_stack(path) as stack, pytest.raises(ReadError, match="larger values would be cut"):
        stack[0]


def test_axes_find_the_only_dataset_of_as_many(path, frames):
    coloured = np.repeat(frames[..., None], 3, axis=-1)
    with h5py.File(path, "w") as file:
        file["a"], file["b"] = coloured, np.zeros(5)
    with open_stack(path, ReadOptions(axes="TYXS")) as stack:
        np.testing.assert_array_equal(np.stack(list(stack)), frames)
    with pytest.raises(ReadError, match=r"scan\.h5::DATASET --axes TYXS"):
        open_stack(path)
    with pytest.raises(ReadError, match="numbers in 5-D for --axes"):
        open_stack(path, ReadOptions(axes="TCYXS"))
