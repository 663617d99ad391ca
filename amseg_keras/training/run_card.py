"""The model card of a trained network: on what, how, and what it reaches."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from amseg_keras.pretrained import PresetInfo
from amseg_keras.pretrained.card import Measured, model_card
from amseg_keras.pretrained.preset import description
from amseg_keras.training.recipe import Recipe

TRAINING = """
- Command: `{command}`.
- Network: {network}, {precision} precision, averages over the last steps.
- {steps:,} steps of {batch_size} in {epochs} epochs, learning rate {learning_rate:g} ({annealing}),
  seed {seed}; {minutes:.0f} minutes on {hardware}. Keras {keras} on {backend}.
"""

ABOUT = (
    "On the validation frames, which were not trained on but chose this epoch, over all their "
    "pixels"
)


def command_of(asked: dict[str, Any]) -> str:
    """Write the command that makes a run: `amseg train`, or `amseg finetune` of split frames.

    Args:
        asked: What was asked for: recipe, data, preset to start from.

    Example:
        >>> from dataclasses import asdict
        >>> recipe = asdict(Recipe(network="amsegnet-lite", epochs=20))
        >>> command_of({"recipe": recipe, "data": {"folder": "frames"}, "start_from": None})
        'amseg train --data frames --network amsegnet-lite --epochs 20 -o OUT'
    """
    data, usual = asked["data"], asdict(Recipe())
    tuned = "split" in data
    words = ["amseg", "finetune" if tuned else "train"]
    if "folder" in data:
        words += ["--data", data["folder"]]
    simulations = [data.get("simulated"), *(d.get("simulated") for d in data.get("mixed_with", []))]
    for simulation in filter(None, simulations):
        for name, share in simulation["facilities"].items():
            words += ["--simulate", f"{name}={share:g}"]
        if "folder" not in data:
            words += ["--frames-per-epoch", str(simulation["frames"])]
            words += ["--reuse", f"{simulation['reuse']:g}"]
            words += ["--kept-frames", str(simulation["kept"])]
    if asked.get("start_from"):
        words += ["--model" if tuned else "--start-from", asked.get("start_name", "PRESET")]
    for name, value in asked["recipe"].items():
        if value != usual.get(name) and name in _OPTIONS[tuned]:
            words += [f"--{name.replace('_', '-')}", _as_word(name, value)]
    return " ".join([*words, "-o", "OUT"])


_OF_BOTH = ("epochs", "batch_size", "shape", "learning_rate", "averaging", "patience", "seed")
_OPTIONS = {
    True: _OF_BOTH,
    False: (
        "network",
        "width",
        "channels",
        "grey_levels",
        "blank",
        *_OF_BOTH,
        "annealing",
        "augment",
        "precision",
    ),
}
"""Fields of a recipe that the commands have options for: of a fine-tuning, of a training."""


def _as_word(name: str, value: Any) -> str:
    if name == "shape" and value is not None:
        return "x".join(map(str, value))
    if name == "channels":
        return ",".join(value)
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def run_card(info: PresetInfo, asked: dict[str, Any], record: dict[str, Any]) -> str:
    """The card of a run's preset.

    Args:
        info: Of the preset.
        asked: What was asked for: the recipe.
        record: What came of it.
    """
    best = record["best"]
    facts = asked["recipe"] | record | record["versions"] | {"minutes": record["seconds"] / 60}
    facts["command"] = command_of(asked)
    measured = Measured(
        data=info.trained_on,
        split="validation",
        about=ABOUT,
        iou={name: best[f"iou_{name}"] for name in info.class_names},
        mean_iou=best["mean_iou"],
        mean_f1=best.get("mean_f1"),
    )
    return model_card(info.name, description(info), TRAINING.format(**facts), [measured])
