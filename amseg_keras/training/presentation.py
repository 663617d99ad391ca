"""How a simulated frame is shown to the network: cut, zoomed, blurred, its grey levels altered.

Geometry acts alike on the frame, its background and its labels, and blur on frame and background.
The stretch, gamma and contrast act on the grey levels alone. Shading, borders and divided frames
are the simulator's: they belong to a whole recording.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from amseg_keras.classes import CLASS_NAMES, IGNORE
from amseg_keras.preprocess import Channels, GreyRange, GreyScaling
from amseg_keras.training.recordings import Sample

ZOOM = (0.5, 1.7)
"""Smallest and largest zoom of the coverage; below 1 the frame shows smaller objects."""

ZOOMED, BLURRED = 0.7, 0.25
"""Share of the frames that are zoomed, and that are blurred."""

DEEP = 0.12
"""Share of the windows that lie in the plate alone: tall frames are mostly plate far from any
surface, and a network that has always seen one calls some of it gas or powder."""

_SUBSTRATE, _KEYHOLE, _PORE = map(CLASS_NAMES.index, ("substrate", "keyhole", "pore"))


@dataclass(frozen=True)
class Presentation:
    """Changes that are drawn at random when a frame is shown.

    Attributes:
        scaling: Grey levels of the network.
        channels: Input channels of the network.
        blank: Share of the frames whose motion channel is blank: they stand for single frames, and
            their grey levels are measured on themselves alone.
        coverage: True to zoom and blur frames.
    """

    scaling: GreyScaling
    channels: Channels
    blank: float
    coverage: bool

    def show(
        self, sample: Sample, rng: np.random.Generator, crop: tuple[int, int] | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Make the network's input and labels of a frame.

        Args:
            sample: The frame, its background and its labels.
            rng: Source of all randomness.
            crop: Height and width of the window to show; None for the whole frame.

        Returns:
            float32 `(height, width, channels)` and uint8 class ids `(height, width)`.
        """
        # A network without motion sees what a network with motion sees: the draws are the same.
        blank = bool(rng.random() < self.blank) or sample.background is None
        if blank or not self.channels.has_motion:
            sample = replace(sample, background=None)
        else:
            sample = replace(sample, labels=sample.moving_labels)
        sample = _windowed(sample, rng, crop, self.coverage)
        if rng.random() < 0.5:
            sample = _mirrored(sample)
        if self.coverage:
            sample = _blurred(sample, rng)
        grey_range = sample.grey_range
        if blank:
            grey_range = self.scaling.measure(sample.frame[None])
        image = self.channels.make(sample.frame, _jittered(grey_range, rng), sample.background)
        _toned(image, rng, self.scaling.top)
        return image, sample.labels


def validation_view(
    sample: Sample, scaling: GreyScaling, channels: Channels
) -> tuple[np.ndarray, np.ndarray]:
    """Make the network's input of a whole frame as inference does: nothing is drawn."""
    grey_range = sample.grey_range
    if sample.background is None:
        grey_range = scaling.measure(sample.frame[None])
    moving = channels.has_motion and sample.background is not None
    labels = sample.moving_labels if moving else sample.labels
    return channels.make(sample.frame, grey_range, sample.background), labels


def _windowed(
    sample: Sample, rng: np.random.Generator, crop: tuple[int, int] | None, zoomed: bool
) -> Sample:
    """Cut a window that shows the plate's surface, and zoom it to the size of the crop."""
    zoom = 1.0
    if zoomed and rng.random() < ZOOMED:
        zoom = float(np.exp(rng.uniform(*np.log(ZOOM))))
    if crop is None:
        return sample
    height, width = (max(8, round(side / zoom)) for side in crop)
    window = _window_with_surface(rng, sample.labels, (height, width))
    if rng.random() < DEEP:
        window = _deep_window(rng, sample.labels, (height, width)) or window

    def cut(pixels: np.ndarray, labels: bool = False) -> np.ndarray:
        part = np.ascontiguousarray(pixels[window])
        missing = height - part.shape[0], width - part.shape[1]
        if any(missing):
            part = (
                cv2.copyMakeBorder(
                    part, 0, missing[0], 0, missing[1], cv2.BORDER_CONSTANT, value=IGNORE
                )
                if labels
                else np.pad(part, ((0, missing[0]), (0, missing[1])), "symmetric")
            )
        if part.shape == crop:
            return part
        how = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
        return cv2.resize(part, crop[::-1], interpolation=cv2.INTER_NEAREST if labels else how)

    return replace(
        sample,
        frame=cut(sample.frame),
        background=None if sample.background is None else cut(sample.background),
        labels=cut(sample.labels, labels=True),
    )


