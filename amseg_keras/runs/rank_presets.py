"""Which of the presets at hand fits a recording: a few frames labelled by each, and judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from amseg_keras.applicability import ApplicabilityWarning
from amseg_keras.applicability.judge import median_signs
from amseg_keras.applicability.signs import measure_signs
from amseg_keras.preprocess.lazy import readable, spread
from amseg_keras.pretrained import PresetError
from amseg_keras.read import FrameStack, ReadError

LOOKED_AT = 3
"""Frames that each preset labels."""


@dataclass(frozen=True)
class Fit:
    """How well a preset fits a recording.

    Attributes:
        name: Name of the preset.
        warnings: Warnings about the recording.
        unlikeness: Distance from the recordings that it knows, 1 at the limit; None where nobody
            calibrated it, or it cannot be read.
        reason: One sentence.
    """

    name: str
    warnings: tuple[ApplicabilityWarning, ...]
    unlikeness: float | None
    reason: str


def rank_presets(stack: FrameStack, presets: Mapping[str, Path]) -> list[Fit]:
    """Rank presets for a recording, the best first.

    Those without a warning come first, by how near the recording is to what they know; those that
    nobody calibrated come last.

    Args:
        stack: Recording.
        presets: Folder of each preset, by its name.

    Raises:
        ReadError: No frame can be read.
    """
    chosen = [frame for _, frame in readable(stack, spread(len(stack), min(LOOKED_AT, len(stack))))]
    if not chosen:
        raise ReadError(f"{stack.source}: none of its frames can be read")
    frames = np.stack(chosen)
    fits = [_fit(name, folder, frames, stack.pixel_size_um) for name, folder in presets.items()]
    return sorted(fits, key=_order)


def _order(fit: Fit) -> tuple[bool, int, float]:
    return fit.unlikeness is None, len(fit.warnings), fit.unlikeness or 0.0


def _fit(name: str, folder: Path, frames: np.ndarray, pixel_size_um: float | None) -> Fit:
    # Keras takes seconds to import, which those who only want the list need not wait for.
    from amseg_keras.segment import from_pretrained

    try:
        segmenter = from_pretrained(folder)
    except PresetError as error:
        return Fit(name, (), None, f"cannot be read: {error}")
    known = segmenter.known
    if known is None:
        return Fit(name, (), None, "not calibrated: it has no applicability.json")
    inputs = segmenter.inputs(frames)
    labels = [one.labels for one in segmenter.iter_labels(inputs)]
    warnings = segmenter.check(inputs, lambda index: labels[index], pixel_size_um)
    signs = [
        measure_signs(frame, own, segmenter.class_names, inputs.grey_range)
        for frame, own in zip(frames, labels, strict=True)
    ]
    unlikeness = known.unlikeness(known.deviations(median_signs(signs))) / known.distance
    reason = warnings[0].sentence if warnings else f"looks like {known.about}"
    return Fit(name, warnings, unlikeness, reason)
