"""How frames are kept: raw, corrected, clipped, divided, shaded, padded, compressed.

One scene may be seen in any presentation, so that what a network makes of them can be compared.
"""

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.simulate.detector import Detector, quantise, stretch_limits
from amseg_keras.simulate.ranges import PresentationRanges, draw, draw_log

PRESENTATIONS = (
    "raw",
    "corrected",
    "clipped",
    "8 bit",
    "12 bit",
    "16 bit",
    "divided",
    "shaded",
    "padded",
    "jpeg",
    "video",
    "resampled",
)
"""Names of what `Recording.presented` shows."""

BACKGROUNDS = ("spread", "mean", "before", "previous")
"""Backgrounds of divided frames: median over the recording, its mean, the mean of frames before the
laser, and the median of the frames before each."""

Border = tuple[float, float, float, float]

_LOWEST = 0.01
"""Light below which nobody divides."""


@dataclass(frozen=True)
class Presentation:
    """What becomes of the light of a frame.

    Attributes:
        name: Name out of `PRESENTATIONS`, or `drawn`.
        corrected: True if frames are divided by the flat field.
        background: Name out of `BACKGROUNDS` for divided frames; None for others.
        gain: Grey level of the open beam above the dark level, as a fraction of full scale; of
            divided frames the grey level that an unchanged pixel has.
        dark: Grey level without light, as a fraction of full scale.
        bits: 8, 12 or 16.
        stretch: `frame` or `stack` where levels are stretched between the 0.1 and 99.9 percentiles
            of each frame or of one frame of the stack; None otherwise.
        span: Half of the grey levels of divided frames, over their noise.
        misplaced: Pixels to the right and down by which the background of divided frames lies off:
            what stands still shows as a relief.
        ceiling: Level over the median at which light is clipped; None where it is not.
        shading: Log intensity lost from the top row to the bottom row; negative for a gain.
        border: Width of a constant border above, below, left and right, as fractions of the
            frame's height or width.
        border_level: Grey level of that border, as a fraction of full scale.
        zoom: Factor by which frames are scaled down, and up again.
        quality: JPEG quality; 0 for none.
        video: True if the frames are then smoothed as by a video codec.
    """

    name: str
    corrected: bool
    background: str | None
    gain: float
    dark: float
    bits: int
    stretch: str | None = None
    span: float = 20.0
    misplaced: tuple[float, float] = (0.0, 0.0)
    ceiling: float | None = None
    shading: float = 0.0
    border: Border = (0.0, 0.0, 0.0, 0.0)
    border_level: float = 0.0
    zoom: float = 1.0
    quality: int = 0
    video: bool = False

    def inner(self, shape: tuple[int, int]) -> tuple[slice, slice]:
        """Return the rows and columns within the constant border."""
        height, width = shape
        above, below, left, right = self.border
        return (
            slice(round(above * height), height - round(below * height)),
            slice(round(left * width), width - round(right * width)),
        )


def draw_presentation(
    rng: np.random.Generator, detector: Detector, ranges: PresentationRanges
) -> Presentation:
    """Draw how the frames of a recording are kept.

    Args:
        rng: Source of randomness.
        detector: Camera, which says whether frames are raw.
        ranges: Shares and strengths of everything.
    """
    divided = bool(rng.random() < ranges.divided)
    stretch = None
    if detector.stretch:
        stretch = "frame" if rng.random() < 0.3 else "stack"
    made = own_presentation(detector, stretch)
    if divided:
        background = str(rng.choice(BACKGROUNDS, p=(0.65, 0.15, 0.16, 0.04)))
        made = replace(
            made,
            background=background,
            gain=draw(rng, (0.35, 0.75)),
            dark=0.0,
            bits=8 if rng.random() < 0.7 else made.bits,
            stretch=None,
            span=draw_log(rng, ranges.divided_span),
        )
    else:
        if rng.random() < ranges.shaded:
            sign = 1 if rng.random() < 0.8 else -1
            made = replace(made, shading=sign * draw(rng, ranges.shading))
        if rng.random() < ranges.ceiling:
            made = replace(made, ceiling=draw_log(rng, ranges.ceiling_level))
    if rng.random() < ranges.padded:
        made = replace(
            made, border=_draw_border(rng, ranges), border_level=float(rng.choice((0.0, 1.0, 0.5)))
        )
    if rng.random() < ranges.resampled:
        made = replace(made, zoom=draw(rng, ranges.zoom))
    if rng.random() < ranges.compressed:
        video = bool(rng.random() < 0.25)
        made = replace(made, quality=round(draw(rng, ranges.quality)), video=video, bits=8)
    if divided and rng.random() < ranges.misplaced:
        length, angle = draw_log(rng, ranges.misplaced_px), rng.uniform(0, 2 * np.pi)
        made = replace(
            made, misplaced=(float(length * np.cos(angle)), float(length * np.sin(angle)))
        )
    return made


def _draw_border(rng: np.random.Generator, ranges: PresentationRanges) -> Border:
    above, below, left, right = (
        draw(rng, ranges.border) if rng.random() < 0.5 else 0.0 for _ in range(4)
    )
    return above, below, left, right


