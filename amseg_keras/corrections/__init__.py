"""Correct label maps by hand: paint with undo, thresholds on pieces, corrections kept on disk.

A program that lets its user correct labels holds a `LabelStack` of each recording:

    >>> import numpy as np
    >>> from amseg_keras.corrections import Corrections, LabelStack, brush, polygon
    >>> stack = LabelStack(np.zeros((24, 256, 512), np.uint8), ("substrate", "pore"))
    >>> stack.paint(3, brush(stack.shape[1:], [(40, 50), (40, 60)], radius=4), "pore")
    True
    >>> stack.remove_piece(3, (40, 55))
    'substrate'
    >>> stack.undo(3), stack.corrected
    (True, (3,))

- `stack[frame]` is the label map as it is now; `stack.found(frame)` as the network found it.
- `brush`, `polygon`, `piece` and `region` give masks; `stack.paint(frame, mask, class)` paints
  them. `stack.fill` and `stack.remove_piece` change the piece at a point, `stack.add_piece` finds a
  missed one in the grey levels, `stack.replace` takes a whole label map from elsewhere (a napari
  layer). Each call is one step of `stack.undo(frame)` and `stack.redo(frame)`.
- `Corrections(folder, class_names)` keeps corrected frames on disk in the format of
  `amseg dataset`; `keep_all(recording, frames, stack)` writes, `put_into(stack, recording)` reads.
- `Thresholds(smallest_px, least_confidence).apply(labels, class_names, confidence)` takes pieces
  out that are too small or too uncertain.
- `teach(corrections.dataset, folder, preset)` fine-tunes a preset on the corrected frames, beside
  simulated ones, and scores it before and after; `progress` may raise to end it.

Only `teach` needs Keras, and it is imported on demand.
"""

from typing import TYPE_CHECKING

from amseg_keras._on_demand import on_demand
from amseg_keras.corrections.kept import Corrections
from amseg_keras.corrections.label_stack import LabelStack
from amseg_keras.corrections.shapes import Thresholds, brush, class_around, piece, polygon, region

if TYPE_CHECKING:
    from amseg_keras.corrections.teaching import Taught, TeachProgress, teach

__all__ = [
    "Corrections",
    "LabelStack",
    "Taught",
    "TeachProgress",
    "Thresholds",
    "brush",
    "class_around",
    "piece",
    "polygon",
    "region",
    "teach",
]

__getattr__, __dir__ = on_demand(
    __name__, {"amseg_keras.corrections.teaching": ("Taught", "TeachProgress", "teach")}
)
