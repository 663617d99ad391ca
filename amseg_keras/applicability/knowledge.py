"""Statistics of the recordings that a preset is good for, in its `applicability.json`.

The file holds the usual range of every sign, a few hundred familiar recordings as points, trees
that part foreign recordings from familiar ones, and for each foreign kind a line that names it. It
says of which weights it is, because other weights label other things in the same frames.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from amseg_keras.applicability.certainty import COLDEST, HOTTEST

FILE = "applicability.json"

FORMAT = 1

MOST_BYTES = 1 << 20
"""Largest size of a file that is read, in bytes."""

MOST_DEVIATION = 4.0
"""Widths of the usual range at which a sign stops to count for more."""

MOST_FACTOR = 1000.0

ENLARGED = "enlarged"
"""Sign that says by how much frames are enlarged for the network, as a logarithm."""

_OF_PIXELS = ("noise", "texture", "lean", "detail", "edge", "skewness", "counting", "speckle")
"""Beginnings of the names of signs that frames have otherwise which are to be enlarged."""

_FARTHEST, _MISSING = 6.0, -8.0

NEIGHBOURS = 2
"""Familiar recordings whose mean distance is that of a new one."""


@dataclass(frozen=True)
class Detector:
    """A line that parts one kind of foreign recordings from the familiar ones.

    Attributes:
        kind: Name of the kind, as in `sentences.SENTENCES`.
        weights: Weight of each deviation, of each squared deviation, and of each missing sign.
        offset: Added to the sum.
        limit: Score above which a foreign recording is said to be of the kind.
    """

    kind: str
    weights: tuple[float, ...]
    offset: float
    limit: float


@dataclass(frozen=True)
class Trees:
    """Boosted decision trees that part foreign recordings from familiar ones.

    All trees are in the same lists; a node is named by its place in them.

    Attributes:
        roots: First node of each tree.
        sign: Sign that a node asks for; -1 of a leaf.
        threshold: Deviation up to which the left node follows.
        left: Left node.
        right: Right node.
        value: Log-odds that a leaf adds.
        offset: Added to the sum.
        limit: Log-odds above which a recording is foreign.
    """

    roots: tuple[int, ...]
    sign: tuple[int, ...]
    threshold: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    value: tuple[float, ...]
    offset: float
    limit: float

    def score(self, deviations: np.ndarray) -> float:
        """Give how foreign a recording is: log-odds.

        Args:
            deviations: Deviation of every sign; NaN where it is missing.
        """
        inputs = for_trees(deviations)
        node, sign, threshold, left, right, value = self._arrays
        while (inner := sign[node] >= 0).any():
            goes_left = inputs[sign[node]] <= threshold[node]
            node = np.where(inner, np.where(goes_left, left[node], right[node]), node)
        return float(value[node].sum() + self.offset)

    @functools.cached_property
    def _arrays(self) -> tuple[np.ndarray, ...]:
        """All lists as arrays, made once: that takes longer than to walk through the trees."""
        threshold = np.array(self.threshold, np.float32)
        sides = np.array(self.left), np.array(self.right)
        return np.array(self.roots), np.array(self.sign), threshold, *sides, np.array(self.value)


@dataclass(frozen=True)
class Knowledge:
    """Statistics of the recordings that a preset is good for.

    Attributes:
        weights_sha256: Digest of the weights that labelled them.
        signs: Names of the signs.
        low: Lower end of the usual range of each.
        high: Upper end.
        outside: Widths of its range by which a sign must leave it before that is said.
        points: Deviations of familiar recordings, one row each.
        distance: Distance from them above which a recording is unlike all.
        trees: Trees that separate foreign from familiar recordings; None without foreign ones.
        detectors: One for each kind of foreign recordings, which names it.
        pixel_sizes_um: Smallest and largest pixel size of the familiar ones; None if unknown.
        about: Recordings that the statistics were made on.
        temperature: Number by which scores are divided, so that probabilities mean what they say.
        reliability: Mean confidence, share of right labels and share of the pixels, for ranges of
            confidence, at this temperature.
        interval_factors: Factor on the interval of each quantity that makes it cover the truth in
            90 % of simulated frames.

    Example:
        Without trees and detectors, with one sign whose usual range is 0 to 2:

        >>> known = Knowledge(
        ...     "0" * 64, ("edge",), (0.0,), (2.0,), 3.0, ((0.0,),), 2.0, None, (), None, "example"
        ... )
        >>> known.deviations({"edge": 5.0}).tolist()
        [2.0]
    """

    weights_sha256: str
    signs: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    outside: float
    points: tuple[tuple[float, ...], ...]
    distance: float
    trees: Trees | None
    detectors: tuple[Detector, ...]
    pixel_sizes_um: tuple[float, float] | None
    about: str
    temperature: float = 1.0
    reliability: tuple[tuple[float, ...], ...] = ()
    interval_factors: Mapping[str, float] = field(default_factory=dict)

    def deviations(self, found: Mapping[str, float]) -> np.ndarray:
        """Give every sign in widths of its usual range from the middle; NaN where it is missing.

        Args:
            found: Signs of a frame or a recording.
        """
        values = np.array([found.get(name, math.nan) for name in self.signs])
        low, high = self._range
        deviations = np.asarray((values - (low + high) / 2) / (high - low))
        if found.get(ENLARGED) and ENLARGED not in self.signs:
            # Its trees have never seen the noise and texture of frames that are enlarged.
            deviations[[name.startswith(_OF_PIXELS) for name in self.signs]] = 0.0
        return deviations

    @functools.cached_property
    def _range(self) -> tuple[np.ndarray, np.ndarray]:
        return np.array(self.low), np.array(self.high)

    @functools.cached_property
    def _points(self) -> np.ndarray:
        return np.array(self.points)

    def unlikeness(self, deviations: np.ndarray) -> float:
        """Give the distance of a recording from the familiar ones nearest to it."""
        distances = np.sqrt(((self._points - filled(deviations)) ** 2).mean(axis=1))
        return float(np.sort(distances)[:NEIGHBOURS].mean())

    def score(self, detector: Detector, deviations: np.ndarray) -> float:
        """Give how much a recording is of a foreign kind: log-odds."""
        return float(np.array(detector.weights) @ terms(deviations) + detector.offset)


def filled(deviations: np.ndarray) -> np.ndarray:
    """Bound deviations, and take a missing sign as usual."""
    return np.asarray(np.clip(np.nan_to_num(deviations, nan=0.0), -MOST_DEVIATION, MOST_DEVIATION))


def for_trees(deviations: np.ndarray) -> np.ndarray:
    """Bound deviations for `Trees`, with missing signs below all; float32 of the same shape."""
    bounded = np.clip(deviations, -_FARTHEST, _FARTHEST)
    return np.asarray(np.nan_to_num(bounded, nan=_MISSING).astype(np.float32))


def terms(deviations: np.ndarray) -> np.ndarray:
    """Give what detectors weigh: deviations, their squares, and which signs are missing.

    Args:
        deviations: Float `(..., signs)`.

    Returns:
        Float `(..., 3 * signs)`.
    """
    bounded = filled(deviations)
    missing = np.isnan(deviations).astype(float)
    return np.concatenate((bounded, bounded**2 / 2, missing), axis=-1)


def write_knowledge(folder: Path, known: Knowledge) -> Path:
    """Write `applicability.json` into a preset folder.

    Args:
        folder: Folder of the preset.
        known: Statistics of the preset.

    Returns:
        Path of the file.

    Example:
        >>> import tempfile
        >>> from amseg_keras.pretrained import find_preset
        >>> known = read_knowledge(find_preset("amsegnet-esrf-lite"))
        >>> write_knowledge(Path(tempfile.mkdtemp()), known).name
        'applicability.json'
    """
    path = folder / FILE
    text = json.dumps({"format": FORMAT, **_rounded(asdict(known))}, separators=(",", ":"))
    path.write_text(text.replace("],[", "],\n[") + "\n", "utf-8")
    return path


def read_knowledge(folder: Path) -> Knowledge | None:
    """Read what a preset knows; None for presets that know nothing.

    Args:
        folder: Folder of the preset.

    Raises:
        ValueError: The file is there and is not such a file.

    Example:
        >>> from amseg_keras.pretrained import find_preset
        >>> "share_substrate" in read_knowledge(find_preset("amsegnet-esrf-lite")).signs
        True
    """
    path = folder / FILE
    if not path.is_file():
        return None
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"{path}: larger than {MOST_BYTES >> 10} KiB, which is not read")
    try:
        known = _read(json.loads(path.read_text("utf-8")))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path}: not a valid description of applicability ({error})") from error
    return known


def _read(record: dict[str, Any]) -> Knowledge:
    if record["format"] != FORMAT:
        raise ValueError(f"format {record['format']!r}; this version reads format {FORMAT}")
    signs = tuple(str(name) for name in record["signs"])
    count = len(signs)
    sizes = record["pixel_sizes_um"]
    detectors = tuple(
        Detector(
            str(one["kind"]),
            _numbers(one["weights"], 3 * count),
            float(one["offset"]),
            float(one["limit"]),
        )
        for one in record["detectors"]
    )
    return Knowledge(
        str(record["weights_sha256"]),
        signs,
        _numbers(record["low"], count),
        _numbers(record["high"], count),
        float(record["outside"]),
        tuple(_numbers(row, count) for row in record["points"]),
        float(record["distance"]),
        None if record["trees"] is None else _trees(record["trees"], count),
        detectors,
        None if sizes is None else _pair(_numbers(sizes, 2)),
        str(record["about"]),
        _temperature(record.get("temperature", 1.0)),
        tuple(_numbers(row, 3) for row in record.get("reliability", ())),
        {str(name): _factor(value) for name, value in record.get("interval_factors", {}).items()},
    )


def _factor(value: Any) -> float:
    factor = float(value)
    if not 0 < factor < MOST_FACTOR:
        raise ValueError(f"factors above 0 and below {MOST_FACTOR:g} were expected")
    return factor


def _temperature(value: Any) -> float:
    temperature = float(value)
    if not COLDEST <= temperature <= HOTTEST:
        raise ValueError(f"a temperature from {COLDEST:g} to {HOTTEST:g} was expected")
    return temperature


def _trees(record: dict[str, Any], signs: int) -> Trees:
    nodes = len(record["sign"])
    sign = _whole(record["sign"], -1, signs)
    # Children come after their node, so that no walk goes round.
    for place, (left, right) in enumerate(zip(record["left"], record["right"], strict=True)):
        if sign[place] >= 0 and not place < min(left, right) <= max(left, right) < nodes:
            raise ValueError("its trees are not trees")
    return Trees(
        _whole(record["roots"], 0, nodes),
        sign,
        _numbers(record["threshold"], nodes),
        _whole(record["left"], -1, nodes),
        _whole(record["right"], -1, nodes),
        _numbers(record["value"], nodes),
        float(record["offset"]),
        float(record["limit"]),
    )


def _whole(values: Sequence[Any], low: int, end: int) -> tuple[int, ...]:
    if not all(isinstance(value, int) and low <= value < end for value in values):
        raise ValueError(f"whole numbers from {low} to {end - 1} were expected")
    return tuple(values)


def _numbers(values: Sequence[Any], count: int) -> tuple[float, ...]:
    numbers = tuple(float(value) for value in values)
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise ValueError(f"{count} finite numbers were expected")
    return numbers


def _pair(numbers: tuple[float, ...]) -> tuple[float, float]:
    return numbers[0], numbers[1]


def _rounded(value: Any) -> Any:
    """Numbers with four digits: more would be noise, and three times the bytes."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return value
