"""How good a segmentation is: of pixels, of boundaries, of pores.

The classes are Keras metrics for `model.compile`, on every backend. They gather counts over the
whole set, so that a score is that of all its pixels and no mean over batches; a score that has
nothing to count is NaN. The functions do the same for label maps in NumPy.
"""

from amseg_keras.metrics.boundaries import BoundaryMatches, boundary_matches
from amseg_keras.metrics.pixelwise import (
    ClassF1,
    ClassIoU,
    ConfusionMatrix,
    MeanF1,
    MeanIoU,
    SegmentationScores,
)
from amseg_keras.metrics.pores import PoreMatches, pore_matches
from amseg_keras.metrics.scores import confusion_matrix, f1_per_class, iou_per_class
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
