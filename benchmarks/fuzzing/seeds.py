"""Small sound files of every kind."""

from __future__ import annotations

import base64
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

SIZE = (24, 32)
PALETTE = {"background": (0, 0, 0), "pore": (255, 0, 0)}


def write_seeds(reader: str, folder: Path) -> list[Path]:
    """Write the sound files of one reader.

    Args:
        reader: One of `fuzzing.readers.READERS`.
        folder: Where to; made.

    Returns:
        The files, and folders that are read as one.
    """
    folder.mkdir(parents=True)
    _WRITERS[reader](folder)
    return sorted(path for path in folder.iterdir() if not path.name.startswith("source"))


def _movie(count: int = 5) -> np.ndarray:
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return np.stack([(7 * rows + 3 * columns + 11 * k) % 251 for k in range(count)]).astype("u1")


def _tiff(folder: Path) -> None:
    import tifffile

    frames = _movie()
    plain: dict[str, object] = {"photometric": "minisblack"}
    for name, options in {
        "plain": {"metadata": None},
        "shaped": {},
        "deflate": {"compression": "deflate"},
        "tiles": {"tile": (16, 16), "compression": "lzw"},
        "big": {"bigtiff": True, "byteorder": ">"},
        "ome": {"ome": True, "metadata": {"axes": "TYX"}},
        "white": {"photometric": "miniswhite"},
    }.items():
        tifffile.imwrite(folder / f"{name}.tif", frames, **(plain | options))
    tifffile.imwrite(folder / "imagej.tif", frames, imagej=True, metadata={"axes": "TYX"})
    planes = {"photometric": "rgb", "planarconfig": "separate"}
    tifffile.imwrite(folder / "planes.tif", frames[:3], **planes)
    turned = [(274, "H", 1, 6, True)]
    tifffile.imwrite(folder / "turned.tif", frames[0], extratags=turned, metadata=None)


def _numpy(folder: Path) -> None:
    np.save(folder / "bytes.npy", _movie())
    np.save(folder / "floats.npy", _movie().astype("f4"))
    np.save(folder / "fortran.npy", np.asfortranarray(_movie().astype(">u2")))


def _hdf5(folder: Path) -> None:
    import h5py
    import hdf5plugin

    frames = _movie()
    for name, options in {
        "contiguous": {},
        "gzip": {"chunks": (1, *SIZE), "compression": "gzip"},
        "lz4": {"chunks": (2, *SIZE), **hdf5plugin.LZ4()},
    }.items():
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file.create_dataset("entry/data/data", data=frames, **options)
            file.attrs["default"] = "entry/data"
            file["entry/data"].attrs["signal"] = "data"
    with h5py.File(folder / "virtual.h5", "w", libver="latest") as file:
        file["part"] = frames
        layout = h5py.VirtualLayout(frames.shape, "u1")
        layout[:3] = h5py.VirtualSource(".", "part", frames.shape)[:3]
        layout[3:] = h5py.VirtualSource(".", "part", frames.shape)[3:]
        file.create_virtual_dataset("entry/data", layout)
        file.attrs["default"], file["entry"].attrs["signal"] = "entry", "data"


def _edf(folder: Path) -> None:
    from fabio.edfimage import EdfImage

    image = EdfImage(data=_movie()[0], header={"acq_frame_nb": "0"})
    for frame in _movie()[1:]:
        image.append_frame(data=frame)
    image.write(str(folder / "movie.edf"))
    EdfImage(data=_movie()[0].astype("u2"), header={}).write(str(folder / "one.edf"))
    stored = (folder / "movie.edf").read_bytes()
    (folder / "movie.edf.gz").write_bytes(gzip.compress(stored))


def _zarr(folder: Path) -> None:
    import zarr

    for version in (2, 3):
        group = zarr.open_group(folder / f"v{version}.zarr", mode="w", zarr_format=version)
        group.create_array("0", data=_movie(), chunks=(1, *SIZE))
        axes = [{"name": name} for name in "tyx"]
        image = {"multiscales": [{"axes": axes, "datasets": [{"path": "0"}]}]}
        group.attrs.update(image if version == 2 else {"ome": image})


def _picture(folder: Path) -> None:
    from PIL import Image

    frame = Image.fromarray(_movie()[0])
    turned = Image.Exif()
    turned[274] = 8
    for name in ("a.png", "a.jpg", "a.bmp"):
        frame.save(folder / name, exif=turned if name != "a.bmp" else None)
    frame.convert("RGB").save(folder / "rgb.png")
    frame.convert("P").save(folder / "palette.png")
    Image.fromarray(_movie()[0].astype("u2") * 200).save(folder / "deep.png")


def _video(folder: Path) -> None:
    import av

    frames = _movie(8)
    for name, codec, pixels in (
        ("a.mp4", "libx264", "yuv420p"),
        ("a.avi", "mjpeg", "yuvj420p"),
        ("a.mkv", "ffv1", "gray"),
        ("a.mov", "mpeg4", "yuv420p"),
    ):
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream(codec, rate=25)
            stream.height, stream.width = SIZE
            stream.pix_fmt = pixels
            for frame in frames:
                picture = av.VideoFrame.from_ndarray(frame, format="gray").reformat(format=pixels)
                container.mux(stream.encode(picture))
            container.mux(stream.encode())


