"""From a published file to the data set of that name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from amseg_keras.datasets.dataset import Dataset
from amseg_keras.datasets.public.aps_ti64 import make_aps_ti64
from amseg_keras.datasets.public.download import sha256_of
from amseg_keras.datasets.public.esrf_test_images import make_esrf_test_images
from amseg_keras.datasets.public.hpdc_video import make_hpdc_video
from amseg_keras.datasets.public.sources import SOURCES

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
        name: One of `SOURCES`.
        given: The file or folder as its owners publish it.
        folder: Of the data set; its files are overwritten.
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
