"""Keras metrics of shapes: boundaries, and single pores."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
from keras import ops

from amseg_keras.classes import IGNORE
from amseg_keras.metrics.counting import CountingMetric, ratio
from amseg_keras.metrics.scores import reaches


@keras.saving.register_keras_serializable("amseg_keras")
class BoundaryF1(CountingMetric):
    """F1 of the boundary pixels of a class, over the whole set, with a tolerance.

    Boundary pixels are pixels of the class with a 4-neighbour of another class. The edges of the
    frame and of ignored pixels are no boundaries. Precision is the fraction of predicted boundary
    pixels with a true one within the tolerance, recall the fraction of true boundary pixels with a
    predicted one; the score is `2 precision recall / (precision + recall)`. Distances are
    chessboard distances. `amseg_keras.metrics.boundary_matches` counts the same in NumPy.

    NaN without a true and a predicted boundary; 0 if there is only one of them.

    Args:
        class_id: Id of the class.
        tolerance: Distance in pixels; 0 requires the same pixel.
        ignore_class: Class id in the truth of pixels that do not count; None counts all pixels.
        name: Metric name; defaults to `boundary_f1_<class_id>`.
        dtype: Keras dtype of the metric. Counts are float32 in any case.

    Shapes:
        y_true: Class ids, `(batch, height, width)` or `(batch, height, width, 1)`. y_pred:
            probabilities or logits, `(batch, height, width, classes)`. sample_weight: `(batch,)`,
            a weight for each frame. The result is a float32 scalar; `counts()` are the true, of
            them found, found, of them right boundary pixels.

    Example:
        >>> import numpy as np
        >>> truth, found = np.zeros((2, 1, 8, 8), int)
        >>> truth[:, :, :4] = found[:, :, :5] = 1
        >>> float(BoundaryF1(class_id=1, tolerance=1)(truth, np.eye(2)[found]))
        1.0
        >>> float(BoundaryF1(class_id=1, tolerance=0)(truth, np.eye(2)[found]))
        0.0
    """

    def __init__(
        self,
        class_id: int,
        tolerance: int = 2,
        ignore_class: int | None = IGNORE,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__((4,), ignore_class, name or f"boundary_f1_{class_id}", dtype)
        if tolerance < 0:
            raise ValueError(f"tolerance {tolerance} must be 0 or more")
        self.class_id = class_id
        self.tolerance = tolerance

    def count(self, truth: Any, found: Any, seen: Any) -> Any:
        true_boundary = self._boundary(truth, seen)
        found_boundary = self._boundary(found, seen)
        parts = [
            true_boundary,
            true_boundary * highest_near(found_boundary, self.tolerance, self.tolerance),
            found_boundary,
            found_boundary * highest_near(true_boundary, self.tolerance, self.tolerance),
        ]
        return ops.stack([ops.sum(part, axis=(1, 2)) for part in parts], axis=-1)

    def _boundary(self, ids: Any, seen: Any) -> Any:
        """Return 1 on boundary pixels, float32 `(batch, height, width)`."""
        own = ops.cast((ids == self.class_id) & seen, "float32")
        others = ops.cast((ids != self.class_id) & seen, "float32")
        return own * ops.maximum(highest_near(others, 1, 0), highest_near(others, 0, 1))

    def score(self, counts: Any) -> Any:
        true, true_found, found, found_right = (counts[part] for part in range(4))
        # With only one boundary, one fraction is undefined and the other is 0.
        precision = found_right / ops.where(found > 0, found, 1.0)
        recall = true_found / ops.where(true > 0, true, 1.0)
        f1 = 2.0 * precision * recall / ops.maximum(precision + recall, 1e-12)
        return ops.where(true + found > 0, f1, float("nan"))

    def get_config(self) -> dict[str, Any]:
        own = {"class_id": self.class_id, "tolerance": self.tolerance}
        return {**super().get_config(), **own}


class PoreShare(CountingMetric):
    """Base class of the pore-wise metrics: the fraction of pores that lie on other pores.

    Args:
        class_id: Id of the class of pores.
        min_overlap: Fraction of a pore's area, above 0 and at most 1.
        ignore_class: Class id in the truth of pixels that do not count; None counts all pixels.
        name: Name of the metric.
        dtype: Keras dtype of the metric. Counts are float32 in any case.
    """

    default_name: ClassVar[str]

    def __init__(
        self,
        class_id: int,
        min_overlap: float = 0.5,
        ignore_class: int | None = IGNORE,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__((2,), ignore_class, name or self.default_name, dtype)
        if not 0 < min_overlap <= 1:
            raise ValueError(f"min_overlap {min_overlap} must be above 0 and at most 1")
        self.class_id = class_id
        self.min_overlap = float(min_overlap)

    def count_on(self, pores: Any, others: Any, seen: Any) -> Any:
        """Count the pores in one label map, and how many of them lie on the other's pores."""
        return count_covered(
            (pores == self.class_id) & seen, (others == self.class_id) & seen, self.min_overlap
        )

    def score(self, counts: Any) -> Any:
        return ratio(counts[1], counts[0])

    def get_config(self) -> dict[str, Any]:
        own = {"class_id": self.class_id, "min_overlap": self.min_overlap}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("amseg_keras")
