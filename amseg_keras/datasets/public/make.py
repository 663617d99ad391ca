"""From a published file to the data set of that name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.datasets.dataset import Dataset, LabelledFrame, write_frame
from amseg_keras.datasets.public.aps_ti64 import make_aps_ti64
from amseg_keras.datasets.public.hpdc_video import make_hpdc_video
from amseg_keras.datasets.public.sources import SOURCES, sha256_of
from amseg_keras.read import ReadError, open_stack

_PROCESSES = ("lpbf", "welding")
_SHAPE = (256, 512)
_PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")


def make_esrf_test_images(given: Path, folder: Path, advance: Callable[[], object]) -> Dataset:
    """Turn the pictures into frames without labels.

    Args:
        given: The folder that holds them, or one of them; they are told by their names, in which
            the process is ("LPBF.jpg", "2. Welding.jpg"), whatever else the folder holds.
        folder: Folder of the data set.
        advance: Called after each frame.

    Raises:
        ReadError: There is none, or one has another size than 256x512.
    """
    files = sorted(given.iterdir()) if given.is_dir() else [given]
    frames = []
    for process in _PROCESSES:
        for file in files:
            if process not in file.name.lower() or file.suffix.lower() not in _PICTURES:
                continue
            with open_stack(file) as stack:
                image = stack[0]
            if image.shape != _SHAPE:
                raise ReadError(
                    f"{file}: is {image.shape[0]}x{image.shape[1]}, the ESRF test images are "
                    "256x512; give the authors' own files"
                )
            about = LabelledFrame(
                "",
                None,
                f"esrf_{process}",
                1,
                facility="esrf",
                process=process,
                other={"frame_rate_Hz": 40_000, "published_as": file.name},
            )
            frames.append(write_frame(folder, image, None, about))
            advance()
            break
    if not frames:
        raise ReadError(
            f"{given}: is or holds no picture with LPBF or Welding in its name; "
            "download them from the authors' folder 'Test images'"
        )
    return Dataset(
        folder,
        CLASS_NAMES,
        tuple(frames),
        pixel_size_um=4.31,
        origin="Real frames from ESRF, published as test images of AM-SegNet, without labels.",
    )


_MAKERS: dict[str, Callable[[Path, Path, Callable[[], object]], Dataset]] = {
    "hpdc-video": make_hpdc_video,
    "esrf-test-images": make_esrf_test_images,
    "aps-ti64-ampere": make_aps_ti64,
}


def make_dataset(
    name: str, given: Path, folder: Path, advance: Callable[[], object] = lambda: None
) -> Dataset:
    """Turn published files into a data set; `dataset.json` is written last.

    Args:
        name: Name out of `SOURCES`.
        given: The file or folder as its owners publish it.
        folder: Folder of the data set; its files are overwritten.
        advance: Called after each frame that was read.

    Returns:
        The data set; its `other["fetched"]` says what it was made from, its licence and citation.

    Raises:
        ReadError: The file or folder is not what it should be.
        KeyError: No such name.
    """
    source = SOURCES[name]
    made = _MAKERS[name](given, folder, advance)
    names = [frame.other.get("published_as") for frame in made.frames]
    files = [given] if given.is_file() else [given / str(name) for name in names]
    fetched = {
        "name": name,
        "page": source.page,
        "licence": source.licence,
        "citation": source.citation,
        "sha256": {file.name: sha256_of(file) for file in files},
    }
    made = replace(made, other={**made.other, "fetched": fetched})
    made.save()
    return made
