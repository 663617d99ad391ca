"""The same network with less to compute, for inference: plain layers, norms folded away."""

from amseg_keras.rewrite.inference import inference_model, label_model

__all__ = ["inference_model", "label_model"]
