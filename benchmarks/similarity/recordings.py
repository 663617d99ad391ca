"""Real recordings with class ids, and simulated ones like them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from amseg_keras.classes import CLASS_NAMES, IGNORE
from amseg_keras.datasets.label_image import read_label_image
from amseg_keras.datasets.public import make_dataset
from amseg_keras.read import open_stack
from amseg_keras.simulate import Facility, simulate_sequence

BACKGROUND, POWDER, SUBSTRATE, KEYHOLE, PORE = range(len(CLASS_NAMES))


@dataclass(frozen=True)
class LabelledStack:
    """Frames and class ids, `(frames, height, width)` each; 255 where the class is unknown."""

    frames: np.ndarray
    labels: np.ndarray


# Outlines in the two ESRF frames and the Diamond frame, which nobody has labelled: (x, y) in
# pixels, read off crops enlarged six to ten times and checked by drawing them over the frames.
# Each follows the middle between the void's bright rim and its dark fringe.
LPBF_PORES = (
    ((150, 181), (153, 177), (160, 180), (166, 185), (170, 196), (155, 196), (146, 194),
     (146, 187)),
    ((201, 186), (205, 181), (213, 179), (225, 181), (233, 186), (237, 192), (236, 197), (225, 199),
     (212, 198), (203, 195)),
    ((266, 186), (272, 181), (282, 180), (292, 183), (304, 190), (306, 194), (298, 195), (288, 200),
     (276, 199), (267, 193)),
    ((330, 183), (334, 176), (341, 173), (352, 173), (362, 176), (370, 183), (372, 189), (366, 195),
     (352, 195), (340, 194), (333, 190)),
)  # fmt: skip
# Its walls are seen in part only, and what lies between them cannot be told.
LPBF_KEYHOLE = ((408, 146), (452, 146), (456, 185), (445, 196), (420, 194), (410, 160))
# The bright line on top of the layer, and the dark line (left) or the end of the grains (right).
LPBF_LAYER_TOP = ((0, 126), (60, 126), (120, 123), (200, 122), (260, 119), (360, 119), (511, 117))
LPBF_PLATE_TOP = ((0, 154), (70, 154), (100, 151.5), (125, 149), (200, 148), (420, 147), (511, 147))
# Above this row spatter and gas, between it and the layer grains that lie on it.
LPBF_GAS_ENDS = 112

WELDING_PORES = (((147, 158.5), (165, 170.5)), ((209.5, 164), (219.5, 170)))
WELDING_KEYHOLE = (
    (243, 131), (257, 131), (258, 145), (256, 166), (250, 164), (246, 160), (242, 150), (242, 142),
)  # fmt: skip
DED_PORES = (((195, 108), (213, 126)), ((176, 168), (184, 176)))
"""Ellipses as corners of the box around them: the bright pore and the dark one."""

# Of the video's background, pore and 255.
_HPDC_IDS = np.array([BACKGROUND, PORE, IGNORE], np.uint8)


def esrf_lpbf(real: Path) -> LabelledStack:
    """Spatter, powder layer, substrate and four pores."""
    frame = _grey(real / "esrf_lpbf.jpg")
    rows = np.arange(len(frame))[:, None]
    columns = np.arange(frame.shape[1])
    top = np.interp(columns, *np.transpose(LPBF_LAYER_TOP))
    plate = np.interp(columns, *np.transpose(LPBF_PLATE_TOP))
    labels = np.full(frame.shape, IGNORE, np.uint8)
    labels[:LPBF_GAS_ENDS] = BACKGROUND
    labels[(rows >= top + 1) & (rows < plate)] = POWDER
    labels[rows >= plate] = SUBSTRATE
    for outline in LPBF_PORES:
        labels[_polygon(frame.shape, outline)] = PORE
    labels[_polygon(frame.shape, LPBF_KEYHOLE)] = IGNORE
    return LabelledStack(frame[None], labels[None])


def esrf_welding(real: Path) -> LabelledStack:
    """Bare plate, straight surface, two pores and a faint keyhole."""
    frame = _grey(real / "esrf_welding.jpg")
    surface = find_surface(frame, (100, 150))
    columns = np.arange(len(surface))
    straight = np.polynomial.Polynomial.fit(columns, surface, 1)(columns)
    labels = np.where(np.arange(len(frame))[:, None] >= straight, SUBSTRATE, BACKGROUND)
    for box in WELDING_PORES:
        labels[_ellipse(frame.shape, box)] = PORE
    labels[_polygon(frame.shape, WELDING_KEYHOLE)] = KEYHOLE
    return LabelledStack(frame[None], labels[None].astype(np.uint8))


def dls_ded(real: Path) -> LabelledStack:
    """Curved deposit, a bright pore and a dark one."""
    frame = _grey(real / "dls_ded.jpg")
    surface = ndimage.gaussian_filter1d(find_surface(frame, (70, 130)), 3)
    labels = np.where(np.arange(len(frame))[:, None] >= surface, SUBSTRATE, BACKGROUND)
    for box in DED_PORES:
        labels[_ellipse(frame.shape, box)] = PORE
    return LabelledStack(frame[None], labels[None].astype(np.uint8))


def aps_welding(real: Path) -> LabelledStack:
    """Raw frames with the semi-automatic labels."""
    with open_stack(real / "aps_ti64_frames") as stack:
        frames = np.stack([stack[index] for index in range(len(stack))])
    files = sorted((real / "aps_ti64_labels").glob("*.png"))
    return LabelledStack(frames, np.stack([read_label_image(file) for file in files]))


def wall_movie(real: Path) -> LabelledStack:
    """A wall in raw frames; its clear pores, and the surface as it is in each frame."""
    with open_stack(real / "wall_movie" / "frames.tif") as stack:
        frames = np.stack([stack[index] for index in range(len(stack))])
    pores = np.array(Image.open(real / "wall_movie" / "pores_31.png")) > 0
    rows = np.arange(frames.shape[1])[:, None]
    labels = np.empty(frames.shape, np.uint8)
    for frame, label in zip(frames, labels, strict=True):
        surface = find_surface(frame, (20, 56))
        label[:] = np.where(rows >= surface, SUBSTRATE, BACKGROUND)
        label[pores & (rows >= surface)] = PORE
    return LabelledStack(frames, labels)


def hpdc_casting(real: Path) -> LabelledStack:
    """Slices with the authors' labels, read off their video; the alloy is background."""
    with tempfile.TemporaryDirectory() as folder:
        made = make_dataset("hpdc-video", real / "hpdc_video_clip.mp4", Path(folder))
        frames = np.stack([made.image(frame) for frame in made.frames])
        labels = np.stack([made.labels(frame) for frame in made.frames])
    return LabelledStack(frames, _HPDC_IDS[np.minimum(labels, 2)])


