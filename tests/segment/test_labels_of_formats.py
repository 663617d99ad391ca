"""The same frames have the same labels in whatever file, order, chunks and names they come."""

import gzip
import itertools
import tempfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from fabio.edfimage import EdfImage
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from amseg_keras.read import ReadOptions, open_stack

JOINED = ReadOptions(join=True)
NAMES = (
    "{}.tif",
    "f_{:05}.png",
    "img_{:09}_Default_000.tif",
    "img_channel000_position000_time{:09}_z000.tif",
    "scan_{:04}_200W.tif",
    "run 7 - {:03} (16 bit).png",
    "t_{}.tif",
)


def frames_of(count: int, dtype: str) -> np.ndarray:
    rows, columns = np.mgrid[:40, :56]
    shapes = [
        np.where(rows > 14 + k, 60, 190) + 40 * (np.hypot(rows - 24, columns - 9 - 4 * k) < 6)
        for k in range(count)
    ]
    noise = np.random.default_rng(3).integers(0, 12, (count, 40, 56))
    frames = (np.stack(shapes) + noise).astype(dtype)
    return frames * (200 if dtype == "uint16" else 1)


def save_tiff(folder: Path, frames: np.ndarray, data: st.DataObject) -> Path:
    options = data.draw(
        st.sampled_from(
            [
                {"photometric": "minisblack"},
                {"photometric": "minisblack", "bigtiff": True, "byteorder": ">"},
                {"photometric": "minisblack", "compression": "deflate", "rowsperstrip": 7},
                {"photometric": "minisblack", "tile": (16, 32), "metadata": None},
                {"imagej": True, "metadata": {"axes": "TYX"}},
                {"ome": True, "photometric": "minisblack", "metadata": {"axes": "TYX"}},
            ]
        )
    )
    tifffile.imwrite(folder / "a.tif", frames, **options)
    return folder / "a.tif"


def save_few(folder: Path, frames: np.ndarray, data: st.DataObject) -> Path:
    if len(frames) not in (3, 4):
        return save_tiff(folder, frames, data)
    # What tifffile makes of three or four frames where nobody says what they are.
    tifffile.imwrite(folder / "a.tif", frames, photometric="rgb", planarconfig="separate")
    return folder / "a.tif"


def save_npy(folder: Path, frames: np.ndarray, data: st.DataObject) -> Path:
    layout = data.draw(st.sampled_from([np.ascontiguousarray, np.asfortranarray]))
    order = data.draw(st.sampled_from("<>"))
    np.save(folder / "a.npy", layout(frames.astype(frames.dtype.newbyteorder(order))))
    return folder / "a.npy"


def save_hdf5(folder: Path, frames: np.ndarray, data: st.DataObject) -> Path:
    sizes = st.tuples(*(st.integers(1, size) for size in frames.shape))
    chunks = data.draw(st.none() | sizes)
    compression = None if chunks is None else data.draw(st.sampled_from([None, "gzip", "lzf"]))
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("entry/data", data=frames, chunks=chunks, compression=compression)
    return folder / "a.h5"


def save_virtual(folder: Path, frames: np.ndarray, data: st.DataObject) -> Path:
    cut = data.draw(st.integers(1, len(frames) - 1))
    layout = h5py.VirtualLayout(frames.shape, frames.dtype)
    for name, part in (("one", slice(0, cut)), ("two", slice(cut, len(frames)))):
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file["d"] = frames[part]
        layout[part] = h5py.VirtualSource(f"{name}.h5", "d", frames[part].shape)
    with h5py.File(folder / "a.nxs", "w", libver="latest") as file:
        file.create_virtual_dataset("entry/data", layout)
    return folder / "a.nxs"


def save_edf(folder: Path, frames: np.ndarray, data: st.DataObject) -> Path:
    image = EdfImage(data=frames[0], header={})
    for frame in frames[1:]:
        image.append_frame(data=frame)
    image.write(str(folder / "a.edf"))
    if data.draw(st.booleans()):
        return folder / "a.edf"
    (folder / "b.edf.gz").write_bytes(gzip.compress((folder / "a.edf").read_bytes()))
    return folder / "b.edf.gz"


def save_zarr(folder: Path, frames: np.ndarray, data: st.DataObject) -> Path:
    zarr = pytest.importorskip("zarr")
    chunks = data.draw(st.tuples(*(st.integers(8, 60) for _ in frames.shape)))
    array = zarr.create_array(
        folder / "a.zarr",
        shape=frames.shape,
        dtype=frames.dtype,
        chunks=chunks,
        zarr_format=data.draw(st.sampled_from([2, 3])),
    )
    array[:] = frames
    return folder / "a.zarr"


def save_sequence(folder: Path, frames: np.ndarray, data: st.DataObject) -> Path:
    name = data.draw(st.sampled_from(NAMES))
    first = data.draw(st.integers(-3, 12)) if name.startswith("t_") else 0
    target = folder / "sequence"
    target.mkdir()
    for k in data.draw(st.permutations(range(len(frames)))):
        path = target / name.format(first + k)
        if path.suffix == ".png":
            Image.fromarray(frames[k]).save(path)
        else:
            tifffile.imwrite(path, frames[k], metadata=None)
    return target


def save_parts(folder: Path, frames: np.ndarray, data: st.DataObject) -> Path:
    target = folder / "parts"
    target.mkdir()
    cuts = sorted({0, *data.draw(st.sets(st.integers(1, len(frames) - 1))), len(frames)})
    kind = data.draw(st.sampled_from([".tif", ".npy", ".h5"]))
    for number, (start, end) in enumerate(itertools.pairwise(cuts), 8):
        path = target / f"run_{number}{kind}"
        if kind == ".tif":
            tifffile.imwrite(path, frames[start:end], photometric="minisblack")
        elif kind == ".npy":
            np.save(path, frames[start:end])
        else:
            with h5py.File(path, "w") as file:
                file["d"] = frames[start:end]
    return target


SAVERS: tuple[Callable[[Path, np.ndarray, st.DataObject], Path], ...] = (
    *(save_tiff, save_few, save_npy, save_hdf5, save_virtual, save_edf, save_zarr),
    *(save_sequence, save_parts),
)


@pytest.mark.parametrize("save", SAVERS, ids=lambda save: save.__name__)
@settings(deadline=None, max_examples=12)
@given(data=st.data())
def test_labels_are_those_of_a_plain_tiff(small_segmenter, save, data):
    frames = frames_of(data.draw(st.integers(2, 6)), data.draw(st.sampled_from(["u1", "uint16"])))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        plain = folder / "plain.tif"
        tifffile.imwrite(plain, frames, photometric="minisblack", metadata=None)
        inside = folder / "inside"
        inside.mkdir()
        found = []
        for path in (plain, save(inside, frames, data)):
            with open_stack(path, JOINED) as stack:
                np.testing.assert_array_equal(np.stack(list(stack)), frames)
                grey = small_segmenter.scaling.measure(stack)
                found.append([one.labels for one in small_segmenter.iter_labels(stack, grey)])
        np.testing.assert_array_equal(found[1], found[0])
