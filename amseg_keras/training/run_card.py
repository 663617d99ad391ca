"""The model card of a trained network: on what, how, and what it reaches."""

from __future__ import annotations

from typing import Any

from amseg_keras.pretrained import PresetInfo
from amseg_keras.pretrained.card import model_card
from amseg_keras.pretrained.preset import description

TRAINING = """
## Training

- Network: {network}, {precision} precision, averages over the last steps.
- Data: {trained_on}.
- {steps:,} steps of {batch_size} in {epochs} epochs, learning rate {learning_rate:g} ({annealing}),
  seed {seed}; {minutes:.0f} minutes on {hardware}. Keras {keras} on {backend}.

## Results

On the validation frames, which were not trained on but chose this epoch; IoU over all their pixels:

| class | IoU |
|---|---|
{rows}
"""


def run_card(info: PresetInfo, asked: dict[str, Any], record: dict[str, Any]) -> str:
    """The card of a run's preset.

    Args:
        info: Of the preset.
        asked: What was asked for: the recipe.
        record: What came of it.
    """
    best = record["best"]
    rows = [f"| {name} | {_number(best[f'iou_{name}'])} |" for name in info.class_names]
    rows.append(f"| mean | {_number(best['mean_iou'])} |")
    facts = asked["recipe"] | record | record["versions"] | {"minutes": record["seconds"] / 60}
    return model_card(info.name, description(info)) + TRAINING.format(**facts, rows="\n".join(rows))


def _number(value: float | None) -> str:
    return "not there" if value is None else f"{value:.3f}"
