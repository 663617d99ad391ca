"""The surface of the substrate: a robust line through the top of the metal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy import ndimage

from amseg_keras.classes import MELT_POOL
from amseg_keras.quantify.classes import mask_of

Numbers = TypeVar("Numbers", float, np.ndarray)

_LEAST_SHARE = 0.1
"""Share of the frame's width over which the surface must be seen."""

_LEAST_COLUMNS = 8

_REACH = 12
"""Pixels from the labels' surface within which the step of the grey levels is looked for."""

_CLEAR = 1.5
"""Times that the step must be as steep as any other place within reach."""

_ABOVE = 3
"""Pixels above the surface at which powder is looked for."""

_MOST_POWDER = 0.2
"""Share of the columns that may have powder there."""

_FIRST_POINTS = 40
"""Points that go into the first line, which takes time with their third power."""

_TUKEY = 4.685
"""Residuals in units of their spread beyond which a point has no weight (95 % efficiency)."""

_LEAST_SPREAD = 0.5
"""Error in pixels of a line that is drawn in whole pixels."""

_ROUNDS = 10
"""Most iterations of the weights of the points."""

_SETTLED = 0.01
"""Relative motion of the ends in pixels below which the line is found."""


@dataclass(frozen=True)
class Surface:
    """The line `y = slope * x + offset`, in pixels.

    Centres of pixels are at whole numbers, and rows count downwards. The line lies on the upper
    edge of the topmost pixel of the metal, half a pixel above that pixel's centre:

        column        0     1     2
                   |     |     |     |
        row 3      | gas | gas | gas |
                   +=====+=====+=====+   surface: y = 3.5
        row 4      |metal|metal|metal|   centres at y = 4
                   |     |     |     |

    Attributes:
        slope: Rows per column; positive where the surface falls to the right.
        offset: Row of the surface at column 0.

    Example:
        >>> surface = Surface(slope=0.75, offset=10.0)
        >>> surface.row(8.0), surface.depth(8.0, 21.0)
        (16.0, 4.0)
    """

    slope: float
    offset: float

    @property
    def cosine(self) -> float:
        """Angle of the surface with the rows."""
        return float(1 / np.hypot(1, self.slope))

    def row(self, x: Numbers) -> Numbers:
        """Return the row of the surface at the columns `x`."""
        return self.slope * x + self.offset

    def depth(self, x: Numbers, y: Numbers) -> Numbers:
        """Return the distance of points below the surface, perpendicular to it; negative above."""
        depth: Numbers = (y - self.row(x)) * self.cosine
        return depth

    def along(self, x: Numbers, y: Numbers) -> Numbers:
        """Return the position of points along the surface, from left to right."""
        return (x + self.slope * (y - self.offset)) * self.cosine


def substrate_surface(labels: np.ndarray, class_names: Sequence[str]) -> Surface | None:
    """Fit a line to the top of the substrate.

    The top is looked for in the largest connected piece of metal: substrate, melt pool, keyhole and
    pores taken together. So spatter that is labelled as substrate does not count. The top of a
    column is its uppermost pixel if that pixel is substrate or melt pool; where the keyhole is open
    there is no top. The majority of the columns lie on the line: a melt hump, a dent or a deposit
    over less than half of the plate does not tilt the line.

    Args:
        labels: Class ids, uint8 `(height, width)`; 255 is no metal.
        class_names: Name of each class id.

    Returns:
        None where there is too little to see: less than a tenth of the frame's width, or a plate
        that reaches the frame's upper edge.

    Example:
        >>> labels = np.zeros((20, 40), np.uint8)
        >>> labels[12:] = 1
        >>> substrate_surface(labels, ["background", "substrate"])
        Surface(slope=0.0, offset=11.5)
        >>> substrate_surface(labels[:12], ["background", "substrate"]) is None
        True
    """
    metal = mask_of(labels, class_names, "substrate", MELT_POOL, "keyhole", "pore")
    pieces, count = ndimage.label(metal)
    if not count:
        return None
    body = metal
    if count > 1:
        areas = np.bincount(pieces.ravel())
        body = pieces == 1 + int(areas[1:].argmax())
    tops = body.argmax(axis=0)
    columns = np.arange(labels.shape[1])
    # Row 0 is also what argmax says of a column without metal.
    seen = (tops > 0) & mask_of(labels[tops, columns], class_names, "substrate", MELT_POOL)
    if seen.sum() < max(_LEAST_COLUMNS, _LEAST_SHARE * labels.shape[1]):
        return None
    slope, offset = robust_line(columns[seen], tops[seen] - 0.5)
    return Surface(slope, offset)