class PorePrecision(PoreShare):
    """Fraction of the predicted pores that are right, over the whole set, whatever their size.

    A pore is an 8-connected component of the class in a frame. A predicted pore is right if at
    least `min_overlap` of its area lies on true pores. Ignored pixels belong to no pore; they may
    cut a pore in two. `amseg_keras.metrics.pore_matches` counts the same in NumPy.

    NaN without a predicted pore.

    Args:
        class_id: Id of the class of pores.
        min_overlap: Fraction of a predicted pore's area, above 0 and at most 1.
        ignore_class: Class id in the truth of pixels that do not count; None counts all pixels.
        name: Name of the metric.
        dtype: Keras dtype of the metric. Counts are float32 in any case.

    Shapes:
        y_true: Class ids, `(batch, height, width)` or `(batch, height, width, 1)`. y_pred:
            probabilities or logits, `(batch, height, width, classes)`. sample_weight: `(batch,)`,
            a weight for each frame. The result is a float32 scalar; `counts()` are the
            found pores, and of them the right ones.

    Example:
        >>> import numpy as np
        >>> truth = np.array([[[0, 1, 1, 0, 0, 0]]])
        >>> found = np.array([[[0, 0, 1, 0, 1, 1]]])
        >>> float(PorePrecision(class_id=1)(truth, np.eye(2)[found]))
        0.5
    """

    default_name = "pore_precision"

    def count(self, truth: Any, found: Any, seen: Any) -> Any:
        return self.count_on(found, truth, seen)


@keras.saving.register_keras_serializable("amseg_keras")
class PoreRecall(PoreShare):
    """Fraction of the true pores that were found, over the whole set, whatever their size.

    A pore is an 8-connected component of the class in a frame. A true pore is found if at least
    `min_overlap` of its area is predicted as pore. Ignored pixels belong to no pore; they may cut
    a pore in two. `amseg_keras.metrics.pore_matches` counts the same in NumPy.

    NaN without a true pore.

    Args:
        class_id: Id of the class of pores.
        min_overlap: Fraction of a true pore's area, above 0 and at most 1.
        ignore_class: Class id in the truth of pixels that do not count; None counts all pixels.
        name: Name of the metric.
        dtype: Keras dtype of the metric. Counts are float32 in any case.

    Shapes:
        y_true: Class ids, `(batch, height, width)` or `(batch, height, width, 1)`. y_pred:
            probabilities or logits, `(batch, height, width, classes)`. sample_weight: `(batch,)`,
            a weight for each frame. The result is a float32 scalar; `counts()` are the
            true pores, and of them the found ones.

    Example:
        >>> import numpy as np
        >>> truth = np.array([[[0, 1, 1, 0, 0, 0]]])
        >>> found = np.array([[[0, 0, 1, 0, 1, 1]]])
        >>> float(PoreRecall(class_id=1)(truth, np.eye(2)[found]))
        1.0
    """

    default_name = "pore_recall"

    def count(self, truth: Any, found: Any, seen: Any) -> Any:
        return self.count_on(truth, found, seen)


