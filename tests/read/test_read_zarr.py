"""Zarr and OME-Zarr stores as stacks."""

import json

import numpy as np
import pytest

from amseg_keras.read import ReadError, find_stacks, open_stack

zarr = pytest.importorskip("zarr")


def write(path, array, version=3, **more):
    made = zarr.create_array(
        path,
        shape=array.shape,
        dtype=array.dtype,
        chunks=(2, 32, 48),
        zarr_format=version,
        config={"write_empty_chunks": True},
        **more,
    )
    made[:] = array
    return path


@pytest.mark.parametrize("version", [2, 3])
def test_an_array_is_a_stack(tmp_path, frames, version):
    with open_stack(write(tmp_path / "a.zarr", frames, version)) as stack:
        np.testing.assert_array_equal(np.stack(list(stack)), frames)


def test_a_folder_of_stores_holds_a_stack_each(tmp_path, frames):
    for name in ("a.zarr", "b.zarr"):
        write(tmp_path / name, frames)
    stacks, errors = find_stacks([tmp_path])
    assert not errors
    assert [stack.name for stack in stacks] == ["a", "b"]


@pytest.mark.parametrize("version", [2, 3])
def test_the_full_resolution_of_an_ome_image_is_read_by_its_axes(tmp_path, frames, version):
    group = zarr.open_group(tmp_path / "a.ome.zarr", mode="w", zarr_format=version)
    for name, step in (("0", 1), ("1", 2)):
        level = np.moveaxis(frames[:, ::step, ::step], 0, -1)
        group.create_array(name, data=level)
    axes = [{"name": name} for name in "yxt"]
    image = {"axes": axes, "datasets": [{"path": "0"}, {"path": "1"}]}
    attributes = {"multiscales": [image]}
    group.attrs.update(attributes if version == 2 else {"ome": attributes})
    with open_stack(tmp_path / "a.ome.zarr") as stack:
        np.testing.assert_array_equal(np.stack(list(stack)), frames)
        assert any("full resolution" in note for note in stack.notes)


def test_a_frame_without_a_chunk_was_never_written(tmp_path, frames):
    path = write(tmp_path / "a.zarr", frames)
    (path / "c" / "1" / "0" / "0").unlink()
    with open_stack(path) as stack:
        np.testing.assert_array_equal(stack[1], frames[1])
        with pytest.raises(ReadError, match="frame 2 has no chunk in the store"):
            stack[2]


def test_a_codec_that_unpickles_is_refused(tmp_path, frames):
    path = write(tmp_path / "a.zarr", frames, 2)
    metadata = json.loads((path / ".zarray").read_text())
    metadata["filters"] = [{"id": "pickle", "protocol": 5}]
    (path / ".zarray").write_text(json.dumps(metadata))
    with pytest.raises(ReadError, match="is stored with pickle, which is not read"):
        open_stack(path)


def test_several_arrays_are_listed(tmp_path, frames):
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    for name in "ab":
        group.create_array(name, data=frames)
    with pytest.raises(ReadError, match="holds 2 arrays"):
        open_stack(tmp_path / "a.zarr")
    with open_stack(f"{tmp_path}/a.zarr::b") as stack:
        assert stack.name == "a_b"


@pytest.mark.parametrize("location", ["start", "end"])
def test_an_unwritten_chunk_of_a_written_shard_is_no_black_frame(tmp_path, frames, location):
    codec = zarr.codecs.ShardingCodec(
        chunk_shape=(1, 16, 48),
        codecs=[zarr.codecs.BytesCodec(endian="little"), zarr.codecs.ZstdCodec()],
        index_location=location,
    )
    made = zarr.create(
        store=str(tmp_path / "a.zarr"),
        shape=(8, 32, 48),
        dtype="u1",
        chunks=(4, 32, 48),
        codecs=[codec],
        zarr_format=3,
        fill_value=0,
    )
    made[:5] = frames[:5]
    with open_stack(tmp_path / "a.zarr") as stack:
        for index in range(5):
            np.testing.assert_array_equal(stack[index], frames[index])
        for index in (5, 6, 7):
            with pytest.raises(ReadError, match=r"never written, or all its pixels are the fill"):
                stack[index]


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("units", [("micrometer", "millisecond"), ("um", "ms")])
def test_the_scale_of_an_ome_image_gives_pixel_size_and_frame_rate(
    tmp_path, frames, version, units
):
    path = save_scaled(tmp_path, frames, units, version)
    with open_stack(path) as stack:
        assert stack.pixel_size_um == pytest.approx(4.31)
        assert stack.frame_rate_hz == pytest.approx(40_000)
    with open_stack(f"{path}::1") as stack:
        assert stack.pixel_size_um == pytest.approx(8.62)


def test_a_scale_without_a_unit_is_no_size(tmp_path, frames):
    with open_stack(save_scaled(tmp_path, frames, (None, None))) as stack:
        assert (stack.pixel_size_um, stack.frame_rate_hz) == (None, None)


def test_channels_beside_time_leave_no_frame_rate(tmp_path, frames):
    path = save_scaled(tmp_path, frames.reshape(3, 2, 32, 48), ("um", "ms"))
    with open_stack(path) as stack:
        assert stack.pixel_size_um == pytest.approx(4.31)
        assert stack.frame_rate_hz is None
        assert any("the time between frames in the store was not taken" in n for n in stack.notes)


def save_scaled(folder, frames, units, version=3):
    """An image of two resolutions; its common scale makes 2.155 of the units 4.31."""
    path = folder / "a.ome.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=version)
    names = "tyx" if frames.ndim == 3 else "tcyx"
    datasets = []
    for name, step in (("0", 1), ("1", 2)):
        group.create_array(name, data=frames[..., ::step, ::step])
        own = {"t": 0.025, "c": 1, "y": 2.155 * step, "x": 2.155 * step}
        change = {"type": "scale", "scale": [own[axis] for axis in names]}
        datasets.append({"path": name, "coordinateTransformations": [change]})
    said = {"t": units[1], "y": units[0], "x": units[0], "c": None}
    axes = [{"name": axis, **({"unit": said[axis]} if said[axis] else {})} for axis in names]
    common = {"type": "scale", "scale": [2 if axis in "yx" else 1 for axis in names]}
    image = {"axes": axes, "datasets": datasets, "coordinateTransformations": [common]}
    attributes = {"multiscales": [image]}
    group.attrs.update(attributes if version == 2 else {"ome": attributes})
    return path
