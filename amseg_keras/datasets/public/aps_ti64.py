"""Raw APS frames of a keyhole in a bare plate, labelled by background division.

The method, which looks at no frame in particular:

1. The median of all frames is the background: the keyhole moves on, the plate stays.
2. The surface is the straight line through the steepest rise of the background in each column.
3. Each frame is divided by the background and smoothed by a Gaussian of 1 px. The noise is the
   median absolute deviation below the surface, over all frames, as a sigma.
4. What is brighter than the background by 10 sigma, connected to something brighter by 20 sigma,
   and touches the surface, is keyhole: of several such regions, the largest. Holes are filled.
   (The keyhole is about 36 sigma brighter in these frames, so its outline is drawn at somewhat
   more than a quarter of its height.)

It was checked, and its two thresholds chosen, on 25 of the frames that had been labelled
semi-automatically before: the IoU of keyhole is 0.955 there. It shares that labelling's blind
spots: whatever rises above the surface is background, and melt is substrate. The thresholds fit
the noise of these frames: with less of it, 10 sigma lies lower on the blurred edge and the region
grows by a pixel.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import ndimage

from amseg_keras.datasets.dataset import Dataset, LabelledFrame, write_frame
from amseg_keras.preprocess import divide, median_frame
from amseg_keras.preprocess.lazy import spread
from amseg_keras.read import FrameStack, ReadError, find_stacks

CLASSES = ("background", "substrate", "keyhole")
SMOOTHING_PX = 1.0
LOW_SIGMA, HIGH_SIGMA = 10.0, 20.0

_FEWEST_FRAMES = 15  # fewer, and the keyhole stays over some place in half of them
_MOST_FOR_MEDIAN = 101
_MAD_TO_SIGMA = 1.4826
_TOUCHING_PX = 3


def make_aps_ti64(given: Path, folder: Path, advance: Callable[[], object]) -> Dataset:
    """Label the frames and write them.

    Args:
        given: Folder of the numbered TIFF files; they may be part of the published ones.

    Raises:
        ReadError: It holds something else, too few frames, or no surface.
    """
    stacks, errors = find_stacks([given])
    if errors:
        raise errors[0]
    if len(stacks) != 1 or len(stacks[0].files) < _FEWEST_FRAMES:
        raise ReadError(
            f"{given}: holds no sequence of at least {_FEWEST_FRAMES} numbered frames, which the "
            "background is the median of; give the folder of the published frames"
        )
    with stacks[0].open() as stack:
        background = median_frame(stack, spread(len(stack), _MOST_FOR_MEDIAN))
        surface = find_surface(background, str(given))
        sigma = _noise(stack, background, surface)
        frames = []
        for index, file in enumerate(stacks[0].files):
            image = stack[index]
            labels = label_keyhole(divide(image, background), surface, sigma)
            number = re.findall(r"\d+", file.stem)
            about = LabelledFrame(
                "",
                None,
                "aps_ti64_p200",
                int(number[-1]) if number else index + 1,
                facility="aps",
                process="welding",
                material="Ti6Al4V",
                power_W=200.0,
                speed_mm_s=500.0,
                other={"frame_rate_Hz": 50_000, "published_as": file.name},
            )
            frames.append(write_frame(folder, image, labels, about))
            advance()
    return Dataset(
        folder,
        CLASSES,
        tuple(frames),
        pixel_size_um=2.0,
        origin=(
            "Real raw frames from APS, published with AMPERe; the labels are semi-automatic: "
            "background division and hysteresis threshold by amseg-keras, not checked by eye."
        ),
        other={
            "labelling": {
                "smoothing_px": SMOOTHING_PX,
                "low_sigma": LOW_SIGMA,
                "high_sigma": HIGH_SIGMA,
                "sigma": round(float(sigma), 6),
            }
        },
    )


def find_surface(background: np.ndarray, where: str) -> np.ndarray:
    """Find the first row of the plate in each column, a straight line.

    Args:
        background: Frame without a keyhole, `(height, width)`, plate below and brighter.

    Returns:
        Whole rows as int, `(width,)`.

    Raises:
        ReadError: There is no edge, or none that is straight.

    Example:
        >>> frame = np.full((60, 80), 100.0)
        >>> frame[20:] = 300.0
        >>> sorted(set(find_surface(frame, "a frame").tolist()))
        [20]
    """
    smooth = ndimage.gaussian_filter1d(background.astype(np.float32), 8, axis=1)
    # Over an edge between two rows the difference of neighbours peaks between them.
    rise = np.diff(ndimage.gaussian_filter1d(smooth, 1, axis=0), axis=0)
    rows = rise.argmax(axis=0) + 1.0
    columns = np.arange(len(rows))
    typical = np.abs(rows - np.median(rows)) <= max(3.0, 0.02 * len(background))
    if rise.max() <= 0 or typical.mean() < 0.5:
        raise ReadError(
            f"{where}: shows no straight edge with the plate below it; give the frames of the "
            "bare plate as they are published"
        )
    slope, offset = np.polyfit(columns[typical], rows[typical], 1)
    return np.asarray(
        np.clip(np.rint(slope * columns + offset), 0, len(background) - 1).astype(int)
    )


def label_keyhole(divided: np.ndarray, surface: np.ndarray, sigma: float) -> np.ndarray:
    """Return the class ids of one frame.

    Args:
        divided: The frame over its background, `(height, width)`, 1 where nothing has changed.
        surface: First row of the plate in each column, `(width,)`.

    Returns:
        uint8 `(height, width)`, indices into `CLASSES`.

    Example:
        >>> frame = np.ones((60, 80))
        >>> frame[20:40, 30:40] = 1.2
        >>> labels = label_keyhole(frame, np.full(80, 20), 0.005)
        >>> labels[10, 35], labels[30, 35], labels[50, 35]
        (np.uint8(0), np.uint8(2), np.uint8(1))
    """
    depth = np.arange(len(divided))[:, None] - surface
    plate = depth >= 0
    excess = (_smooth(divided) - 1.0) / sigma
    regions, _ = ndimage.label((excess > LOW_SIGMA) & plate)
    sizes = np.bincount(regions.ravel())
    rooted = np.intersect1d(
        regions[(excess > HIGH_SIGMA) & plate], regions[plate & (depth < _TOUCHING_PX)]
    )
    rooted = rooted[rooted > 0]
    labels = plate.astype(np.uint8)
    if len(rooted):
        keyhole = regions == rooted[sizes[rooted].argmax()]
        labels[ndimage.binary_fill_holes(keyhole)] = CLASSES.index("keyhole")
    return np.asarray(labels)


def _smooth(divided: np.ndarray) -> np.ndarray:
    return np.asarray(ndimage.gaussian_filter(divided.astype(np.float32), SMOOTHING_PX))


def _noise(stack: FrameStack, background: np.ndarray, surface: np.ndarray) -> float:
    plate = np.arange(len(background))[:, None] >= surface + _TOUCHING_PX
    chosen = spread(len(stack), _FEWEST_FRAMES)
    values = np.stack([_smooth(divide(stack[index], background))[plate] for index in chosen])
    return max(_MAD_TO_SIGMA * float(np.median(np.abs(values - np.median(values)))), 1e-6)