def _window_with_surface(
    rng: np.random.Generator, labels: np.ndarray, crop: tuple[int, int]
) -> tuple[slice, slice]:
    """Choose a window that shows the plate's surface, in half of the cases on the keyhole."""
    height, width = labels.shape
    keyhole = np.flatnonzero((labels == _KEYHOLE).any(axis=0))
    centred = rng.random() < 0.5
    where = float(rng.random())
    if keyhole.size and centred:
        left = int(keyhole.mean()) - int((0.2 + 0.6 * where) * crop[1])
    else:
        left = int(where * (width - crop[1] + 1))
    left = int(np.clip(left, 0, max(width - crop[1], 0)))
    columns = labels[:, left : left + crop[1]]
    surface = float(np.median(np.argmax((columns >= _SUBSTRATE) & (columns != IGNORE), axis=0)))
    top = int(np.clip(surface - rng.uniform(0.2, 0.7) * crop[0], 0, max(height - crop[0], 0)))
    return slice(top, top + crop[0]), slice(left, left + crop[1])


def _deep_window(
    rng: np.random.Generator, labels: np.ndarray, crop: tuple[int, int]
) -> tuple[slice, slice] | None:
    """Choose a window of plate and pores alone; None if the plate is not deep enough."""
    height, width = labels.shape
    left = int(rng.uniform(0, max(width - crop[1], 0) + 1))
    columns = slice(left, left + crop[1])
    plate = np.isin(labels[:, columns], (_SUBSTRATE, _PORE, IGNORE)).all(axis=1)
    others = np.flatnonzero(~plate)
    first = int(others[-1]) + 1 if others.size else 0
    # A third of the window is enough: what is missing at the bottom is mirrored.
    if height - first < crop[0] / 3:
        return None
    top = int(rng.uniform(first, max(height - crop[0], first)))
    return slice(top, top + crop[0]), columns


def _mirrored(sample: Sample) -> Sample:
    background = sample.background
    return replace(
        sample,
        frame=sample.frame[:, ::-1],
        background=None if background is None else background[:, ::-1],
        labels=sample.labels[:, ::-1],
    )


def _blurred(sample: Sample, rng: np.random.Generator) -> Sample:
    """Blur frame and background alike, as a softer lens does."""
    blurred, sigma = rng.random() < BLURRED, float(rng.uniform(0.4, 1.1))
    if not blurred:
        return sample

    def soft(pixels: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(np.ascontiguousarray(pixels, np.float32), (0, 0), sigma)

    background = None if sample.background is None else soft(sample.background)
    return replace(sample, frame=soft(sample.frame), background=background)


def _jittered(grey_range: GreyRange, rng: np.random.Generator) -> GreyRange:
    """Other ends of the stretch: other frames of the same scene have other percentiles."""
    drawn = rng.random() < 0.6
    low, high = rng.uniform(-0.06, 0.06), rng.uniform(-0.1, 0.1)
    if not drawn:
        return grey_range
    extent = grey_range.high - grey_range.low
    changed = replace(
        grey_range, low=grey_range.low + low * extent, high=grey_range.high + high * extent
    )
    if grey_range.specimen_low is None or grey_range.specimen_high is None:
        return changed
    specimen = grey_range.specimen_high - grey_range.specimen_low
    return replace(
        changed,
        specimen_low=grey_range.specimen_low + low * specimen,
        specimen_high=grey_range.specimen_high + 2 * high * specimen,
    )


def _toned(image: np.ndarray, rng: np.random.Generator, top: float) -> None:
    """Draw gamma, contrast and brightness of the frame, and the gain of its motion, in place."""
    curved, toned, louder = rng.random(3) < 0.5
    gamma = float(np.exp(rng.uniform(-0.35, 0.35)))
    gain, shift = rng.uniform(0.7, 1.2), rng.uniform(-0.1, 0.1)
    loudness = float(np.exp(rng.uniform(-0.35, 0.35)))
    frame = image[..., 0]
    if curved:
        frame[:] = top * (frame / np.float32(top)) ** np.float32(gamma)
    if toned:
        frame[:] = np.clip((frame - top / 2) * gain + top / 2 + top * shift, 0, top)
    if louder and image.shape[-1] > 1:
        moved = image[..., 1:]
        # The middle of the channel stays: nothing moved there.
        moved[:] = np.clip((moved - top / 2) * loudness + top / 2, 0, top)
