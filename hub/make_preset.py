"""Turn a training run into the folder of the preset, with its card.

    python hub/make_preset.py runs/esrf hub/amsegnet-esrf --real measured.json

`--real` is what `measure_on_real_frames.py` printed; without it the card says that nothing was
measured on real frames.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import huggingface_hub

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.models import AMSegNet
from amseg_keras.preprocess import GreyScaling
from amseg_keras.pretrained.preset import PresetInfo, write_preset

TRAINED_ON = (
    "simulated frames of ESRF and APS (laser powder bed fusion and bare-plate welding); "
    "no real frame was used"
)

BEFORE = (
    ": what this preset was before, 8,868 frames of an earlier simulator in 75 minutes.\n"
    "  The ranges of the simulator have changed a little since"
)

CARD = """# amsegnet-esrf

AM-SegNet (Li et al. 2024, doi 10.1080/17452759.2024.2325572) for X-ray frames of laser powder bed
fusion and welding: background, powder, substrate, keyhole, pore.

**These weights were trained on simulated frames. They are not the authors' weights, and their
results are not those of the paper.** This is a short training: a starting point, not yet a tool to
publish numbers with.

## Use

```python
import amseg_keras

segmenter = amseg_keras.from_pretrained("amsegnet-esrf")
result = segmenter.segment("sample:esrf-lpbf")
print(result.labels.shape, result.class_names)
```

or `amseg segment FRAMES -o results`. The bare Keras model comes from the same files by
`import amseg_keras, keras; keras.saving.load_model(FOLDER)`.

## Input and output

Grey frames of any size, stretched between the 0.1 and 99.9 percentiles of the stack to 0..1
(`Segmenter` does it). Output: probabilities of the five classes, in the order above. Frames of
4.31 um a pixel (ESRF) and of 2.0 (APS) were simulated.

## Training

- Data: frames of `amseg_keras.simulate`, drawn anew for every step: {frames_seen:,} of them, as
  crops of 192x256 pixels, whole frames of 256x512 in the last part; {shares}.
- Started from {started_from}{before}.
- Command: `{command}`, seed {seed}: {steps:,} steps in {minutes:.0f} minutes on {hardware}, with
  other work beside it; {precision}, averaged weights. Keras {keras}, TensorFlow {tensorflow}.
- Weights are stored in half precision, biases and batch-norm statistics in float32.

## Results

On {validation_frames} simulated ESRF frames that the training has not seen, measured by the
training script before the weights were rounded to half precision:

| class | IoU |
|---|---|
{simulated}

{real}

## Limits

- The simulator of this training knows the frames of two facilities (ESRF, 4.31 um a pixel; APS,
  2.0). Directed energy deposition and die casting are outside of what was trained.
- Faint voids are missed or filled in part, small pores on bare plates above all; flakes on a plate
  may be called pore, grains in flight powder, a dark streak in the gas substrate.
- Look at the overlays before you use the numbers.
"""

REAL = """On {frames} real frames of APS (Ti-6Al-4V, bare plate, 2.0 um a pixel; semi-automatic
labels; no fine-tuning; not quite unseen, since the ranges of the simulator were chosen such that
such frames lie within them), by
`python hub/measure_on_real_frames.py amsegnet-esrf DATA`:

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
    parser.add_argument("--real", type=Path, help="output of measure_on_real_frames.py")
    arguments = parser.parse_args()
    training = json.loads((arguments.run / "training.json").read_text())
    real = json.loads(arguments.real.read_text()) if arguments.real else None
    model = AMSegNet()
    model.load_weights(arguments.run / "model.weights.h5")
    info = PresetInfo("amsegnet-esrf", CLASS_NAMES, GreyScaling(), 4.31, TRAINED_ON)
    write_preset(arguments.preset, model, info, card(training, real), half_precision=True)


def card(training: dict[str, Any], real: dict[str, Any] | None) -> str:
    """The model card, from the record of the training and what was measured."""
    measured = training["simulated_validation"]
    rows = [f"| {name} | {iou:.2f} |" for name, iou in measured["iou"].items()]
    rows.append(f"| mean | {measured['mean_iou']:.2f} |")
    metadata = huggingface_hub.ModelCardData(
        library_name="keras",
        pipeline_tag="image-segmentation",
        license="apache-2.0",
        tags=["amseg-keras", "x-ray", "additive-manufacturing", "simulated-training-data"],
    )
    start = training["started_from"]
    text = CARD.format(
        **training,
        shares=", ".join(f"{share:.0%} {name}" for name, share in training["facilities"].items()),
        before=BEFORE if start == "amsegnet-esrf" else "",
        validation_frames=measured["frames"],
        simulated="\n".join(rows),
        real=REAL.format(**real) if real else "Nothing was measured on real frames.",
    )
    return f"---\n{metadata.to_yaml()}\n---\n\n{text}"


if __name__ == "__main__":
    main()
