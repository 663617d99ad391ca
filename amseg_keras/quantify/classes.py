"""Names and ids of the classes: whether they mean what they should, and where and how large."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from amseg_keras.classes import CLASS_NAMES, IGNORE, MELT_POOL

if TYPE_CHECKING:
    import pandas as pd

MEASURED = ("substrate", "keyhole", "pore")
"""Classes that are looked for by their names."""

_ALIKE = 0.8


def check_class_names(class_names: Sequence[str], absent: Collection[str] = ()) -> None:
    """Refuse class names that hide a class that is measured.

    Args:
        absent: Classes of `MEASURED` that the label maps do not have, although `class_names` has
            names that are not known.

    Raises:
        ValueError: A name is there twice or nearly one of the known names; a class is missing
            while another name is unknown; or `absent` names a class that is there.

    Example:
        >>> check_class_names(["background", "substrate", "keyhoel"])
        Traceback (most recent call last):
        ValueError: class name 'keyhoel': did you mean 'keyhole'? The names that are measured are
        substrate, keyhole, pore
        >>> check_class_names(["gas", "substrate", "pore"], absent=["keyhole"])
    """
    _check(tuple(class_names), tuple(absent))


@lru_cache(maxsize=64)
def _check(names: tuple[str, ...], absent: tuple[str, ...]) -> None:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"class names {', '.join(names)}: {twice[0]!r} is there twice")
    for name in absent:
        if name not in MEASURED or name in names:
            raise ValueError(
                f"absent class {name!r}: it must be one of {', '.join(MEASURED)} that is not among "
                f"the class names {', '.join(names)}"
            )
    check_near_names(names)
    unknown = [name for name in names if name not in CLASS_NAMES]
    missing = [name for name in MEASURED if name not in (*names, *absent)]
    if unknown and missing:
        raise ValueError(
            f"class names {', '.join(names)}: {', '.join(map(repr, missing))} is missing and "
            f"{unknown[0]!r} is not a known name. Rename the class, or say that the labels have "
            f"none: absent={missing}"
        )


@lru_cache(maxsize=64)
def check_near_names(class_names: tuple[str, ...]) -> None:
    """Refuse names that nearly equal the paper's class names.

    Raises:
        ValueError: One is; the message suggests the known name.
    """
    for name in class_names:
        known = (*CLASS_NAMES, MELT_POOL)
        near = difflib.get_close_matches(name.strip().casefold(), known, n=1, cutoff=_ALIKE)
        if near and name not in known:
            raise ValueError(
                f"class name {name!r}: did you mean {near[0]!r}? The names that are measured are "
                f"{', '.join(MEASURED)}"
            )


def check_class_ids(labels: np.ndarray, class_names: Sequence[str], index: int) -> None:
    """Refuse a label map with ids beyond the class names.

    Args:
        labels: Class ids, `(height, width)`; 255 is no class.

    Raises:
        ValueError: An id has no name; the message names the id and the frame.
    """
    if labels.dtype.kind == "u" and labels.size and int(labels.max()) < len(class_names):
        return  # the usual case, without a copy
    ids = labels[labels != IGNORE]
    if ids.size and not 0 <= (low := int(ids.min())) <= (high := int(ids.max())) < len(class_names):
        raise ValueError(
            f"frame {index}: has the class id {low if low < 0 else high}, but there are "
            f"{len(class_names)} class names: {', '.join(class_names)}"
        )


SMALLEST_PX = 6
"""Pixels below which a piece of keyhole, or of pore, is a speckle, where no pixel size is known."""


def mask_of(labels: np.ndarray, class_names: Sequence[str], *names: str) -> np.ndarray:
    """Return a mask of the pixels of any of these classes.

    Args:
        labels: Class ids, uint8 of any shape.
        names: The wanted ones; a class that is not in `class_names` is nowhere.

    Returns:
        bool, of the same shape.

    Raises:
        ValueError: A name in `class_names` is nearly a known one, as "keyhoel".

    Example:
        >>> mask_of(np.array([0, 1, 2, 255], np.uint8), ["gas", "pore", "plate"], "pore", "keyhole")
        array([False,  True, False, False])
    """
    check_near_names(tuple(class_names))
    found = np.zeros(labels.shape, bool)
    for number, name in enumerate(class_names):
        if name in names:
            found |= labels == number
    return found


def class_areas(
    labels: Iterable[np.ndarray], class_names: Sequence[str], pixel_size_um: float | None = None
) -> pd.DataFrame:
    """Measure the area of every class, one row a frame.

    Args:
        labels: class ids of each frame, uint8 `(height, width)`, for example a label stack
            `(frames, height, width)`; frames that are 255 all over (unreadable) get no row.
        class_names: name of each class id.
        pixel_size_um: size of a pixel in um; without it only areas in pixels are given.

    Returns:
        Columns `frame` (from 0), `<class>_area_px` and, with a pixel size, `<class>_area_um2`.

    Raises:
        ValueError: A class id has no name; the message names the id and the frame.

    Example:
        >>> class_areas(np.array([[[0, 1], [1, 1]]], "uint8"), ["gas", "pore"], 2.0)
           frame  gas_area_px  pore_area_px  gas_area_um2  pore_area_um2
        0      0            1             3           4.0           12.0
    """
    import pandas as pd  # takes half a second to import

    frames, counts = [], []
    for index, frame in enumerate(labels):
        check_class_ids(frame, class_names, index)
        histogram = np.bincount(frame.ravel(), minlength=256)
        if histogram[IGNORE] < frame.size:
            frames.append(index)
            counts.append(histogram[: len(class_names)])
    areas = np.array(counts, np.int64).reshape(len(frames), len(class_names))
    columns: dict[str, np.ndarray | list[int]] = {"frame": frames}
    columns.update(zip((f"{name}_area_px" for name in class_names), areas.T, strict=True))
    if pixel_size_um is not None:
        in_um2 = areas * pixel_size_um**2
        columns.update(zip((f"{name}_area_um2" for name in class_names), in_um2.T, strict=True))
    return pd.DataFrame(columns)