def simulated(facility: Facility, process: str, frames: int, seed: int) -> LabelledStack:
    """One simulated recording."""
    made = simulate_sequence(facility, frames, seed, process=process)
    return LabelledStack(made.frames, made.labels)


def find_surface(frame: np.ndarray, between: tuple[int, int]) -> np.ndarray:
    """Row of the steepest fall of grey in each column, `(width,)`, without lonely columns."""
    smooth = ndimage.gaussian_filter(frame.astype(float), (1, 4))
    fall = -np.gradient(smooth, axis=0)[between[0] : between[1]]
    return ndimage.median_filter(fall.argmax(axis=0) + float(between[0]), 15, mode="nearest")


def _grey(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        return np.array(image.convert("L"))


def _polygon(shape: tuple[int, ...], outline: Sequence[tuple[float, float]]) -> np.ndarray:
    canvas = Image.new("1", (shape[1], shape[0]))
    ImageDraw.Draw(canvas).polygon(outline, fill=1)
    return np.array(canvas, bool)


def _ellipse(shape: tuple[int, ...], box: Sequence[tuple[float, float]]) -> np.ndarray:
    canvas = Image.new("1", (shape[1], shape[0]))
    ImageDraw.Draw(canvas).ellipse(box, fill=1)
    return np.array(canvas, bool)
