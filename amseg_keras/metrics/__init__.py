"""Measure how good a segmentation is: its pixels, boundaries and pores.

The classes are Keras metrics for `model.compile`, on every backend. They gather counts over the
whole set: a score is over all pixels, and not a mean over batches. A score that has nothing to
count is NaN. The functions do the same for label maps in NumPy.
"""

from typing import TYPE_CHECKING, Any

from amseg_keras._on_demand import on_demand
from amseg_keras.metrics.scores import (
    BoundaryMatches,
    PoreMatches,
    boundary_matches,
    confusion_matrix,
    f1_per_class,
    iou_per_class,
    pore_matches,
)

if TYPE_CHECKING:
    from amseg_keras.metrics.pixelwise import (
        ClassF1,
        ClassIoU,
        ConfusionMatrix,
        MeanF1,
        MeanIoU,
        SegmentationScores,
    )
    from amseg_keras.metrics.shapewise import BoundaryF1, PorePrecision, PoreRecall

__all__ = [
    "BoundaryF1",
    "BoundaryMatches",
    "ClassF1",
    "ClassIoU",
    "ConfusionMatrix",
    "MeanF1",
    "MeanIoU",
    "PoreMatches",
    "PorePrecision",
    "PoreRecall",
    "SegmentationScores",
    "boundary_matches",
    "confusion_matrix",
    "f1_per_class",
    "iou_per_class",
    "pore_matches",
]

_KERAS = {
    "amseg_keras.metrics.pixelwise": (
        *("ClassF1", "ClassIoU", "ConfusionMatrix", "MeanF1", "MeanIoU", "SegmentationScores"),
    ),
    "amseg_keras.metrics.shapewise": ("BoundaryF1", "PorePrecision", "PoreRecall"),
}

_get, __dir__ = on_demand(__name__, _KERAS)


def __getattr__(name: str) -> Any:
    if name in __all__:
        # The import of Keras registers all metrics, not only the metrics of one module.
        import keras  # noqa: F401
    return _get(name)
