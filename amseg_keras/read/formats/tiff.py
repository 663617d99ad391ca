"""TIFF of every kind, read page by page through tifffile."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tifffile

from amseg_keras._on_demand import needed
from amseg_keras.read.errors import ReadError, quiet, reading
from amseg_keras.read.formats.base import (
    FrameReader,
    StackInfo,
    orientation_note,
    swaps_axes,
    upright,
)
from amseg_keras.read.formats.tiff_metadata import (
    Page,
    count_turned,
    describe_axes,
    find_pages,
    frame_rate_hz,
    images_of_recording,
    orientation_of,
    pixel_size_um,
    rate_note,
)
from amseg_keras.read.pixels import (
    COLOUR_NOTE,
    Layout,
    asked_layout,
    is_colour,
    layout_note,
    plain_dtype,
    to_grey,
)

_LOGGER = "tifffile"
_MOST_BYTES = 1 << 32
_MOST_SAVED = 20000
"""Compression makes no frame smaller by more than this factor, constant ones included."""

INVERTED_NOTE = (
    "stored values kept, though the file says that 0 is white; if gas is darker than the plate: "
    "amseg prepare --repair"
)
_DISPLAY_NOTES: dict[int, str] = {
    tifffile.PHOTOMETRIC.PALETTE: "stored values kept, the colour palette of the file ignored",
    tifffile.PHOTOMETRIC.MINISWHITE: INVERTED_NOTE,
}


class TiffReader(FrameReader):
    """A TIFF file; every page is a frame, in the order that the file says.

    Args:
        axes: Meaning of the axes of all its pages together, if the user said it.

    Attributes:
        is_inverted: True if the file says that 0 is white.
        is_imagej: True if ImageJ wrote the file.
    """

    kind = "TIFF"

    def __init__(self, path: Path, axes: str | None) -> None:
        self.label = str(path)
        with reading(self.label, self.kind), quiet(_LOGGER):
            self._tiff = tifffile.TiffFile(path)
            self._contiguous: np.ndarray | None = None
            self._planes = False
            self._layout: Layout | None = None
            try:
                self.info = self._inspect(axes)
            except BaseException:
                self._tiff.close()
                raise

    def read(self, index: int) -> np.ndarray:
        with quiet(_LOGGER):
            if self._layout is not None:
                return upright(self._regrouped(index), self._orientation)
            if self._planes:
                plane = self._stored(0)[index]
                return upright(plane, self._orientation)
            pixels = to_grey(self._pixels(index))
            if self._contiguous is not None:
                return upright(pixels, self._orientation)
            return upright(pixels, orientation_of(self._pages[index]))

    def is_missing(self, index: int) -> bool:
        return not self._planes and self._layout is None and self._pages.is_missing(index)

    def close(self) -> None:
        self._contiguous = None  # the map keeps the file open
        self._tiff.close()

    def _inspect(self, axes: str | None) -> StackInfo:
        tiff = self._tiff
        self._check_page_chain()
        page = tiff.pages.first
        if page.dtype is None:
            raise ReadError(
                f"{self.label}: has pixels of {page.bitspersample} bits in a form that cannot be "
                "read; save it as 8 or 16 bit"
            )
        self._pages = find_pages(tiff)
        frames = len(self._pages)
        self._contiguous = self._map_contiguous() if len(tiff.pages) == 1 else None
        if self._contiguous is not None:
            frames = len(self._contiguous)
        whole = images_of_recording(tiff)
        notes: list[str | None] = [*self._pages.notes]
        if frames < whole:
            # ImageJ describes a whole stack by its first page above 4 GB: then it is cut. A part of
            # a recording that was split has a page for each of its frames.
            if frames == 1:
                raise ReadError(
                    f"{self.label}: says that it holds {whole} frames, but only {frames} are "
                    "there; it was cut short: copy or export it again"
                )
            notes.append(
                f"the file says that its recording has {whole} frames, and holds {frames} of them: "
                "taken as a part of it"
            )
        dtype = plain_dtype(page.dtype, self.label)
        height, width, channels = self._page_shape(page)
        self._check_size(page, height * width * channels * page.dtype.itemsize)
        self._orientation = orientation_of(page)
        odd = count_turned(self._pages, self._orientation)
        self.is_inverted = page.photometric == tifffile.PHOTOMETRIC.MINISWHITE
        self.is_imagej = bool(tiff.is_imagej)
        notes += [describe_axes(tiff), rate_note(tiff), orientation_note(self._orientation)]
        if odd:
            notes.append(f"{odd}, each as its own orientation says")
        if axes is not None and odd:
            raise ReadError(
                f"{self.label}: has pages of different orientation, which --axes cannot regroup; "
                "save it with frames turned alike"
            )
        if axes is not None:
            frames, height, width = self._regroup(axes, frames, (height, width, channels))
            notes.append(layout_note(self._layout, axes, None) if self._layout else None)
        elif self._are_planes(page, frames, channels):
            self._planes, frames = True, channels
            notes.append(
                f"{channels} planes of one page taken as {channels} frames, as the program that "
                f"wrote the file ({_software(page)}) saves {channels} frames; if they are the "
                "colours of one frame: --axes SYX"
            )
        elif channels >= 3 and is_colour(self._pixels(0)):
            notes.append(COLOUR_NOTE)
            if page.axes.startswith("S") and frames == 1:
                notes.append(
                    f"{channels} planes of one page taken as the colours of one frame; if they "
                    "are frames: --axes TYX"
                )
        notes.append(_DISPLAY_NOTES.get(page.photometric))
        if swaps_axes(self._orientation):
            height, width = width, height
        return StackInfo(
            frames=frames,
            height=height,
            width=width,
            dtype=dtype,
            pixel_size_um=pixel_size_um(tiff),
            frame_rate_hz=frame_rate_hz(tiff),
            notes=tuple(note for note in notes if note),
            whole=whole if whole > frames else None,
            is_inverted=self.is_inverted,
        )

    def _check_page_chain(self) -> None:
        """Raise if the list of pages does not end as a whole file ends it, with offset 0.

        tifffile logs a broken chain and continues with the pages before the break.
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

    def _check_size(self, page: tifffile.TiffPage, declared: int) -> None:
        stored = sum(page.databytecounts)
        most = stored if page.compression == tifffile.COMPRESSION.NONE else stored * _MOST_SAVED
        if declared > _MOST_BYTES or declared // 2 > max(most, 1 << 20):
            raise ReadError(
                f"{self.label}: declares frames of {declared:,} bytes and stores {stored:,}; it is "
                "damaged: copy or export it again"
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

    def _are_planes(self, page: tifffile.TiffPage, frames: int, channels: int) -> bool:
        """Tell whether the "colours" of the only page are frames.

        tifffile writes three or four frames as colours if it is not told what they are, with and
        without metadata of its own. scikit-image and napari write with tifffile.
        """
        return (
            frames == 1
            and channels in (3, 4)
            and page.axes.startswith("S")
            and not (self._tiff.is_ome or self._tiff.is_imagej)
            and "tifffile" in _software(page)
        )

    def _regroup(self, axes: str, frames: int, page: tuple[int, int, int]) -> tuple[int, int, int]:
        """Read the pixels of all pages as one array with the axes that the user says."""
        height, width, channels = page
        stored = "S" in self._tiff.pages.first.axes and channels > 1
        planar = stored and self._tiff.pages.first.axes.startswith("S")
        shape = [height, width]
        if stored:
            shape = [channels, *shape] if planar else [*shape, channels]
        if frames > 1:
            shape = [frames, *shape]
        series = self._tiff.series[0].shape
        if len(axes) == len(series) and int(np.prod(series)) == int(np.prod(shape)):
            shape = list(series)
        self._layout = asked_layout(tuple(shape), axes, self.label)
        self._page_pixels = int(np.prod(shape)) // frames
        self._array_pages = frames
        return self._layout.frames, self._layout.height, self._layout.width

    def _regrouped(self, index: int) -> np.ndarray:
        assert self._layout is not None
        layout = self._layout
        if layout.axes[-2:] == "YX" and not layout.has_colour and self._array_pages > 1:
            # A frame is a page, or a plane of one.
            planes = self._page_pixels // (layout.height * layout.width)
            page, plane = divmod(index, max(planes, 1))
            pixels = self._stored(page)
            return np.array(pixels.reshape(-1, layout.height, layout.width)[plane])
        whole = np.stack([self._stored(page) for page in range(self._array_pages)])
        return np.array(layout.frame(whole.reshape(layout.shape), index))

    def _page_shape(self, page: Page) -> tuple[int, int, int]:
        sizes = dict(zip(page.axes, page.shape, strict=True))
        extra = {axis: size for axis, size in sizes.items() if axis not in "YXS" and size > 1}
        if extra or sizes.get("S", 1) > 4:
            raise ReadError(
                f"{self.label}: has pages of shape {page.shape} ({page.axes}), which are neither "
                "grey nor RGB frames; save it as a stack of 2-D frames"
            )
        return sizes["Y"], sizes["X"], sizes.get("S", 1)

    def _pixels(self, index: int) -> np.ndarray:
        """Read frame `index` as stored: ``(height, width)`` or ``(height, width, channels)``."""
        page = self._pages[0 if self._contiguous is not None else index]
        pixels = self._stored(index)
        height, width, channels = self._page_shape(page)
        if channels > 1 and page.axes.index("S") < page.axes.index("Y"):
            pixels = np.moveaxis(pixels.reshape(channels, height, width), 0, -1)
        return pixels.reshape((height, width, channels) if channels > 1 else (height, width))

    def _stored(self, index: int) -> np.ndarray:
        if self._contiguous is not None:
            return np.array(self._contiguous[index], subok=False)
        if self._pages.is_missing(index):
            raise ReadError(f"{self.where(index)} is missing, the file names no page for it")
        page = self._pages[index]
        self._check_extent(page, index)
        try:
            return np.asarray(page.asarray())
        except (ValueError, ModuleNotFoundError) as error:
            # Before Python 3.14, tifffile finds no module that reads Zstandard.
            missing = isinstance(error, ModuleNotFoundError)
            if missing or "'imagecodecs' package" in str(error):
                name = tifffile.COMPRESSION(page.compression).name
                needed("imagecodecs", f"a TIFF file with the compression {name}")
            raise

    def _check_extent(self, page: Page, index: int) -> None:
        # tifffile fills strips that are missing, or were never written, with zeros.
        segments: Sequence[tuple[int, int]] = list(
            zip(page.dataoffsets, page.databytecounts, strict=True)
        )
        if len(segments) < np.prod(page.chunked) or not all(length for _, length in segments):
            raise ReadError(
                f"{self.where(index)} has no pixels stored for part of it; "
                "the recording or export stopped early, export it again"
            )
        if max(start + length for start, length in segments) > page.parent.filehandle.size:
            raise ReadError(
                f"{self.where(index)} lies beyond the end of the file, which was cut short; "
                "copy or export it again"
            )


def open_file(path: Path, axes: str | None = None) -> TiffReader:
    """Open a TIFF file."""
    return TiffReader(path, axes)


def _software(page: tifffile.TiffPage) -> str:
    tag = page.tags.get("Software")
    return str(tag.value) if tag is not None else ""
