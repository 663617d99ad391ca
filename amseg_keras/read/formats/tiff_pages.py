"""Which pages of a TIFF file are frames, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import tifffile

Page = tifffile.TiffPage | tifffile.TiffFrame

_MOST_ASKED = 256
_NOT_A_FRAME = tifffile.FILETYPE.REDUCEDIMAGE | tifffile.FILETYPE.MASK


@dataclass(frozen=True)
class FramePages:
    """The pages of a file that are frames.

    Attributes:
        source: All pages of the file, or those that are frames; None for a plane that is missing.
        chosen: Index into `source` of each frame; None if every page is one.
        notes: What was assumed, a sentence each.
    """

    source: Sequence[Page | None]
    chosen: tuple[int, ...] | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.source) if self.chosen is None else len(self.chosen)

    def __getitem__(self, index: int) -> Page:
        page = self.source[index if self.chosen is None else self.chosen[index]]
        assert page is not None
        return page

    def is_missing(self, index: int) -> bool:
        """Whether the file has no page for a frame that it counts."""
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

    Of a long file some pages are asked alone; every page is turned by its own orientation.
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
    """Planes in the order of their OME metadata; None where these describe no stack of planes."""
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
