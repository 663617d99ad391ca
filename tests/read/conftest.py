"""Files of every format, written by the libraries that users write them with."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import h5py
import hdf5plugin
import numpy as np
import pytest
import tifffile
from fabio.edfimage import EdfImage
from PIL import Image


@dataclass(frozen=True)
class Format:
    """A way to store frames ``(frames, height, width)``; `write` returns what to open."""

    name: str
    write: Callable[[Path, np.ndarray], Path]
    dtypes: tuple[str, ...] = ("uint8", "uint16", "int16", "uint32", "float32", "float64")


def _tiff(name: str, **options: object) -> Callable[[Path, np.ndarray], Path]:
    def write(folder: Path, frames: np.ndarray) -> Path:
        path = folder / f"{name}.tif"
        tifffile.imwrite(path, frames, **{"photometric": "minisblack", **options})
        return path

    return write


def _imagej(folder: Path, frames: np.ndarray) -> Path:
    path = folder / "imagej.tif"
    tifffile.imwrite(path, frames, imagej=True, metadata={"axes": "TYX"})
    return path


def _npy(folder: Path, frames: np.ndarray) -> Path:
    np.save(folder / "a.npy", frames)
    return folder / "a.npy"


def _hdf5(**options: object) -> Callable[[Path, np.ndarray], Path]:
    def write(folder: Path, frames: np.ndarray) -> Path:
        with h5py.File(folder / "a.h5", "w") as file:
            file.create_dataset("entry/data/data", data=frames, **options)
        return folder / "a.h5"

    return write


def _edf(folder: Path, frames: np.ndarray) -> Path:
    image = EdfImage(data=frames[0], header={})
    for frame in frames[1:]:
        image.append_frame(data=frame)
    image.write(str(folder / "a.edf"))
    return folder / "a.edf"


def _folder(suffix: str) -> Callable[[Path, np.ndarray], Path]:
    def write(folder: Path, frames: np.ndarray) -> Path:
        target = folder / f"folder_of{suffix.replace('.', '_')}"
        target.mkdir()
        for number, frame in enumerate(frames):
            if suffix == ".tif":
                tifffile.imwrite(target / f"{number}{suffix}", frame)
            else:
                Image.fromarray(frame).save(target / f"{number}{suffix}")
        return target

    return write


def _picture(suffix: str, **options: object) -> Callable[[Path, np.ndarray], Path]:
    def write(folder: Path, frames: np.ndarray) -> Path:
        Image.fromarray(frames[0]).save(folder / f"a{suffix}", **options)
        return folder / f"a{suffix}"

    return write


def _video(
    suffix: str, codec: str, pixels: str, **options: object
) -> Callable[[Path, np.ndarray], Path]:
    def write(folder: Path, frames: np.ndarray) -> Path:
        path = folder / f"{codec}{suffix}"
        write_video(path, frames, codec, pixels, **options)
        return path

    return write


def write_video(
    path: Path, frames: np.ndarray, codec: str = "libx264", pixels: str = "yuv420p", **options
) -> None:
    """Write uint8 frames ``(frames, height, width)`` or with RGB channels behind."""
    with av.open(str(path), "w", **options) as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixels
        stream.gop_size = 8
        for frame in frames:
            layout = {2: "gray16le" if frame.dtype == np.uint16 else "gray", 3: "rgb24"}[frame.ndim]
            picture = av.VideoFrame.from_ndarray(frame, format=layout).reformat(format=pixels)
            for packet in stream.encode(picture):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


LOSSLESS = (
    Format("npy", _npy, ("uint8", "uint16", "int64", "float16", "float32", ">u2", "bool")),
    Format("tiff", _tiff("plain", metadata=None)),
    Format("tiff big-endian", _tiff("big_endian", byteorder=">")),
    Format("tiff of one contiguous series", _tiff("shaped")),
    Format("tiff one page for all", _tiff("truncate", metadata={"truncate": True})),
    Format("bigtiff", _tiff("big", bigtiff=True, metadata=None)),
    Format("tiff deflate", _tiff("deflate", compression="deflate", metadata=None)),
    Format(
        "tiff lzw in strips",
        _tiff("lzw", compression="lzw", rowsperstrip=3, metadata=None),
    ),
    Format("tiff in tiles", _tiff("tiles", tile=(16, 16), metadata=None)),
    Format("imagej tiff", _imagej, ("uint8", "uint16", "float32")),
    Format("ome tiff", _tiff("ome", ome=True, metadata={"axes": "TYX"})),
    Format("hdf5", _hdf5()),
    Format("hdf5 chunks of two", _hdf5(chunks=True)),
    Format("hdf5 bitshuffle", _hdf5(chunks=True, **hdf5plugin.Bitshuffle(cname="lz4"))),
    Format("hdf5 lz4", _hdf5(chunks=True, **hdf5plugin.LZ4())),
    Format("edf", _edf),
    Format("folder of tiff", _folder(".tif")),
    Format("folder of png", _folder(".png"), ("uint8", "uint16")),
    Format("folder of bmp", _folder(".bmp"), ("uint8",)),
)

LOSSY_OR_SINGLE = (
    Format("png", _picture(".png"), ("uint8",)),
    Format("bmp", _picture(".bmp"), ("uint8",)),
    Format("jpeg", _picture(".jpg"), ("uint8",)),
    Format("progressive jpeg", _picture(".jpg", progressive=True), ("uint8",)),
    Format("mp4", _video(".mp4", "libx264", "yuv420p"), ("uint8",)),
    Format(
        "mp4 with the index in front",
        _video(".mp4", "libx264", "yuv420p", options={"movflags": "+faststart"}),
        ("uint8",),
    ),
    Format("mov", _video(".mov", "libx264", "yuv420p"), ("uint8",)),
    Format("avi mjpeg", _video(".avi", "mjpeg", "yuvj420p"), ("uint8",)),
    Format("avi mpeg4", _video(".avi", "mpeg4", "yuv420p"), ("uint8",)),
    Format("mkv h264", _video(".mkv", "libx264", "yuv420p"), ("uint8",)),
    Format("mkv ffv1", _video(".mkv", "ffv1", "gray"), ("uint8",)),
)


@pytest.fixture(scope="module", params=LOSSLESS, ids=lambda form: form.name)
def lossless(request: pytest.FixtureRequest) -> Format:
    """Each format that gives back exactly what was stored."""
    return request.param


@pytest.fixture(
    scope="module",
    params=[form for form in LOSSLESS + LOSSY_OR_SINGLE if not form.name.startswith("folder")],
    ids=lambda form: form.name,
)
def file_format(request: pytest.FixtureRequest) -> Format:
    """Each format that is one file."""
    return request.param


@pytest.fixture(scope="session")
def save_video() -> Callable[..., None]:
    """Writer of videos."""
    return write_video


@pytest.fixture(scope="session")
def frames() -> np.ndarray:
    """Six different blocky frames ``(6, 32, 48)`` uint8, which every codec can store."""
    blocks = np.random.default_rng(7).integers(0, 255, (8, 12)).astype(np.uint8)
    picture = blocks.repeat(4, axis=0).repeat(4, axis=1)
    return np.stack([np.roll(picture, 3 * shift, axis=1) for shift in range(6)])


@pytest.fixture(autouse=True)
def _no_warnings() -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
