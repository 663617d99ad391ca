"""Real frames that their owners publish: fetched from them, and turned into data sets here."""

from amseg_keras.datasets.public.download import DownloadError, download
from amseg_keras.datasets.public.make import make_dataset
from amseg_keras.datasets.public.sources import SOURCES, PublicFile, PublicSource

__all__ = [
    "SOURCES",
    "DownloadError",
    "PublicFile",
    "PublicSource",
    "download",
    "make_dataset",
]
