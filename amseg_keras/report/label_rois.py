"""Label maps as regions of ImageJ, an outline for each piece of a class."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from amseg_keras.atomic import complete_or_absent
from amseg_keras.classes import IGNORE
from amseg_keras.datasets.masks.labelme import IGNORE_LABEL
from amseg_keras.datasets.masks.pixel_outlines import trace_pixels
from amseg_keras.report.colours import class_colours

_MOVE, _LINE, _CLOSE = 0.0, 1.0, 4.0
"""Marks of a path in a region with holes."""


def write_rois(
    file: Path,
    labels: Iterable[np.ndarray],
    shape: tuple[int, int, int],
    class_names: Sequence[str],
) -> None:
    """Write regions for the ROI Manager of ImageJ; `amseg dataset import` reads them back.

    Every piece of a class, pixels that hang together by their sides, is a region on its frame:
    `00007-pore-2`. Its properties name the class. Holes are holes. The class `background` has no
    regions; pixels of no class are regions called `__ignore__`.

    Args:
        file: The .zip to write.
        labels: Class ids of each frame, uint8 `(height, width)`; 255 is no class.
        shape: Frames, height, width.
        class_names: Name of each class id.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "rois.zip"
        >>> labels = np.array([[[0, 1, 1], [0, 0, 1]]], np.uint8)
        >>> write_rois(path, labels, labels.shape, ["background", "pore"])
        >>> with zipfile.ZipFile(path) as archive:
        ...     archive.namelist()
        ['00001-pore-1.roi']
    """
    with (
        complete_or_absent(file) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for index, frame in enumerate(labels):
            for roi in frame_rois(frame, index, shape, class_names):
                archive.writestr(f"{roi.name.replace('/', '_')}.roi", roi.tobytes())


def frame_rois(
    labels: np.ndarray, index: int, shape: tuple[int, int, int], class_names: Sequence[str]
) -> Iterator[Any]:
    """Make the regions of one frame.

    Args:
        labels: Class ids, uint8 `(height, width)`.
        index: Number of the frame, from 0.
        shape: Frames, height, width of the recording.
        class_names: Name of each class id.

    Yields:
        Regions, as `roifile.ImagejRoi`.
    """
    from scipy import ndimage

    colours = class_colours(class_names)
    named = [(number, name, colours[number]) for number, name in enumerate(class_names)]
    about = f"frame: {index}\nframes: {shape[0]}\nheight: {shape[1]}\nwidth: {shape[2]}\n"
    for number, name, colour in [*named, (IGNORE, IGNORE_LABEL, np.full(3, 128, np.uint8))]:
        if name == "background":
            continue
        pieces, _ = ndimage.label(labels == number)
        for count, place in enumerate(ndimage.find_objects(pieces), 1):
            corner = place[1].start, place[0].start
            outlines = [one + corner for one in trace_pixels(pieces[place] == count)]
            roi = _region(outlines)
            roi.name = f"{index + 1:05}-{name}-{count}"
            roi.position = index + 1
            roi.props = f"class: {name}\n{about}"
            roi.stroke_color = bytes((255, *colour.tolist()))
            yield roi


def _region(outlines: Sequence[np.ndarray]) -> Any:
    """A region of one outline, or of one with holes."""
    import roifile

    if len(outlines) == 1:
        roi = roifile.ImagejRoi.frompoints(outlines[0])
        roi.roitype = roifile.ROI_TYPE.TRACED
        return roi
    path: list[float] = []
    for outline in outlines:
        for at, (x, y) in enumerate(outline.tolist()):
            path += [_LINE if at else _MOVE, x, y]
        path.append(_CLOSE)
    corners = np.concatenate(outlines)
    roi = roifile.ImagejRoi()
    roi.roitype = roifile.ROI_TYPE.RECT
    (roi.left, roi.top), (roi.right, roi.bottom) = (
        corners.min(axis=0).tolist(),
        corners.max(axis=0).tolist(),
    )
    roi.multi_coordinates = np.array(path, np.float32)
    roi.shape_roi_size = len(path)
    return roi
