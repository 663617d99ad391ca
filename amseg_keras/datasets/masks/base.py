"""What every reader of masks gives, and how a mask finds its frame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from amseg_keras.datasets.open import plain_stem
from amseg_keras.read import ReadError


@dataclass(frozen=True)
class PageName:
    """Where a frame or a mask is: in which file, on which page.

    Attributes:
        stem: Name of the file without its folder and extension.
        page: Counted from 0.
        pages: How many the file has; 0 where the file does not say it.
    """

    stem: str
    page: int = 0
    pages: int = 1


@dataclass(frozen=True)
class ClassIds:
    """The id to write for each class.

    Attributes:
        by_name: Id of each class of the data set.
        unlabelled: Id of pixels that no shape covers: the class `background`, or the first.

    Example:
        >>> ClassIds.of(["melt", "background"]).unlabelled
        1
    """

    by_name: Mapping[str, int]
    unlabelled: int

    @classmethod
    def of(cls, class_names: Sequence[str]) -> ClassIds:
        """Ids 0, 1, ... in the order of the names."""
        by_name = {name: number for number, name in enumerate(class_names)}
        return cls(by_name, by_name.get("background", 0))


class Masks(Protocol):
    """Masks of some frames.

    Attributes:
        class_names: Classes that they name, in an order that is the same on every run.
        has_background: Whether pixels without a shape are background, which then needs a class.
        pages: Where each mask is, to match it with a frame.
    """

    @property
    def class_names(self) -> tuple[str, ...]: ...

    @property
    def has_background(self) -> bool: ...

    @property
    def pages(self) -> tuple[PageName, ...]: ...

    def draw(self, index: int, size: tuple[int, int], ids: ClassIds) -> np.ndarray:
        """Class ids of one mask.

        Args:
            index: Into `pages`.
            size: Rows and columns of the frame.
            ids: The id of each name; those of `class_names` are all there.

        Returns:
            uint8 `(height, width)`, 255 for "ignore".

        Raises:
            ReadError: The mask is wrong or of another size.
        """
        ...

    def notes(self) -> list[str]:
        """What was assumed or left out in the masks drawn so far, a sentence each."""
        ...


def check_size(where: str, found: tuple[int, ...], frame: tuple[int, int]) -> None:
    """Raise if a mask is not of its frame's size.

    Example:
        >>> check_size("a.json", (9, 9), (9, 9))
    """
    if tuple(found) != tuple(frame):
        mask, image = (" rows x ".join(map(str, size)) + " columns" for size in (found, frame))
        raise ReadError(
            f"{where}: is {mask}, but its frame is {image}; label the frame itself, not a crop or "
            "a scaled copy"
        )


def match_pages(
    frames: Sequence[PageName], masks: Sequence[PageName]
) -> tuple[list[int | None], list[str]]:
    """Find the mask of each frame.

    By name where any name is equal (`NAME_mask` counts as `NAME`); else in order, where there are
    as many masks as frames. Masks that say their position in a stack of unknown length are matched
    by it.

    Returns:
        For each frame the index of its mask, or None; and what was assumed, a sentence each.

    Raises:
        ReadError: Two frames, or two masks, of one name could be meant.

    Example:
        >>> match_pages([PageName("a"), PageName("b")], [PageName("b_mask")])[0]
        [None, 0]
    """
    exact = {mask: number for number, mask in enumerate(masks)}
    plain = {
        PageName(plain_stem(f"{mask.stem}.png"), mask.page, mask.pages): number
        for number, mask in enumerate(masks)
    }
    found = [exact.get(frame, plain.get(frame)) for frame in frames]
    matched = Counter(
        frame for frame, number in zip(frames, found, strict=True) if number is not None
    )
    if matched:
        listed = Counter(masks)
        for page in matched:
            if matched[page] > 1 or listed[page] > 1:
                raise ReadError(
                    f"{page.stem}: is the name of several frames or masks, so that it is not clear "
                    "which belong together; import one folder at a time"
                )
        return found, []
    if masks and not any(mask.pages for mask in masks) and masks[-1].page < len(frames):
        by_page = {mask.page: number for number, mask in enumerate(masks)}
        return [by_page.get(number) for number in range(len(frames))], [
            f"the masks of {masks[0].stem} were matched with the frames by their position in the "
            "stack"
        ]
    if len(frames) == len(masks):
        return list(range(len(frames))), [
            "the names of masks and frames differ, so they were matched in order: the first mask "
            f"({masks[0].stem}) with the first frame ({frames[0].stem})"
        ]
    return found, []
