"""Turn a run of `amseg train` or `amseg finetune` into the folder of a preset, with its card.

    python hub/make_preset.py runs/movie hub/amsegnet-movie --accuracy OUT/movie.json
    python hub/make_preset.py runs/dls hub/amsegnet-dls --evaluation dls_test/evaluation.json

`--evaluation` is what `amseg evaluate` wrote on frames that the training has not seen, `--accuracy`
what `python benchmarks/accuracy` wrote for the preset; the card says what is missing.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from amseg_keras import from_pretrained
from amseg_keras.pretrained.card import Measured, model_card
from amseg_keras.pretrained.preset import description, write_preset
from amseg_keras.training.run_folder import command_of

CURVE_ROWS, APS_FRAMES = 10, 25

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
    "such that such frames lie within them), by "
    "`python benchmarks/accuracy {name} --real DATA -o OUT`"
)

ACCURACY = """
Without fine-tuning, by the same command. No real frame was in the training:

| frames | what | |
|---|---|---|
| wall of laser powder bed fusion, raw | pores found in half of 262 frames | {in_half} of {pores} |
| | pores found in 80 % of the frames | {in_most} of {pores} |
| | frames with a keyhole away from the laser | {away:.0%} |
| single published frames | keyhole IoU | {figures} |
| unseen simulated recordings, ESRF | keyhole and pore IoU | {esrf[keyhole]}, {esrf[pore]} |
| unseen simulated recordings, APS | keyhole and pore IoU | {aps[keyhole]}, {aps[pore]} |
"""


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
    parser.add_argument("--accuracy", type=Path, help="what benchmarks/accuracy wrote")
    parser.add_argument(
        "--last",
        action="store_true",
        help="the weights at the end of the training, not those of its best epoch",
    )
    parser.add_argument("--average-with", type=Path, help="preset whose weights are averaged in")
    parser.add_argument("--use", default="", help="Markdown: what it is good for, and what not")
    parser.add_argument("--note", default="", help="Markdown on what came before this run")
    arguments = parser.parse_args()
    trained = from_pretrained(arguments.run / "preset")
    if arguments.last:
        _put_last_weights(trained.model, arguments.run / "checkpoint.npz")
    if arguments.average_with is not None:
        other = from_pretrained(arguments.average_with).model.get_weights()
        own = trained.model.get_weights()
        trained.model.set_weights([(a + b) / 2 for a, b in zip(own, other, strict=True)])
    name = arguments.preset.name
    trained_on = arguments.trained_on or trained.info.trained_on
    info = replace(trained.info, name=name, trained_on=trained_on)
    measured = []
    if arguments.evaluation is not None:
        measured.append(Measured.of_evaluation(json.loads(arguments.evaluation.read_text())))
    also = ""
    if arguments.accuracy is not None:
        accuracy = json.loads(arguments.accuracy.read_text())
        measured.append(_on_real_frames(name, accuracy["real"]["aps"]))
        also = _accuracy(accuracy)
    card = model_card(
        name,
        description(info),
        arguments.note + training(arguments.run, arguments.command) + also,
        measured,
        licence="apache-2.0",
        source=name,
        use=arguments.use,
    )
    write_preset(arguments.preset, trained.model, info, card, half_precision=True)


def _put_last_weights(model: keras.Model, checkpoint: Path) -> None:
    """Put the weights of a checkpoint into a network: at the end the learning rate is zero."""
    with np.load(checkpoint) as stored:
        for number, variable in enumerate(model.variables):
            variable.assign(stored[f"model_{number:04d}"])


def training(run: Path, command: str | None) -> str:
    """Write the record of a run as Markdown."""
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
    about = REAL.format(frames=APS_FRAMES, name=name)
    return Measured("real frames of APS, Ti-6Al-4V", "test", about, found)


def _accuracy(found: dict[str, Any]) -> str:
    """Scores on the other real sets and on simulated recordings, as Markdown."""
    real = found["real"]
    figures = ", ".join(f"{name} {iou:.2f}" for name, iou in real["figures"].items())
    return ACCURACY.format(**real["wall"] | found["simulated"], figures=figures)


if __name__ == "__main__":
    main()
