"""The same network with less to compute, for inference: plain layers, norms folded away."""

from typing import TYPE_CHECKING

from amseg_keras._on_demand import on_demand

if TYPE_CHECKING:
    from amseg_keras.rewrite.convert import inference_model, label_model

__all__ = ["inference_model", "label_model"]

# The rewrites of a graph need no Keras.
__getattr__, __dir__ = on_demand(
    __name__, {"amseg_keras.rewrite.convert": ("inference_model", "label_model")}
)
