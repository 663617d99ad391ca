"""Segment frames: the segmenter joins a network with its grey levels."""

from amseg_keras.segment.segmentation import LabelledFrame, Segmentation
from amseg_keras.segment.segmenter import Segmenter, from_pretrained

__all__ = ["LabelledFrame", "Segmentation", "Segmenter", "from_pretrained"]
