"""How good a network is on the validation frames."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from amseg_keras.metrics.scores import confusion_matrix, f1_per_class, iou_per_class
from amseg_keras.segment.tiling import Predict, predict_any_size


def validate(
    predict: Predict,
    frames: Iterable[tuple[np.ndarray, np.ndarray]],
    class_names: tuple[str, ...],
    loss: keras.losses.Loss,
) -> dict[str, Any]:
    """Segment whole frames and compare with their labels.

    Args:
        predict: The network.
        frames: Input `(height, width, channels)` and class ids `(height, width)`, of any size.
        class_names: In the order of the ids.
        loss: What is minimised.

    Returns:
        `val_loss` (mean over frames), `mean_iou`, `mean_f1`, and `iou_<class>` for each class, over
        all pixels of all frames; NaN for a class that is neither there nor found.
    """
    count = len(class_names)
    matrix = np.zeros((count, count), np.int64)
    losses = []
    for image, labels in frames:
        probabilities = predict_any_size(predict, image[None])
        matrix += confusion_matrix(labels, probabilities[0].argmax(-1), count)
        truth = labels[None].astype(np.int32)
        # Not `loss(...)`, which Keras divides by the number of devices that share a batch.
        value = loss.call(truth, keras.ops.convert_to_tensor(probabilities, "float32"))
        losses.append(float(keras.ops.convert_to_numpy(value).mean()))
    iou, f1 = iou_per_class(matrix), f1_per_class(matrix)
    # Only classes that the labels have: a class that is found where there is none is an error of
    # those that are there.
    there = matrix.sum(axis=1) > 0
    return {
        "val_loss": float(np.mean(losses)),
        "mean_iou": float(np.mean(iou[there])) if there.any() else float("nan"),
        "mean_f1": float(np.mean(f1[there])) if there.any() else float("nan"),
        **{f"iou_{name}": float(value) for name, value in zip(class_names, iou, strict=True)},
    }