def own_presentation(detector: Detector, stretch: str | None = None) -> Presentation:
    """Return the presentation that the camera itself gives."""
    return Presentation(
        "drawn",
        corrected=detector.flat is not None,
        background=None,
        gain=detector.gain,
        dark=detector.dark,
        bits=detector.bits,
        stretch=stretch or ("frame" if detector.stretch else None),
    )


def named_presentation(name: str, detector: Detector) -> Presentation:
    """Return a presentation by its name.

    Args:
        name: Name out of `PRESENTATIONS`.
        detector: Camera of the recording.

    Raises:
        ValueError: There is no such presentation.
    """
    if name not in PRESENTATIONS:
        raise ValueError(f"presentation must be one of {', '.join(PRESENTATIONS)}, not {name!r}.")
    # The brightest of the beam stays below full scale.
    gain = 0.8 / max(float(np.percentile(detector.beam, 99)), 1.0)
    base = Presentation(name, True, None, gain, 0.02, 16)
    changes: dict[str, dict[str, Any]] = {
        "raw": {"corrected": False, "dark": 0.05, "bits": 12},
        "clipped": {"ceiling": 1.5},
        "8 bit": {"bits": 8},
        "12 bit": {"bits": 12},
        "divided": {"background": "spread", "gain": 0.5, "dark": 0.0, "span": 20.0},
        "shaded": {"shading": 0.7},
        "padded": {"border": (0.08, 0.12, 0.06, 0.1)},
        "jpeg": {"bits": 8, "quality": 50},
        "video": {"bits": 8, "quality": 30, "video": True},
        "resampled": {"zoom": 0.5},
    }
    return replace(base, **changes.get(name, {}))


def present(
    seen: np.ndarray,
    presentation: Presentation,
    flat: np.ndarray | None,
    limits: tuple[float, float] | None,
) -> np.ndarray:
    """Turn light into grey levels.

    Args:
        seen: Light as a fraction of the open beam, or of the background for divided frames,
            float32 `(height, width)`; may be changed.
        presentation: What becomes of it.
        flat: Flat field; None for divided frames, and where there is none.
        limits: What is shown black and white: light of a stretched stack, or the lowest and
            highest ratio of divided frames.

    Returns:
        uint8, or uint16 for 12 and 16 bits, `(height, width)`.
    """
    if presentation.corrected and flat is not None:
        seen = seen / flat
    if presentation.shading:
        down = np.linspace(0.5, -0.5, len(seen), dtype=np.float32)[:, None]
        seen = seen * np.exp(np.float32(presentation.shading) * down)
    level = _levels(seen, presentation, limits)
    if presentation.zoom != 1.0:
        level = _resampled(level, presentation.zoom)
    if any(presentation.border):
        padded = np.full_like(level, presentation.border_level)
        inner = presentation.inner(level.shape)
        padded[inner] = level[inner]
        level = padded
    grey = quantise(level, presentation.bits)
    return _compressed(grey, presentation) if presentation.quality else grey


def present_labels(labels: np.ndarray, presentation: Presentation) -> np.ndarray:
    """Label a constant border background: nothing of the specimen is there."""
    if not any(presentation.border):
        return labels
    padded = np.full_like(labels, CLASS_NAMES.index("background"))
    inner = presentation.inner(labels.shape)
    padded[inner] = labels[inner]
    return padded


def ratio(seen: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Divide a frame by its background, float32 `(height, width)`."""
    return np.asarray(np.maximum(seen, 0) / np.maximum(background, np.float32(_LOWEST)))


def _levels(
    seen: np.ndarray, presentation: Presentation, limits: tuple[float, float] | None
) -> np.ndarray:
    """Light to levels of 0 to 1."""
    gain, dark = np.float32(presentation.gain), np.float32(presentation.dark)
    if presentation.background is not None and limits is not None:
        low, high = limits
        return gain + (seen - np.float32(1)) * np.float32(1 / (high - low))
    if presentation.ceiling is not None:
        top = np.float32(presentation.ceiling * max(float(np.median(seen[::4, ::4])), 1e-3))
        return np.asarray(np.minimum(seen, top) * np.float32(0.98 / top))
    if presentation.stretch is not None:
        if presentation.stretch == "frame" or limits is None:
            limits = stretch_limits(seen)
        black, white = limits
        return (seen - np.float32(black)) * np.float32(1 / max(white - black, 1e-3))
    return seen * gain + dark


def _resampled(level: np.ndarray, zoom: float) -> np.ndarray:
    height, width = level.shape
    size = (max(round(width * zoom), 8), max(round(height * zoom), 8))
    small = cv2.resize(level, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def _compressed(grey: np.ndarray, presentation: Presentation) -> np.ndarray:
    """JPEG and back; a video's decoder smooths the edges of its blocks."""
    coded = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, presentation.quality])[1]
    decoded = cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE)
    assert decoded is not None
    return cv2.bilateralFilter(decoded, 5, 12.0, 1.5) if presentation.video else decoded
