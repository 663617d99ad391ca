"""Rank presets for a recording: each labels a few frames, and the labels are judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from amseg_keras.applicability import ApplicabilityWarning
from amseg_keras.applicability.check import signs_of
from amseg_keras.applicability.judge import judge, median_signs
from amseg_keras.applicability.sentences import MADE_FOR
from amseg_keras.pretrained import PresetError
from amseg_keras.pretrained.find import BEST
from amseg_keras.read import FrameStack, ReadError

FITS, SUGGESTED, DOUBTFUL, UNKNOWN = "fits", "suggested", "doubtful", "not checked"

_ORDER = (FITS, SUGGESTED, DOUBTFUL, UNKNOWN)


@dataclass(frozen=True)
class Fit:
    """Fit of a preset to a recording.

    Attributes:
        name: Name of the preset.
        verdict: "fits"; "suggested", by a warning of another preset; "doubtful"; or "not checked".
        warnings: Warnings about the recording.
        unlikeness: Distance from the recordings that the preset knows, 1 at the limit; None for
            a preset that nobody calibrated, or that cannot be read.
        reason: Sentence for the verdict.
    """

    name: str
    verdict: str
    warnings: tuple[ApplicabilityWarning, ...]
    unlikeness: float | None
    reason: str


def rank_presets(stack: FrameStack, presets: Mapping[str, Path]) -> list[Fit]:
    """Rank presets for a recording, the best first.

    Presets without a warning come first, among them the preset that measures best in general. The
    others follow by the distance of the recording from those they know. A preset that nobody
    calibrated comes last, unless another preset recognises its process in the recording.

    Raises:
        ReadError: No frame can be read.

    Example:
        >>> from amseg_keras.pretrained import find_preset
        >>> from amseg_keras.read import open_stack
        >>> name = "amsegnet-esrf-lite"
        >>> with open_stack("sample:esrf-lpbf") as stack:
        ...     (fit,) = rank_presets(stack, {name: find_preset(name)})
        >>> fit.verdict
        'fits'
    """
    fits = [_fit(name, folder, stack) for name, folder in presets.items()]
    named_by = {MADE_FOR.get(warning.sign): fit.name for fit in fits for warning in fit.warnings}
    fits = [_suggested(fit, named_by[fit.name]) if fit.name in named_by else fit for fit in fits]
    return sorted(fits, key=_order)


def _suggested(fit: Fit, by: str) -> Fit:
    """Move an uncalibrated preset up, because another preset recognises its process."""
    if fit.verdict != UNKNOWN:
        return fit
    reason = f"{by} finds that the recording looks like its process; {fit.reason}"
    return replace(fit, verdict=SUGGESTED, reason=reason)


def _order(fit: Fit) -> tuple[int, int, bool, float]:
    place = _ORDER.index(fit.verdict)
    return place, len(fit.warnings), fit.name != BEST, fit.unlikeness or 0.0


def _fit(name: str, folder: Path, stack: FrameStack) -> Fit:
    # Keras takes seconds to import, and a list of presets does not need it.
    from amseg_keras.segment import from_pretrained

    try:
        segmenter = from_pretrained(folder)
    except PresetError as error:
        return Fit(name, UNKNOWN, (), None, f"it cannot be read: {error}")
    known = segmenter.known
    if known is None:
        reason = "nobody calibrated it, so it cannot say whether it fits"
        return Fit(name, UNKNOWN, (), None, reason)
    inputs = segmenter.inputs(stack)

    def labels_of(index: int) -> np.ndarray | None:
        return next(segmenter.iter_labels(inputs, start=index, batch_size=1)).labels

    background_of = None if inputs.backgrounds is None else inputs.backgrounds.of
    levels = inputs.grey_range
    signs = signs_of(stack, labels_of, segmenter.class_names, levels, background_of=background_of)
    if not signs:
        raise ReadError(f"{stack.source}: none of the frames that were tried can be read")
    warnings = judge(
        signs, known, has_contrast=levels.high > levels.low, pixel_size_um=stack.pixel_size_um
    )
    whole = known.deviations(median_signs(list(signs.values())))
    unlikeness = known.unlikeness(whole) / known.distance
    if warnings:
        return Fit(name, DOUBTFUL, warnings, unlikeness, warnings[0].sentence)
    reason = f"the frames look like those of its training: {segmenter.info.trained_on}"
    return Fit(name, FITS, warnings, unlikeness, reason)