def label_components(mask: Any) -> Any:
    """Give each 8-connected component of each frame an id of its own.

    Args:
        mask: bool `(batch, height, width)`.

    Returns:
        int32 `(batch, height width)`: in a component the number of its last pixel, counted from 1
        along the rows of the frame; 0 outside. The last pixel is the one whose id is its number.

    Raises:
        ValueError: A frame has more than 2^24 pixels.

    Example:
        >>> import numpy as np
        >>> mask = np.array([[[1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 1, 0]]], bool)
        >>> np.asarray(label_components(mask)).reshape(4, 3)
        array([[ 5,  0,  0],
               [ 0,  5,  0],
               [ 0,  0,  0],
               [11, 11,  0]], dtype=int32)
    """
    batch, height, width = ops.shape(mask)
    if isinstance(height, int) and isinstance(width, int) and height * width > 1 << 24:
        raise ValueError(f"frames of {height} x {width}: pixel numbers in float32 go up to 2^24")
    frames = (batch, height, width)
    inside = ops.cast(mask, "float32")
    numbers = ops.reshape(ops.arange(1, height * width + 1, dtype="float32"), (1, height, width))

    def spread(labels: Any, _: Any) -> tuple[Any, Any]:
        # A label is the number of a pixel of the same component. Taken from neighbours alone, it
        # would go one pixel a step, through every bend; so the pixel that a label names, too,
        # takes the highest number that any pixel of its label has seen, and all take its label.
        near = inside * highest_near(labels, 1, 1)
        named = ops.segment_max(
            ops.reshape(near, (-1,)), _named_pixels(labels), batch * height * width
        )
        # Not times `inside`: what no label names is -inf here.
        highest = ops.where(inside > 0, ops.maximum(near, ops.reshape(named, frames)), 0.0)
        taken = ops.take(ops.reshape(highest, (-1,)), _named_pixels(highest))
        new = ops.maximum(highest, inside * ops.reshape(taken, frames))
        return new, ops.any(new > labels)

    labels, _ = ops.while_loop(
        lambda _, changed: changed, spread, (inside * numbers, ops.any(inside > 0))
    )
    return ops.cast(ops.reshape(labels, (batch, height * width)), "int32")


def _named_pixels(labels: Any) -> Any:
    """Return the place in the flattened batch of the pixel that each label names, int32.

    Outside of components it is the first pixel of the frame.
    """
    batch = ops.shape(labels)[0]
    flat = ops.cast(ops.reshape(labels, (batch, -1)), "int32")
    first = ops.expand_dims(ops.arange(batch, dtype="int32") * ops.shape(flat)[1], -1)
    return ops.reshape(first + ops.maximum(flat - 1, 0), (-1,))


def count_covered(mask: Any, other: Any, min_overlap: float) -> Any:
    """Count the components of a mask in each frame, and those that lie on another mask.

    Args:
        mask: bool `(batch, height, width)`.
        other: Likewise.
        min_overlap: Fraction of a component's area that must lie there.

    Returns:
        The two numbers of each frame, float32 `(batch, 2)`.
    """
    labels = label_components(mask)
    batch, pixels = ops.shape(labels)
    inside = ops.cast(labels > 0, "float32")
    components = _named_pixels(labels)

    def areas(part: Any) -> Any:
        return ops.segment_sum(ops.reshape(part, (-1,)), components, batch * pixels)

    area = areas(inside)
    overlap = areas(inside * ops.cast(ops.reshape(other, (batch, pixels)), "float32"))
    there = area > 0
    covered = there & reaches(overlap, area, min_overlap)
    parts = (ops.cast(ops.reshape(part, (batch, pixels)), "float32") for part in (there, covered))
    return ops.stack([ops.sum(part, axis=1) for part in parts], axis=-1)


def highest_near(values: Any, rows: int, columns: int) -> Any:
    """Give each pixel the highest value within a number of rows and columns.

    As max pooling does, but by shifted copies: Keras' max pooling takes 2 to 30 times as long on
    a CPU, for such small windows.

    Args:
        values: Values of 0 or more, `(batch, height, width)`.
        rows: Distance in rows.
        columns: Distance in columns.

    Example:
        >>> import numpy as np
        >>> values = np.array([[[0, 3, 0, 0, 5]]], "float32")
        >>> print(np.asarray(highest_near(values, rows=0, columns=1)))
        [[[3. 3. 3. 5. 5.]]]
    """
    highest = values
    for axis, reach in ((1, rows), (2, columns)):
        around = [(0, 0)] * 3
        around[axis] = (reach, reach)
        padded = ops.pad(highest, around)
        size = ops.shape(values)[axis]
        for start in range(2 * reach + 1):
            window = slice(start, start + size)
            shifted = padded[:, window] if axis == 1 else padded[:, :, window]
            highest = ops.maximum(highest, shifted)
    return highest
