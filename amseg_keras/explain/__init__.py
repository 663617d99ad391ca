"""Why a network decides as it does, and how sure it is: Grad-CAM and confidence."""

from amseg_keras.explain.confidence import (
    Confidence,
    FrameConfidence,
    confidence,
    frame_confidence,
    rank_frames,
)
from amseg_keras.explain.grad_cam import ClassMap, GradCam, class_index, grad_cam
from amseg_keras.explain.inner_layers import default_layer, layer_names

__all__ = [
    "ClassMap",
    "Confidence",
    "FrameConfidence",
    "GradCam",
    "class_index",
    "confidence",
    "default_layer",
    "frame_confidence",
    "grad_cam",
    "layer_names",
    "rank_frames",
]