def _folder(folder: Path) -> None:
    import tifffile

    place = folder / "sequence"
    place.mkdir()
    for k, frame in enumerate(_movie(4)):
        tifffile.imwrite(place / f"f_{k:03}.tif", frame, metadata=None)


def _labels() -> np.ndarray:
    labels = np.zeros(SIZE, np.uint8)
    labels[12:] = 1
    labels[14:18, 5:9] = 2
    return labels


def _label_images(folder: Path) -> None:
    import tifffile
    from PIL import Image

    Image.fromarray(_labels()).save(folder / "ids.png")
    Image.fromarray((_labels() > 1).astype("u1") * 255).save(folder / "binary.png")
    palette = Image.fromarray(_labels()).convert("P")
    palette.save(folder / "palette.png")
    tifffile.imwrite(folder / "ids.tif", np.stack([_labels()] * 3), photometric="minisblack")
    tifffile.imwrite(folder / "white.tif", _labels() > 1, photometric="miniswhite")


def _colours(folder: Path) -> None:
    import tifffile
    from PIL import Image

    picture = np.zeros((*SIZE, 3), np.uint8)
    picture[_labels() == 2, 0] = 255
    for name in ("a.png", "a.bmp", "a.jpg"):
        Image.fromarray(picture).save(folder / name)
    tifffile.imwrite(folder / "a.tif", picture, photometric="rgb", metadata=None)


def _coco(folder: Path) -> None:
    document = {
        "images": [
            {"id": k, "file_name": f"f_{k}.png", "height": SIZE[0], "width": SIZE[1]}
            for k in range(3)
        ],
        "categories": [{"id": 1, "name": "pore"}, {"id": 2, "name": "keyhole"}],
        "annotations": [
            {"id": 1, "image_id": 0, "category_id": 1, "segmentation": [[2, 2, 9, 2, 9, 9]]},
            {"id": 2, "image_id": 1, "category_id": 2, "segmentation": [], "bbox": [3, 4, 5, 6]},
            {
                "id": 3,
                "image_id": 2,
                "category_id": 1,
                "segmentation": {"size": list(SIZE), "counts": [100, 20, 648]},
            },
            {
                "id": 4,
                "image_id": 2,
                "category_id": 2,
                "segmentation": {"size": list(SIZE), "counts": "T3d0Xd0"},
            },
        ],
    }
    (folder / "coco.json").write_text(json.dumps(document), "utf-8")


def _labelme(folder: Path) -> None:
    from PIL import Image

    stored = io.BytesIO()
    Image.fromarray(np.full((4, 5), 255, np.uint8)).save(stored, "png")
    mask = base64.b64encode(stored.getvalue()).decode()
    shapes = [
        {"label": "pore", "points": [[2, 2], [9, 2], [9, 9.5]], "shape_type": "polygon"},
        {"label": "keyhole", "points": [[12, 2], [19, 9]], "shape_type": "rectangle"},
        {"label": "pore", "points": [[22, 12], [24, 12]], "shape_type": "circle"},
        {"label": "pore", "points": [[3, 12]], "shape_type": "mask", "mask": mask},
    ]
    document = {"shapes": shapes, "imageHeight": SIZE[0], "imageWidth": SIZE[1]}
    (folder / "f_0.json").write_text(json.dumps(document), "utf-8")


def _dataset(folder: Path) -> None:
    from amseg_keras.datasets import Dataset, LabelledFrame
    from amseg_keras.datasets.dataset import write_frame

    place = folder / "data"
    place.mkdir()
    frames = tuple(
        write_frame(place, frame, _labels(), LabelledFrame("", None, "shot", k, material="Ti64"))
        for k, frame in enumerate(_movie(2))
    )
    Dataset(place, ("background", "keyhole", "pore"), frames, 2.0).save()


def _legacy(folder: Path) -> None:
    import h5py

    with h5py.File(folder / "weights.hdf5", "w") as file:
        names = ["conv2d", "batch_normalization", "activation"]
        file.attrs["layer_names"] = np.array(names, "S")
        weights = {
            "conv2d": {"kernel:0": (3, 3, 1, 4), "bias:0": (4,)},
            "batch_normalization": {
                f"{name}:0": (4,) for name in ("gamma", "beta", "moving_mean", "moving_variance")
            },
            "activation": {},
        }
        for layer, shapes in weights.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = np.array([f"{layer}/{name}" for name in shapes], "S")
            for name, shape in shapes.items():
                group.create_dataset(f"{layer}/{name}", data=np.ones(shape, "f4"))


def _preset(folder: Path) -> None:
    from amseg_keras import from_pretrained

    from_pretrained("amsegnet-esrf-lite").save_pretrained(folder / "preset")


_WRITERS: dict[str, Callable[[Path], None]] = {
    "tiff": _tiff,
    "numpy": _numpy,
    "hdf5": _hdf5,
    "edf": _edf,
    "zarr": _zarr,
    "picture": _picture,
    "video": _video,
    "folder": _folder,
    "label-image": _label_images,
    "colours": _colours,
    "coco": _coco,
    "labelme": _labelme,
    "dataset": _dataset,
    "legacy weights": _legacy,
    "preset": _preset,
}
