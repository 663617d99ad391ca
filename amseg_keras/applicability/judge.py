"""Whether a recording looks like what a preset knows: several signs together, each a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from amseg_keras.applicability.knowledge import Knowledge
from amseg_keras.applicability.sentences import (
    INVERTED,
    NO_CONTRAST,
    PIXEL_SIZE,
    SENTENCES,
    UNLIKE,
    in_words,
)

MOST_FRAMES = 8
"""Frames of a recording that are looked at."""

LEAST_LEVELS = 0.12
"""Share of the grey levels that is enough for the metal, whatever the preset knows."""

_BRIGHT = 0.4
"""Grey levels of the gas above the metal, as a share of all, from which on the gas is bright."""

DARK_VOIDS = -0.14
"""Level of every sign of voids below which voids are darker than the plate. Of 200 familiar
simulated recordings 1 % are below, and 26 % of the same ones inverted; of 11 familiar real ones
none, and five of them inverted."""

_VOIDS = ("voids_8", "voids_16", "voids_32")

_TIMES_PIXEL = 1.8
"""Factor between the pixel size and those of the training from which on it is said."""

_UNSURE = -2.0
"""Log-odds below the limit of the likeliest kind from which on no kind is named."""

_NAMED = 3
"""Signs that are named of a recording that is unlike all."""


@dataclass(frozen=True)
class ApplicabilityWarning:
    """One reason not to trust the labels of a recording.

    Attributes:
        sentence: Sentence that names the sign and says what to do.
        sign: Name of the sign.
        value: Measured value of the sign.
        limit: Value from which on it is said.
        frames: Frames that were looked at and show it.

    Example:
        >>> ApplicabilityWarning("frames seem to be upside down", "row_gas", 0.9, 0.5, (0,)).sign
        'row_gas'
    """

    sentence: str
    sign: str
    value: float
    limit: float
    frames: tuple[int, ...]

    def as_json(self) -> dict[str, Any]:
        """Give it as `run.json` holds it."""
        return {
            "sentence": self.sentence,
            "sign": self.sign,
            "value": float(f"{self.value:.4g}"),
            "limit": float(f"{self.limit:.4g}"),
            "frames": list(self.frames),
        }


def judge(
    signs: Mapping[int, Mapping[str, float]],
    known: Knowledge | None,
    *,
    has_contrast: bool = True,
    pixel_size_um: float | None = None,
) -> tuple[ApplicabilityWarning, ...]:
    """Compare the signs of a recording with what a preset knows.

    Args:
        signs: Signs of each frame that was looked at, by its number, from `measure_signs`.
        known: Statistics of the preset; None for a preset that has none.
        has_contrast: Whether the grey levels of the recording differ at all.
        pixel_size_um: Pixel size of what the network saw, in um; None if it is not known.

    Returns:
        Warnings, the most telling first; none for a familiar recording.

    Example:
        >>> [found.sign for found in judge({0: {}}, None, has_contrast=False)]
        ['no_contrast']
    """
    frames = tuple(sorted(signs))
    if not has_contrast:
        return (ApplicabilityWarning(SENTENCES[NO_CONTRAST], NO_CONTRAST, 0.0, 0.0, frames),)
    if known is None or not frames:
        return ()
    whole = known.deviations(median_signs(list(signs.values())))
    each = {number: known.deviations(found) for number, found in signs.items()}
    foreign = _foreign(known, whole, each) or _inverted(known, signs, whole)
    found = [
        *_bright_gas(known, signs, frames, bool(foreign)),
        *foreign,
        *_of_pixel_size(known, pixel_size_um, frames),
    ]
    return tuple(found) or _unlike_all(known, whole, each)


def median_signs(signs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Give each sign's median over the frames that have it."""
    names = dict.fromkeys(name for one in signs for name in one)
    found = {}
    for name in names:
        values = [one[name] for one in signs if name in one and np.isfinite(one[name])]
        if values:
            found[name] = float(np.median(values))
    return found


def _foreign(
    known: Knowledge, whole: np.ndarray, each: Mapping[int, np.ndarray]
) -> list[ApplicabilityWarning]:
    """Warn of a recording that is parted from the familiar ones, and name its kind."""
    trees = known.trees
    if trees is None or (score := trees.score(whole)) <= trees.limit:
        return []
    frames = tuple(n for n, one in each.items() if trees.score(one) > trees.limit)
    over = {one.kind: known.score(one, whole) - one.limit for one in known.detectors}
    kind = max(over, key=lambda one: over[one], default=UNLIKE)
    if kind == UNLIKE or over[kind] <= _UNSURE:
        kind, sentence = UNLIKE, _sentence_of_unlike(known, whole)
    else:
        sentence = SENTENCES.get(kind, f"this looks like {kind}")
    return [ApplicabilityWarning(sentence, kind, score, trees.limit, frames)]