def at_grey_edge(
    surface: Surface, frame: np.ndarray, labels: np.ndarray, class_names: Sequence[str]
) -> Surface | None:
    """Move a surface to the steepest step of the grey levels near it.

    Labels of a network begin some pixels above or below the step where the frame has a dark or
    bright fringe along the plate. The step is looked for up to 12 px from the surface, in the left
    half and in the right half of the frame: it is the steepest place of the median over the
    columns, along the surface. It counts only if it stands out from all other places.

    Args:
        frame: Grey levels, any real dtype, `(height, width)`.
        labels: Class ids of the frame, uint8 of the same shape.

    Returns:
        The surface at the step; None where there is no clear step, or powder lies on the plate,
        whose grains have steps of their own.

    Example:
        >>> frame = np.full((60, 80), 900.0)
        >>> frame[32:] = 400
        >>> labels = np.zeros((60, 80), np.uint8)
        >>> found = at_grey_edge(Surface(0.0, 27.5), frame, labels, ["background"])
        >>> found.slope, found.offset
        (0.0, 31.5)
        >>> at_grey_edge(Surface(0.0, 27.5), np.full((60, 80), 900.0), labels, ["background"])
    """
    width = frame.shape[1]
    columns = np.arange(width)
    above = np.rint(surface.row(columns.astype(float))).astype(int) - _ABOVE
    seen = (above >= 0) & (above < len(labels))
    powder = mask_of(labels[above[seen], columns[seen]], class_names, "powder")
    if not seen.any() or powder.mean() > _MOST_POWDER:
        return None
    halves = (0, width // 2), (width // 2, width)
    steps = [_step(surface, frame, np.arange(*half)) for half in halves]
    found = [step for step in steps if step is not None]
    if not found:
        return None
    if len(found) == 1 or abs(found[0] - found[1]) > _REACH / 2:
        whole = _step(surface, frame, np.arange(width))
        return None if whole is None else Surface(surface.slope, surface.offset + whole)
    left, right = ((first + last - 1) / 2 for first, last in halves)
    tilt = (found[1] - found[0]) / (right - left)
    offset = surface.offset + found[0] - tilt * left
    return Surface(float(surface.slope + tilt), float(offset))


def _step(surface: Surface, frame: np.ndarray, columns: np.ndarray) -> float | None:
    """Return rows from the surface down to the steepest step of the grey levels in columns."""
    away = np.arange(-_REACH, _REACH + 1)
    line = surface.row(columns.astype(float))
    nearest = np.floor(line + 0.5).astype(int)
    rows = nearest + away[:, None]
    inside = (rows.min(axis=0) >= 0) & (rows.max(axis=0) < len(frame))
    if inside.sum() < _LEAST_COLUMNS:
        return None
    levels = np.median(frame[rows[:, inside], columns[inside]].astype(float), axis=1)
    steps = np.abs(np.diff(levels))
    place = int(steps.argmax())
    elsewhere = np.delete(steps, slice(max(place - 2, 0), place + 3))
    if steps[place] <= _CLEAR * elsewhere.max():
        return None
    near = slice(max(place - 1, 0), place + 2)
    middle = float(np.average(np.arange(len(steps))[near], weights=steps[near]))
    return middle + 0.5 - _REACH + float((nearest - line)[inside].mean())


def robust_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Fit slope and offset of the line on which most points lie.

    First take, among the lines through two of the points, the line with the least median residual
    (Rousseeuw 1984): nearly half of the points may be wrong. Then fit by least squares with Tukey's
    weights: the result is finer than a pixel although the points are whole pixels.

    Args:
        x: Positions, in rising order, `(points,)`.
        y: Values, `(points,)`.

    Returns:
        Slope and offset of y = slope * x + offset.

    Example:
        >>> slope, offset = robust_line(np.arange(9), np.array([0, 2, 4, 6, 8, 10, 99, 99, 99]))
        >>> round(slope, 6), round(offset, 6)
        (2.0, 0.0)
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    slope, offset = _least_median_line(x, y)
    for _ in range(_ROUNDS):
        residuals = np.abs(y - slope * x - offset)
        spread = max(1.4826 * _median(residuals), _LEAST_SPREAD)
        weights = np.clip(1 - (residuals / (_TUKEY * spread)) ** 2, 0, None) ** 2
        total = weights.sum()
        middle, height = ((weights * values).sum() / total for values in (x, y))
        # Sums, not matrix products: those wake up the threads of the BLAS for nothing.
        lever = weights * (x - middle)
        before, slope = slope, float((lever * y).sum() / (lever * (x - middle)).sum())
        offset = float(height - slope * middle)
        if abs(slope - before) * (x[-1] - x[0]) < _SETTLED:
            break
    return slope, offset


def _median(values: np.ndarray) -> float:
    """Return the median of finite values, in a third of the time of `numpy.median`."""
    half = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, half)[half])
    lower, upper = np.partition(values, (half - 1, half))[half - 1 : half + 1]
    return float((lower + upper) / 2)


def _least_median_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    some = np.linspace(0, len(x) - 1, min(_FIRST_POINTS, len(x))).round().astype(int)
    x, y = x[some], y[some]
    one, other = np.triu_indices(len(x), 1)
    slopes = (y[other] - y[one]) / (x[other] - x[one])
    offsets = y[one] - slopes * x[one]
    residuals = np.abs(y - slopes[:, None] * x - offsets[:, None])
    half = len(x) // 2
    best = np.partition(residuals, half, axis=1)[:, half].argmin()
    return float(slopes[best]), float(offsets[best])
