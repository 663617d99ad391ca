"""How sure a network is of its labels, and which frames a person should look at."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from amseg_keras.applicability import tempered
from amseg_keras.applicability.check import check_recording
from amseg_keras.preprocess import Inputs
from amseg_keras.preprocess.inputs import labels_of_shape
from amseg_keras.read import Frames, ReadError, open_stack
from amseg_keras.segment import Segmenter
from amseg_keras.segment.segmentation import checked_frames
from amseg_keras.segment.tiling import Predict, predict_any_size

LOW_MARGIN = 0.2
"""Lead of the best class over the second below which a pixel is in doubt."""

SHIFTS = ((3, 7),)
"""Pixels, down and right, by which a frame is moved. A label that changes depends on where the
poolings of the network happen to fall. Each shift takes as long as the segmentation."""

EDGE = 16
"""Pixels at each edge of a frame that do not count, or an eighth of the side if that is less. There
the network sees a mirror image in place of what lies beyond."""

TIMES_MEDIAN = 1.5
"""A share is high if it is so many times the median of the recording ..."""

SMALL_SHARE = 0.002
"""... and above this. If the network is sure of a recording, nobody need look at its least sure
frame."""

LARGE_LOW_MARGIN_SHARE = 0.02
"""Share of pixels in doubt that is high whatever the median of the recording."""

LARGE_UNSTABLE_SHARE = 0.025
"""Share of unstable pixels that is high whatever the median of the recording."""

LIMITS = {
    "low_margin": LOW_MARGIN,
    "shifts_px": [list(shift) for shift in SHIFTS],
    "edge_px": EDGE,
    "times_median": TIMES_MEDIAN,
    "small_share": SMALL_SHARE,
    "large_low_margin_share": LARGE_LOW_MARGIN_SHARE,
    "large_unstable_share": LARGE_UNSTABLE_SHARE,
}
"""All limits, for the record of a run."""

FOREIGN = "foreign"
"""Column that is true for frames that look unlike what the preset knows."""

COLUMNS = ("frame", "mean_confidence", "low_margin_share", "unstable_share")


@dataclass(frozen=True)
class FrameConfidence:
    """How sure the network is of one frame.

    Attributes:
        confidence: Probability of the chosen class, float32 `(height, width)`.
        margin: Lead of this probability over the second highest, float32 `(height, width)`, 0 to 1.
        unstable: True where the label changes if the frame is moved by a few pixels, bool
            `(height, width)`.

    Example:
        A frame in whose middle two classes are almost as likely:

        >>> margin = np.full((64, 64), 0.9, np.float32)
        >>> margin[20:44, 20:44] = 0.1
        >>> sure = np.full((64, 64), 0.75, np.float32)
        >>> FrameConfidence(sure, margin, np.zeros((64, 64), bool)).shares()
        {'mean_confidence': 0.75, 'low_margin_share': 0.25, 'unstable_share': 0.0}
    """

    confidence: np.ndarray
    margin: np.ndarray
    unstable: np.ndarray

    def shares(self) -> dict[str, float]:
        """Compute `mean_confidence`, `low_margin_share`, `unstable_share` without the edge."""
        inner = inner_part(self.margin.shape)
        return {
            "mean_confidence": float(self.confidence[inner].mean(dtype=float)),
            "low_margin_share": float((self.margin[inner] < LOW_MARGIN).mean()),
            "unstable_share": float(self.unstable[inner].mean()),
        }


@dataclass(frozen=True)
class Confidence:
    """How sure the network is of the frames of a recording.

    Attributes:
        confidence: Probability of the chosen class, float32 `(frames, height, width)`; 0 in frames
            that could not be read.
        margin: Lead of this probability over the second highest, of the same shape and dtype.
        unstable: True where the label changes if the frame is moved by a few pixels, bool
            `(frames, height, width)`.
        frames: Row for each readable frame, as of `rank_frames`.
        errors: Index of each unreadable frame, and the reason.

    Example:
        The frame to label first, and where in it the network is in doubt:

        >>> from amseg_keras import from_pretrained
        >>> with open_stack("sample:esrf-welding") as stack:
        ...     frames = np.stack([stack[index][96:144, 340:404] for index in (0, 6)])
        >>> found = confidence(from_pretrained("amsegnet-esrf-lite"), frames)
        >>> first = found.frames["frame"][0]
        >>> doubtful = found.unstable[first] | (found.margin[first] < LOW_MARGIN)
        >>> len(found.frames), doubtful.shape, found.errors
        (2, (48, 64), ())
    """

    confidence: np.ndarray
    margin: np.ndarray
    unstable: np.ndarray
    frames: pd.DataFrame
    errors: tuple[tuple[int, str], ...] = ()


def confidence(segmenter: Segmenter, frames: Any) -> Confidence:
    """Measure how sure the network is of each pixel and frame, and rank the frames to look at.

    Each frame goes through the network twice: as it is, and moved by 3 pixels down and 7 to the
    right. The move shifts the frame over the grid of the poolings; the gap is filled with a mirror
    image. A label that changes is not stable. Confidence and margin are taken at the temperature of
    the preset.

    Args:
        segmenter: Network.
        frames: Array `(height, width)` or `(frames, height, width)`, or the path of a recording, as
            in `Segmenter.segment`.

    Raises:
        ReadError: The recording cannot be read.
        ValueError: The array is no stack of frames.

    Example:
        >>> from amseg_keras import from_pretrained
        >>> with open_stack("sample:esrf-lpbf") as stack:
        ...     frames = np.stack([stack[0][80:136, :88], stack[1][80:136, :88]])
        >>> found = confidence(from_pretrained("amsegnet-esrf"), frames)
        >>> found.margin.shape, found.margin.dtype
        ((2, 56, 88), dtype('float32'))
        >>> list(found.frames.columns)
        ['frame', 'mean_confidence', 'low_margin_share', 'unstable_share', 'look_at']
    """
    if isinstance(frames, str | os.PathLike):
        with open_stack(frames) as stack:
            return _confidence(segmenter, stack)
    return _confidence(segmenter, checked_frames(frames))


def frame_confidence(
    predict: Predict,
    scaled: np.ndarray,
    temperature: float = 1.0,
    probabilities: np.ndarray | None = None,
) -> FrameConfidence:
    """Measure how sure a network is of one frame; see `confidence`.

    Args:
        predict: Network, from `(batch, height, width, channels)` with sides that are multiples of
            16 to class probabilities `(batch, height, width, classes)`.
        scaled: Input of the network, float32 `(height, width, channels)` of any size, or `(height,
            width)` for one channel.
        temperature: Number by which scores are divided, as `segmenter.temperature`; defaults to 1.
        probabilities: Probabilities of the frame, float32 `(height, width, classes)`, if they are
            known already.

    Returns:
        Confidence, margin and stability of each pixel.

    Example:
        >>> from amseg_keras import from_pretrained
        >>> segmenter = from_pretrained("amsegnet-esrf-lite")
        >>> with open_stack("sample:esrf-welding") as stack:
        ...     scaled = segmenter.scaling.measure(stack).apply(stack[0])[96:144, 340:404]
        >>> found = frame_confidence(segmenter.model.predict_on_batch, scaled)
        >>> found.margin.shape, found.shares()["mean_confidence"] > 0.5
        ((48, 64), True)
    """
    if probabilities is None:
        probabilities = predict_any_size(predict, scaled[None])[0]
    labels = probabilities.argmax(axis=-1)
    unstable = np.zeros(labels.shape, bool)
    height, width = labels.shape
    for down, right in SHIFTS:
        # The moved frame keeps its size, for which the network is ready; what leaves it at the
        # lower right is not compared.
        gap = [(down, 0), (right, 0), (0, 0)][: scaled.ndim]
        moved = np.pad(scaled, gap, mode="symmetric")[:height, :width]
        again = predict_any_size(predict, moved[None])[0, down:, right:].argmax(axis=-1)
        unstable[: height - down, : width - right] |= (
            again != labels[: height - down, : width - right]
        )
    first, second = _two_best(tempered(probabilities, temperature))
    return FrameConfidence(first, first - second, unstable)


def is_foreign(segmenter: Segmenter, inputs: Inputs, index: int, labels: np.ndarray) -> bool | None:
    """Tell whether one frame looks unlike what the preset knows; see `amseg_keras.applicability`.

    Args:
        segmenter: Network.
        inputs: Inputs of the recording, from `segmenter.inputs`.
        index: Number of the frame.
        labels: Class ids of the frame, `(height, width)`.

    Returns:
        True if it does, False if it does not, None if the preset was not calibrated.

    Example:
        >>> from amseg_keras import from_pretrained
        >>> segmenter = from_pretrained("amsegnet-esrf-lite")
        >>> noise = np.random.default_rng(0).poisson(40, (1, 96, 160))
        >>> labels = segmenter.segment(noise).labels[0]
        >>> is_foreign(segmenter, segmenter.inputs(noise), 0, labels)
        True
    """
    if segmenter.known is None:
        return None
    frame, background = inputs.read(index)
    warnings = check_recording(
        frame[None],
        lambda _: labels_of_shape(labels, frame.shape).astype(np.uint8),
        segmenter.class_names,
        inputs.grey_range,
        segmenter.known,
        scale=inputs.scale,
        background_of=None if background is None else lambda _: background,
    )
    return bool(warnings)


def rank_frames(rows: Iterable[dict[str, float]]) -> pd.DataFrame:
    """Sort the frames of a recording: first those that a person should look at, or label.

    `look_at` is true if `low_margin_share` or `unstable_share` is high. A share is high if it is
    more than 1.5 times the median of the recording and more than 0.2 %. It is also high above 2 %
    (low margin) or 2.5 % (unstable), whatever the median. So in a recording that the network knows,
    only frames that differ from the others are flagged. If every frame is flagged, the network does
    not know such recordings; label the first rows for `amseg finetune`. A frame that looks unlike
    what the preset knows is flagged, too.

    Args:
        rows: For each frame `frame`, the values of `FrameConfidence.shares`, and `foreign` from
            `is_foreign` if the preset was calibrated.

    Returns:
        Columns `frame`, `mean_confidence`, `low_margin_share`, `unstable_share`, `foreign` (if it
        is known), `look_at`. Flagged frames come first, and among equals those with the most
        doubtful pixels.

    Example:
        >>> names = ("frame", "mean_confidence", "low_margin_share", "unstable_share")
        >>> frames = [(0, 0.98, 0.004, 0.003), (1, 0.96, 0.009, 0.004), (2, 0.98, 0.005, 0.004)]
        >>> rank_frames(dict(zip(names, frame)) for frame in frames)
           frame  mean_confidence  low_margin_share  unstable_share  look_at
        0      1             0.96             0.009           0.004     True
        1      2             0.98             0.005           0.004    False
        2      0             0.98             0.004           0.003    False
    """
    rows = list(rows)
    calibrated = any(FOREIGN in row for row in rows)
    columns = [*COLUMNS, *([FOREIGN] if calibrated else [])]
    table = pd.DataFrame(rows, columns=columns).astype({"frame": int})
    low_margin, unstable = table["low_margin_share"], table["unstable_share"]
    table["look_at"] = _is_high(low_margin, LARGE_LOW_MARGIN_SHARE) | _is_high(
        unstable, LARGE_UNSTABLE_SHARE
    )
    if calibrated:
        table[FOREIGN] = table[FOREIGN].astype(bool)
        table["look_at"] |= table[FOREIGN]
    order = pd.DataFrame(
        {"look_at": table["look_at"], "doubt": low_margin + unstable, "frame": -table["frame"]}
    )
    order = order.sort_values(["look_at", "doubt", "frame"], ascending=False)
    return table.loc[order.index].reset_index(drop=True)


def inner_part(shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Return the rows and columns of a frame without the edge that does not count.

    Example:
        >>> inner_part((256, 512)), inner_part((64, 512))[0]
        ((slice(16, 240, None), slice(16, 496, None)), slice(8, 56, None))
    """
    rows, columns = (slice(min(EDGE, side // 8), side - min(EDGE, side // 8)) for side in shape)
    return rows, columns


def _is_high(share: pd.Series, large: float) -> pd.Series:
    stands_out = (share > TIMES_MEDIAN * share.median()) & (share > SMALL_SHARE)
    return stands_out | (share > large)


def _two_best(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the two highest probabilities of each pixel; the second is 0 for a single class."""
    if probabilities.shape[-1] == 1:
        return probabilities[..., 0], np.zeros_like(probabilities[..., 0])
    # Class by class: to sort so few numbers of each pixel takes ten times as long.
    first = np.maximum(probabilities[..., 0], probabilities[..., 1])
    second = np.minimum(probabilities[..., 0], probabilities[..., 1])
    for number in range(2, probabilities.shape[-1]):
        of_class = probabilities[..., number]
        second = np.maximum(second, np.minimum(first, of_class))
        first = np.maximum(first, of_class)
    return first, second


def _confidence(segmenter: Segmenter, frames: Frames) -> Confidence:
    inputs = segmenter.inputs(frames)
    first, margin = np.zeros(frames.shape, np.float32), np.zeros(frames.shape, np.float32)
    unstable = np.zeros(frames.shape, bool)
    rows: list[dict[str, float]] = []
    errors = []
    for index in range(len(frames)):
        try:
            made = inputs.make(index)
        except ReadError as error:
            errors.append((index, str(error)))
            continue
        probabilities = segmenter.probabilities(made[None])[0]
        found = frame_confidence(
            segmenter.probabilities, made, segmenter.temperature, probabilities
        )
        foreign = is_foreign(segmenter, inputs, index, probabilities.argmax(axis=-1))
        first[index], margin[index], unstable[index] = (
            found.confidence,
            found.margin,
            found.unstable,
        )
        known = {} if foreign is None else {FOREIGN: foreign}
        rows.append({"frame": index, **found.shares(), **known})
    return Confidence(first, margin, unstable, rank_frames(rows), tuple(errors))
