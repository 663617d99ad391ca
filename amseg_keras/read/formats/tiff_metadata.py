"""Read from a TIFF file which pages are frames, pixel size, frame rate and axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree

import tifffile

from amseg_keras.read.formats.base import in_micrometres, in_seconds

Page = tifffile.TiffPage | tifffile.TiffFrame

_MOST_ASKED = 64
_NOT_A_FRAME = tifffile.FILETYPE.REDUCEDIMAGE | tifffile.FILETYPE.MASK


@dataclass(frozen=True)
class FramePages:
    """The pages of a file that are frames.

    Attributes:
        source: All pages of the file, or those that are frames; None for a plane that is missing.
        chosen: Index into `source` of each frame; None if every page is one.
        notes: Sentence for each assumption.
    """

    source: Sequence[Page | None]
    chosen: tuple[int, ...] | None = None
    notes: tuple[str, ...] = ()
    _latest: dict[int, Page] = field(default_factory=dict, compare=False, repr=False)
    """The last requested page, because tifffile reads its tags again each time."""

    def __len__(self) -> int:
        return len(self.source) if self.chosen is None else len(self.chosen)

    def __getitem__(self, index: int) -> Page:
        page = self._latest.get(index)
        if page is None:
            page = self.source[index if self.chosen is None else self.chosen[index]]
            assert page is not None
            self._latest.clear()
            self._latest[index] = page
        return page

    def is_missing(self, index: int) -> bool:
        """Tell whether the file counts a frame and has no page for it."""
        return self.chosen is None and isinstance(self.source, list) and self.source[index] is None


def find_pages(tiff: tifffile.TiffFile) -> FramePages:
    """Find the pages that are frames.

    OME metadata say the order of the planes; thumbnails, reduced copies and transparency masks are
    passed over.
    """
    if tiff.is_ome:
        ordered = _ome_planes(tiff)
        if ordered is not None:
            return ordered
    pages = tiff.pages
    count = len(pages)
    if count == 1:
        return FramePages(pages)
    # Full pages in place of lean ones are slow to read: a file with other pages than frames has one
    # near its beginning or at its end.
    if not any(_is_no_frame(pages[at]) for at in {0, 1, 2, count // 2, count - 1} if at < count):
        return FramePages(pages)
    chosen = tuple(at for at in range(count) if not _is_no_frame(pages[at]))
    left = count - len(chosen)
    if not chosen:
        return FramePages(pages)
    note = f"{left} pages are thumbnails, reduced copies or masks and were passed over"
    return FramePages(pages, chosen, (note,))


def orientation_of(page: Page) -> int:
    """Give the orientation that a page states, 1 where it states none."""
    # A virtual page has no entry of its own in the file, and lies behind the first one.
    own = page.keyframe if getattr(page, "is_virtual", False) else page.aspage()
    tag = own.tags.get(274) if own is not None else None
    return int(tag.value) if tag is not None and str(tag.value).isdigit() else 1


def count_turned(pages: FramePages, orientation: int) -> str | None:
    """Say how many pages are turned otherwise than the first; None if no page that is asked is.

    In a long file, only some pages are asked; every page is turned by its own orientation.
    """
    step = max(len(pages) // _MOST_ASKED, 1)
    asked = [at for at in range(0, len(pages), step) if not pages.is_missing(at)]
    odd = sum(orientation_of(pages[at]) != orientation for at in asked)
    if not odd:
        return None
    which = "pages" if step == 1 else "pages that were asked"
    return f"{odd} of {len(asked)} {which} are turned otherwise than the first"


def _is_no_frame(page: Page) -> bool:
    kind = page.subfiletype if isinstance(page, tifffile.TiffPage) else 0
    return bool(int(kind) & int(_NOT_A_FRAME))


def _ome_planes(tiff: tifffile.TiffFile) -> FramePages | None:
    """Return planes in the order of their OME metadata; None without such metadata."""
    images = tiff.series
    if not images or any(image.kind != "ome" for image in images):
        return None
    first = images[0]
    alike = [image for image in images if image.shape == first.shape and image.axes == first.axes]
    planes: list[Page | None] = [page for image in alike for page in image.pages]
    frames = [size for size, axis in zip(first.shape, first.axes, strict=True) if axis not in "YXS"]
    counted = 1
    for size in frames:
        counted *= size
    if len(planes) != counted * len(alike) or planes[0] is None:
        return None
    notes = []
    if len(images) > 1:
        notes.append(
            f"{len(alike)} images of the file read one after the other"
            + (f", {len(images) - len(alike)} of another size left out" if alike != images else "")
        )
    missing = sum(page is None for page in planes)
    if missing:
        notes.append(f"{missing} of {len(planes)} planes are missing in the file")
    return FramePages(planes, None, tuple(notes))


def pixel_size_um(tiff: tifffile.TiffFile) -> float | None:
    """Read the edge of a square pixel in micrometres; None if unknown, or not square.

    The resolution tag alone is no answer: written by cameras and editors it means dots per inch.
    """
    if tiff.is_imagej:
        unit_um = in_micrometres(str((tiff.imagej_metadata or {}).get("unit", "")))
        tags = tiff.pages.first.tags
        if unit_um is None or "XResolution" not in tags or "YResolution" not in tags:
            return None
        per_unit = tiff.pages.first.resolution
        if per_unit[0] <= 0 or per_unit[1] <= 0:
            return None
        return square(unit_um / per_unit[0], unit_um / per_unit[1])
    pixels = _ome_pixels(tiff)
    sizes = []
    for axis in "XY":
        unit_um = in_micrometres(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        value = _positive(pixels.get(f"PhysicalSize{axis}"))
        if value is None or unit_um is None:
            return None
        sizes.append(value * unit_um)
    return square(*sizes)


def frame_rate_hz(tiff: tifffile.TiffFile) -> float | None:
    """Return frames per second from the frame interval. ImageJ's `fps` is for playback.

    There is none where channels or slices stand between the points of time, as all of them are
    counted as frames.
    """
    return None if _counts_more_than_time(tiff) else _stated_rate_hz(tiff)


def rate_note(tiff: tifffile.TiffFile) -> str | None:
    """Say that the frame interval of the file was not taken; None where it was or is not there."""
    if not _counts_more_than_time(tiff) or _stated_rate_hz(tiff) is None:
        return None
    return (
        "the frame interval in the file was not taken, as channels and slices count as frames too; "
        "save one channel as a file of its own, or give the frame rate"
    )


def _counts_more_than_time(tiff: tifffile.TiffFile) -> bool:
    sizes = _sizes(tiff)
    return sizes["channels"] > 1 or (sizes["slices"] > 1 and sizes["frames"] > 1)


def _stated_rate_hz(tiff: tifffile.TiffFile) -> float | None:
    if tiff.is_imagej:
        metadata = tiff.imagej_metadata or {}
        interval = _positive(metadata.get("finterval"))
        unit = str(metadata.get("tunit", "sec"))
    else:
        pixels = _ome_pixels(tiff)
        interval = _positive(pixels.get("TimeIncrement"))
        unit = pixels.get("TimeIncrementUnit", "s")
    unit_s = in_seconds(unit)
    return None if interval is None or unit_s is None else 1.0 / (interval * unit_s)


def describe_axes(tiff: tifffile.TiffFile) -> str | None:
    """Return a note where pages run over more than one of time, depth and channel."""
    sizes = _sizes(tiff)
    long = [f"{size} {name}" for name, size in sizes.items() if size > 1]
    if len(long) < 2:
        return None
    if not tiff.is_imagej:
        order = str(_ome_pixels(tiff).get("DimensionOrder", ""))[:1:-1]
        return f"planes taken in the order of the OME metadata ({' x '.join(long)}, {order})"
    return f"pages taken one after the other as stored ({' x '.join(long)})"


def _sizes(tiff: tifffile.TiffFile) -> dict[str, int]:
    """Return the numbers of channels, slices and frames. The colours of a pixel are no channels."""
    if tiff.is_imagej:
        metadata = tiff.imagej_metadata or {}
        return {axis: _count(metadata.get(axis)) for axis in ("channels", "slices", "frames")}
    pixels = _ome_pixels(tiff)
    samples = int(tiff.pages.first.samplesperpixel)
    return {
        "channels": max(_count(pixels.get("SizeC")) // samples, 1),
        "slices": _count(pixels.get("SizeZ")),
        "frames": _count(pixels.get("SizeT")),
    }


def _count(value: object) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 12 else 1


def images_of_recording(tiff: tifffile.TiffFile) -> int:
    """Return the number of frames in the ImageJ metadata; 1 without a number."""
    promised = (tiff.imagej_metadata or {}).get("images", 1)
    return int(promised) if isinstance(promised, int | float) and promised > 0 else 1


def _ome_pixels(tiff: tifffile.TiffFile) -> dict[str, str]:
    if not tiff.is_ome or not tiff.ome_metadata:
        return {}
    try:
        root = ElementTree.fromstring(tiff.ome_metadata)
    except ElementTree.ParseError:
        return {}
    pixels = root.find(".//{*}Pixels")
    return {} if pixels is None else dict(pixels.attrib)


def square(x: float, y: float) -> float | None:
    """Give the edge of a pixel from its two edges; None if they differ.

    Example:
        >>> square(4.31, 4.3100000000000005), square(1.0, 2.0)
        (4.31, None)
    """
    # a TIFF stores fractions: 4.31, not 4.3100000000000005
    return round(x, 9) if abs(x - y) <= 1e-3 * x else None


def _positive(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if 0 < number < float("inf") else None
