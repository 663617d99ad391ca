"""The model card of a trained network: on what, how, and what it reaches."""

from __future__ import annotations

from typing import Any

from amseg_keras.pretrained import PresetInfo
from amseg_keras.pretrained.card import Measured, model_card
from amseg_keras.pretrained.preset import description

TRAINING = """
- Network: {network}, {precision} precision, averages over the last steps.
- {steps:,} steps of {batch_size} in {epochs} epochs, learning rate {learning_rate:g} ({annealing}),
  seed {seed}; {minutes:.0f} minutes on {hardware}. Keras {keras} on {backend}.
"""

ABOUT = (
    "On the validation frames, which were not trained on but chose this epoch, over all their "
    "pixels"
)


def run_card(info: PresetInfo, asked: dict[str, Any], record: dict[str, Any]) -> str:
    """The card of a run's preset.

    Args:
        info: Of the preset.
        asked: What was asked for: the recipe.
        record: What came of it.
    """
    best = record["best"]
    facts = asked["recipe"] | record | record["versions"] | {"minutes": record["seconds"] / 60}
    measured = Measured(
        data=info.trained_on,
        split="validation",
        about=ABOUT,
        iou={name: best[f"iou_{name}"] for name in info.class_names},
        mean_iou=best["mean_iou"],
        mean_f1=best.get("mean_f1"),
    )
    return model_card(info.name, description(info), TRAINING.format(**facts), [measured])
