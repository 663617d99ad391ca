"""Real frames that their owners publish: fetched from them, and turned into data sets here."""

from amseg_keras.datasets.public.sources import (
    SOURCES,
    DownloadError,
    PublicFile,
    PublicSource,
    download,
    make_dataset,
)

__all__ = [
    "SOURCES",
    "DownloadError",
    "PublicFile",
    "PublicSource",
    "download",
    "make_dataset",
]
