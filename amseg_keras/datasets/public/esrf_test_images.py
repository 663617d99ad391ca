"""The two ESRF frames of the authors' folder "Test images"."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.datasets.dataset import Dataset, LabelledFrame, write_frame
from amseg_keras.read import ReadError, open_stack

_PROCESSES = ("lpbf", "welding")
_SHAPE = (256, 512)
_PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")


def make_esrf_test_images(given: Path, folder: Path, advance: Callable[[], object]) -> Dataset:
    """Turn the pictures into frames without labels.

    Args:
        given: The folder that holds them, or one of them; they are told by their names, in which
            the process is ("LPBF.jpg", "2. Welding.jpg"), whatever else the folder holds.
        folder: Of the data set.
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
