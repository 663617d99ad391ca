"""TIFF of every kind, read page by page through tifffile."""

from pathlib import Path

import numpy as np
import tifffile

from amseg_keras.read.errors import ReadError, quiet, reading
from amseg_keras.read.formats.base import FrameReader, StackInfo
from amseg_keras.read.formats.tiff_metadata import describe_axes, frame_rate_hz, pixel_size_um
from amseg_keras.read.grey import COLOUR_NOTE, is_colour, plain_dtype, to_grey

_LOGGER = "tifffile"
_DISPLAY_NOTES: dict[int, str] = {
    tifffile.PHOTOMETRIC.PALETTE: "stored values kept, the colour palette of the file ignored",
    tifffile.PHOTOMETRIC.MINISWHITE: "stored values kept, though the file says that 0 is white",
}


class TiffReader(FrameReader):
    """A TIFF file; every page is a frame, in file order."""

    kind = "TIFF"

    def __init__(self, path: Path) -> None:
        self.label = str(path)
        with reading(self.label, self.kind), quiet(_LOGGER):
            self._tiff = tifffile.TiffFile(path)
            self._contiguous: np.ndarray | None = None
            try:
                self.info = self._inspect()
            except BaseException:
                self._tiff.close()
                raise

    def read(self, index: int) -> np.ndarray:
        with quiet(_LOGGER):
            return to_grey(self._pixels(index))

    def close(self) -> None:
        self._contiguous = None  # the map keeps the file open
        self._tiff.close()

    def _inspect(self) -> StackInfo:
        tiff = self._tiff
        frames = len(tiff.pages)
        self._check_page_chain()
        page = tiff.pages.first
        self._contiguous = self._map_contiguous() if frames == 1 else None
        if self._contiguous is not None:
            frames = len(self._contiguous)
        promised = (tiff.imagej_metadata or {}).get("images", 1)
        if frames < promised:
            raise ReadError(
                f"{self.label}: says that it holds {promised} frames, but only {frames} are "
                "there; it was cut short: copy or export it again"
            )
        if page.dtype is None:
            raise ReadError(
                f"{self.label}: has pixels of {page.bitspersample} bits in a form that cannot be "
                "read; save it as 8 or 16 bit"
            )
        dtype = plain_dtype(page.dtype, self.label)
        height, width, channels = self._page_shape(page)
        notes = [describe_axes(tiff)]
        if channels >= 3 and is_colour(self._pixels(0)):
            notes.append(COLOUR_NOTE)
        notes.append(_DISPLAY_NOTES.get(page.photometric))
        return StackInfo(
            frames=frames,
            height=height,
            width=width,
            dtype=dtype,
            pixel_size_um=pixel_size_um(tiff),
            frame_rate_hz=frame_rate_hz(tiff),
            notes=tuple(note for note in notes if note),
        )

    def _check_page_chain(self) -> None:
        """Raise if the list of pages does not end as a whole file ends it, with offset 0.

        tifffile logs a broken chain and goes on with the pages before the break.
        """
        handle, width = self._tiff.filehandle, self._tiff.tiff.offsetsize
        end = self._tiff.pages.next_page_offset
        if end is None:
            raise ReadError(f"{self.label}: holds no pages; copy or export it again")
        handle.seek(end)
        # A broken chain can also lead into the pixels, and there to a page that is none.
        whole = handle.read(width) == bytes(width) and self._tiff.pages[-1].dataoffsets
        if not whole:
            raise ReadError(
                f"{self.label}: is cut short or damaged, its list of pages breaks off after "
                f"{len(self._tiff.pages)} or fewer; copy or export it again"
            )

    def _map_contiguous(self) -> np.ndarray | None:
        # ImageJ (always above 4 GB) and tifffile can describe a whole stack by its first page.
        tiff = self._tiff
        if not (tiff.is_imagej or tiff.is_shaped):
            return None
        page_shape = tiff.pages.first.shape
        shape = tiff.series[0].shape
        if int(np.prod(shape)) <= int(np.prod(page_shape)):
            return None
        mapped = tifffile.memmap(tiff.filehandle.path, series=0, mode="r")
        return mapped.reshape(-1, *page_shape)

    def _page_shape(self, page: tifffile.TiffPage | tifffile.TiffFrame) -> tuple[int, int, int]:
        sizes = dict(zip(page.axes, page.shape, strict=True))
        extra = {axis: size for axis, size in sizes.items() if axis not in "YXS" and size > 1}
        if extra or sizes.get("S", 1) > 4:
            raise ReadError(
                f"{self.label}: has pages of shape {page.shape} ({page.axes}), which are neither "
                "grey nor RGB frames; save it as a stack of 2-D frames"
            )
        return sizes["Y"], sizes["X"], sizes.get("S", 1)

    def _pixels(self, index: int) -> np.ndarray:
        """Frame `index` as stored: ``(height, width)`` or ``(height, width, channels)``."""
        page = self._tiff.pages[0 if self._contiguous is not None else index]
        if self._contiguous is not None:
            pixels = np.array(self._contiguous[index], subok=False)
        else:
            self._check_extent(page, index)
            pixels = page.asarray()
        height, width, channels = self._page_shape(page)
        if channels > 1 and page.axes.index("S") < page.axes.index("Y"):
            pixels = np.moveaxis(pixels.reshape(channels, height, width), 0, -1)
        return pixels.reshape((height, width, channels) if channels > 1 else (height, width))

    def _check_extent(self, page: tifffile.TiffPage | tifffile.TiffFrame, index: int) -> None:
        # tifffile fills strips that are missing, or were never written, with zeros.
        segments = list(zip(page.dataoffsets, page.databytecounts, strict=True))
        if len(segments) < np.prod(page.chunked) or not all(length for _, length in segments):
            raise ReadError(
                f"{self.where(index)} has no pixels stored for part of it; "
                "the recording or export stopped early, export it again"
            )
        if max(start + length for start, length in segments) > self._tiff.filehandle.size:
            raise ReadError(
                f"{self.where(index)} lies beyond the end of the file, which was cut short; "
                "copy or export it again"
            )


def open_file(path: Path) -> TiffReader:
    """Open a TIFF file."""
    return TiffReader(path)
