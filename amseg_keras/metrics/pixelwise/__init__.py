"""Keras metrics that count pixels, each in a confusion matrix."""

from amseg_keras.metrics.pixelwise.class_f1 import ClassF1
from amseg_keras.metrics.pixelwise.class_iou import ClassIoU
from amseg_keras.metrics.pixelwise.confusion_matrix import ConfusionMatrix
from amseg_keras.metrics.pixelwise.mean_f1 import MeanF1
from amseg_keras.metrics.pixelwise.mean_iou import MeanIoU
from amseg_keras.metrics.pixelwise.segmentation_scores import SegmentationScores

__all__ = ["ClassF1", "ClassIoU", "ConfusionMatrix", "MeanF1", "MeanIoU", "SegmentationScores"]
