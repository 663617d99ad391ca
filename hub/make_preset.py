"""Turn a run of `amseg train` or `amseg finetune` into the folder of a preset, with its card.

    python hub/make_preset.py runs/esrf hub/amsegnet-esrf --command "amseg train ..." \\
        --evaluation esrf_test/evaluation.json --real measured.json

`--evaluation` is what `amseg evaluate` wrote on frames that the training has not seen, `--real`
what `measure_on_real_frames.py` printed; the card says what is missing.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub
import pandas as pd

from amseg_keras import from_pretrained
from amseg_keras.pretrained.preset import PresetInfo, write_preset

CURVE_ROWS = 10

IN_PACKAGE = ("amsegnet-esrf",)
"""Presets that are in the wheel and need no folder."""

CARD = """# {name}

AM-SegNet (Li et al. 2024, doi 10.1080/17452759.2024.2325572) for X-ray frames: {classes}.

**{honesty} They are not the authors' weights, and their results are not those of the paper.**

## Use

```python
import amseg_keras

segmenter = amseg_keras.from_pretrained("{source}")
result = segmenter.segment("frames.tif")
print(result.labels.shape, result.class_names)
```

or `amseg segment FRAMES --model {source} -o results`{where}.
The bare Keras model comes from the same files
by `import amseg_keras, keras; keras.saving.load_model(FOLDER)`.

## Input and output

Grey frames of any size, stretched between the {low} and {high} percentiles of the stack to 0..1
(`Segmenter` does it); {pixel_size}. Output: probabilities of the classes, in the order
above.

## Training

- Data: {trained_on}.
- Command: `{command}`, seed {seed}.
- {steps:,} steps of {batch_size} in {minutes:.0f} minutes on {hardware}; {precision}, averaged
  weights. Keras {keras}, {backend}.
- Weights are stored in half precision, biases and batch-norm statistics in float32.

| minutes | loss | mean IoU, validation |
|---|---|---|
{curve}

## Results

{evaluation}

{real}
## Limits

Look at the overlays before you use the numbers. Frames that look otherwise than those of the
training need fine-tuning: `amseg finetune --model {source}`.
"""

EVALUATION = """On {frames} frames that the training has not seen ({origin}), by `amseg evaluate`:

| class | IoU |
|---|---|
{rows}"""

REAL = """On {frames} real frames of APS (Ti-6Al-4V, bare plate, 2.0 um a pixel; semi-automatic
labels), by `python hub/measure_on_real_frames.py {name} DATA`:

| class | IoU |
|---|---|
| background | {background_iou:.2f} |
| substrate | {substrate_iou:.2f} |
| keyhole | {keyhole_iou:.2f} |"""


def main() -> None:
    """Read the command line and write the preset."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("preset", type=Path)
    parser.add_argument("--command", required=True, help="the command that made the run")
    parser.add_argument("--evaluation", type=Path, help="evaluation.json of amseg evaluate")
    parser.add_argument("--real", type=Path, help="output of measure_on_real_frames.py")
    arguments = parser.parse_args()
    trained = from_pretrained(arguments.run / "preset")
    info = replace(trained.info, name=arguments.preset.name)
    facts = {
        "run": json.loads((arguments.run / "run.json").read_text()),
        "history": pd.read_csv(arguments.run / "epochs.csv"),
        "command": arguments.command,
        "evaluation": _json(arguments.evaluation),
        "real": _json(arguments.real),
    }
    write_preset(arguments.preset, trained.model, info, card(info, facts), half_precision=True)


def card(info: PresetInfo, facts: dict[str, Any]) -> str:
    """The model card, from the record of the training and what was measured."""
    simulated = "simulated" in info.trained_on
    tags = ["amseg-keras", "x-ray", "additive-manufacturing"]
    metadata = huggingface_hub.ModelCardData(
        library_name="keras",
        pipeline_tag="image-segmentation",
        license="apache-2.0",
        tags=[*tags, "simulated-training-data"] if simulated else tags,
    )
    run = facts["run"]
    history = facts["history"]
    every = max(1, len(history) // CURVE_ROWS)
    curve = [
        f"| {row['minutes']:.0f} | {row['loss']:.3f} | {row['mean_iou']:.3f} |"
        for _, row in history[::-every][::-1].iterrows()
    ]
    text = CARD.format(
        **run["asked"]["recipe"] | run["versions"] | run | {"trained_on": info.trained_on},
        name=info.name,
        classes=", ".join(info.class_names),
        honesty=_honesty(info.trained_on),
        low=info.scaling.low_percent,
        high=info.scaling.high_percent,
        pixel_size=(
            "size of a pixel not known"
            if info.pixel_size_um is None
            else f"{info.pixel_size_um:g} um a pixel"
        ),
        source=info.name if info.name in IN_PACKAGE else f"hub/{info.name}",
        where="" if info.name in IN_PACKAGE else " (the folder, or `owner/repo` on the Hub)",
        command=facts["command"],
        minutes=run["seconds"] / 60,
        curve="\n".join(curve),
        evaluation=_evaluation(facts["evaluation"]),
        real=REAL.format(**facts["real"], name=info.name) + "\n" if facts["real"] else "",
    )
    return f"---\n{metadata.to_yaml()}\n---\n\n{text}"


def _honesty(trained_on: str) -> str:
    if "fine-tuned from" in trained_on:
        return (
            "These weights were trained on simulated frames and fine-tuned on a few frames of one "
            "recording."
        )
    return "These weights were trained on simulated frames."


def _evaluation(found: dict[str, Any] | None) -> str:
    if found is None:
        return "Nothing was measured beside the validation."
    rows = [
        f"| {name} | {'not there' if row['iou'] is None else format(row['iou'], '.3f')} |"
        for name, row in found["classes"].items()
    ]
    rows.append(f"| mean | {found['mean_iou']:.3f} |")
    return EVALUATION.format(
        frames=found["frames"], origin=found["origin"].rstrip("."), rows="\n".join(rows)
    )


def _json(path: Path | None) -> dict[str, Any] | None:
    return None if path is None else json.loads(path.read_text())


if __name__ == "__main__":
    main()
