"""Turn a run of `amseg train` or `amseg finetune` into the folder of a preset, with its card.

    python hub/make_preset.py runs/esrf hub/amsegnet-esrf --evaluation esrf_test/evaluation.json \\
        --real measured.json

`--evaluation` is what `amseg evaluate` wrote on frames that the training has not seen, `--real`
what `measure_on_real_frames.py` printed; the card says what is missing.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from amseg_keras import from_pretrained
from amseg_keras.pretrained.card import Measured, model_card
from amseg_keras.pretrained.preset import description, write_preset
from amseg_keras.training.run_folder import command_of

CURVE_ROWS = 10

IN_PACKAGE = ("amsegnet-esrf", "amsegnet-esrf-lite")
"""Presets that are in the wheel and need no folder."""

TRAINING = """
- Command: `{command}`, seed {seed}.
- {steps:,} steps of {batch_size} in {minutes:.0f} minutes on {hardware}; {precision}, averaged
  weights. Keras {keras}, {backend}.{simulated}
- Weights are stored in half precision, biases and batch-norm statistics in float32.

| minutes | loss | mean IoU, validation |
|---|---|---|
{curve}
"""

REAL = (
    "On {frames} real frames of APS (Ti-6Al-4V, bare plate, 2.0 um a pixel; semi-automatic labels; "
    "not quite unseen where frames of APS were simulated, since the simulator's ranges were chosen "
    "such that such frames lie within them), by `python hub/measure_on_real_frames.py {name} DATA`"
)


def main() -> None:
    """Read the command line and write the preset."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("preset", type=Path)
    parser.add_argument(
        "--command", help="the command that made the run, if not that of its record"
    )
    parser.add_argument("--trained-on", help="a sentence in place of the run's own")
    parser.add_argument("--evaluation", type=Path, help="evaluation.json of amseg evaluate")
    parser.add_argument("--real", type=Path, help="output of measure_on_real_frames.py")
    arguments = parser.parse_args()
    trained = from_pretrained(arguments.run / "preset")
    name = arguments.preset.name
    trained_on = arguments.trained_on or trained.info.trained_on
    info = replace(trained.info, name=name, trained_on=trained_on)
    measured = []
    if arguments.evaluation is not None:
        measured.append(Measured.of_evaluation(json.loads(arguments.evaluation.read_text())))
    if arguments.real is not None:
        measured.append(_on_real_frames(name, json.loads(arguments.real.read_text())))
    card = model_card(
        name,
        description(info),
        training(arguments.run, arguments.command),
        measured,
        licence="apache-2.0",
        source=name if name in IN_PACKAGE else f"hub/{name}",
    )
    write_preset(arguments.preset, trained.model, info, card, half_precision=True)


def training(run: Path, command: str | None) -> str:
    """What the record of a run says, as Markdown."""
    record: dict[str, Any] = json.loads((run / "run.json").read_text())
    command = command or command_of(record["asked"])
    history = pd.read_csv(run / "epochs.csv")
    every = max(1, len(history) // CURVE_ROWS)
    curve = [
        f"| {row['minutes']:.0f} | {row['loss']:.3f} | {row['mean_iou']:.3f} |"
        for _, row in history[::-every][::-1].iterrows()
    ]
    frames = ", ".join(f"{count:,} {name}" for name, count in record.get("frames", {}).items())
    return TRAINING.format(
        **record["asked"]["recipe"] | record["versions"] | record,
        command=command,
        minutes=record["seconds"] / 60,
        simulated=f" Simulated frames: {frames}." if frames else "",
        curve="\n".join(curve),
    )


def _on_real_frames(name: str, found: dict[str, Any]) -> Measured:
    iou = {key.removesuffix("_iou"): value for key, value in found.items() if key != "frames"}
    about = REAL.format(frames=found["frames"], name=name)
    return Measured("real frames of APS, Ti-6Al-4V", "test", about, iou)


if __name__ == "__main__":
    main()