def _inverted(
    known: Knowledge, signs: Mapping[int, Mapping[str, float]], whole: np.ndarray
) -> list[ApplicabilityWarning]:
    """Warn of voids that are darker than the plate, whether the gas is bright or dark."""
    if not {"share_background", "share_substrate"} <= set(known.signs):
        return []
    # Grains that stick to a plate are dark too: the trees must at least doubt.
    if known.trees is not None and known.trees.score(whole) <= 0:
        return []
    # Voids of all sizes must be dark: a track of dark grains is dark at one size alone.
    each = {
        number: max(values)
        for number, one in signs.items()
        if (values := [one[name] for name in _VOIDS if name in one])
    }
    value = float(np.median(list(each.values()))) if each else 0.0
    if value >= DARK_VOIDS:
        return []
    frames = tuple(number for number, one in each.items() if one < DARK_VOIDS)
    return [ApplicabilityWarning(SENTENCES[INVERTED], INVERTED, value, DARK_VOIDS, frames)]


def _sentence_of_unlike(known: Knowledge, whole: np.ndarray) -> str:
    """Name the signs that are farthest outside."""
    order = np.argsort(-np.nan_to_num(np.abs(whole), nan=-1.0))[:_NAMED]
    what = ", ".join(dict.fromkeys(in_words(known.signs[one]) for one in order))
    return SENTENCES[UNLIKE].format(what=what)


def _bright_gas(
    known: Knowledge,
    signs: Mapping[int, Mapping[str, float]],
    frames: tuple[int, ...],
    is_foreign: bool,
) -> list[ApplicabilityWarning]:
    found = median_signs(list(signs.values()))
    levels, apart = found.get("levels_substrate"), found.get("contrast")
    if levels is None or apart is None or apart < _BRIGHT or "levels_substrate" not in known.signs:
        return []
    # A preset that was trained on raw frames with bright gas knows metal with few grey levels.
    limit = LEAST_LEVELS
    if not is_foreign and known.low[known.signs.index("levels_substrate")] < limit:
        return []
    if levels >= limit:
        return []
    sentence = SENTENCES["bright_gas"].format(value=levels)
    return [ApplicabilityWarning(sentence, "bright_gas", levels, limit, frames)]


def _of_pixel_size(
    known: Knowledge, pixel_size_um: float | None, frames: tuple[int, ...]
) -> list[ApplicabilityWarning]:
    if pixel_size_um is None or known.pixel_sizes_um is None:
        return []
    small, large = known.pixel_sizes_um
    low, high = small / _TIMES_PIXEL, large * _TIMES_PIXEL
    if low <= pixel_size_um <= high:
        return []
    trained = f"{small:g} um" if small == large else f"{small:g} to {large:g} um"
    sentence = SENTENCES[PIXEL_SIZE].format(value=pixel_size_um, trained=trained)
    limit = low if pixel_size_um < low else high
    return [ApplicabilityWarning(sentence, PIXEL_SIZE, pixel_size_um, limit, frames)]


def _unlike_all(
    known: Knowledge, whole: np.ndarray, each: Mapping[int, np.ndarray]
) -> tuple[ApplicabilityWarning, ...]:
    """One warning where the signs lie far from all familiar recordings, or one far outside."""
    beyond = np.nan_to_num(np.abs(whole) - 0.5, nan=-1.0)
    sentence = _sentence_of_unlike(known, whole)
    distance = known.unlikeness(whole)
    if distance > known.distance:
        frames = tuple(n for n, one in each.items() if known.unlikeness(one) > known.distance)
        return (ApplicabilityWarning(sentence, UNLIKE, distance, known.distance, frames),)
    farthest = int(np.argmax(beyond))
    if beyond[farthest] > known.outside:
        name = known.signs[farthest]
        frames = tuple(n for n, one in each.items() if abs(one[farthest]) - 0.5 > known.outside)
        sentence = SENTENCES[UNLIKE].format(what=in_words(name))
        return (
            ApplicabilityWarning(sentence, name, float(beyond[farthest]), known.outside, frames),
        )
    return ()
