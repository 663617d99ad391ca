"""Train the embedded AM-SegNet weights for ESRF frames on simulated radiographs.

    python hub/train_amsegnet_esrf.py --minutes 75 --seed 0 --out runs/esrf
    python hub/train_amsegnet_esrf.py --minutes 75 --seed 0 --out runs/esrf --resume
    python hub/train_amsegnet_esrf.py --minutes 60 --start-from amsegnet-esrf --out runs/more

No real frame is seen. One worker process simulates, this one trains (TensorFlow, float32: on
processors with AVX-512 but no AMX a step takes 1.1 s, against 1.8 s in mixed bfloat16). The
schedule follows the share of the wall-clock budget that is used, so that the learning rate
reaches zero at the end on any machine: crops that hold the surface first, whole frames for the
last 15 %.

The run folder holds
    log.csv             step, minutes, frames, rate, loss; validation IoU where measured
    checkpoint.npz      everything that --resume needs
    ema.weights.h5      averaged weights at the last validation
    model.weights.h5    averaged weights at the end
    training.json       how they came about and what they reach on simulated frames
    curve.png           loss and validation IoU over time
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf
from training.learning import (
    CLASSES,
    PEAK_RATE,
    AveragedWeights,
    class_iou,
    learning_rate,
    make_trainer,
)
from training.run_folder import (
    draw_curve,
    hardware,
    load_checkpoint,
    save_checkpoint,
    save_weights,
)
from training.stream import FACILITIES, FRAME, VALIDATION_SEED, BatchStream, validation_set

from amseg_keras import from_pretrained
from amseg_keras.classes import CLASS_NAMES
from amseg_keras.models import AMSegNet

FULL_FRAMES_FROM = 0.85
EMA_MOMENTUM = 0.995
CHECKPOINT_MINUTES, VALIDATION_MINUTES, LOG_STEPS = 3.0, 6.0, 20
VALIDATION_FRAMES, FINAL_FRAMES = 24, 96
CALIBRATION_BATCHES, FINAL_CALIBRATION_BATCHES = 10, 40


def train(out: Path, minutes: float, seed: int, start: str | None, resume: bool) -> None:
    """Train for a wall-clock budget and leave everything in the run folder."""
    weights = None if start is None else from_pretrained(start).model.get_weights()
    out.mkdir(parents=True, exist_ok=True)
    checkpoint, log = out / "checkpoint.npz", out / "log.csv"
    keras.utils.set_random_seed(seed)
    model = AMSegNet(num_classes=CLASSES, base_filters=12, attention=True)
    if weights is not None:
        model.set_weights(weights)
    optimizer = keras.optimizers.Adam(
        PEAK_RATE, global_clipnorm=1.0, use_ema=True, ema_momentum=EMA_MOMENTUM
    )
    optimizer.build(model.trainable_variables)
    averaged = AveragedWeights(model, optimizer)
    state = {"step": 0, "frames": 0, "seconds": 0.0}
    if resume and checkpoint.exists():
        state = load_checkpoint(checkpoint, model, optimizer)
        print(f"resumed at step {state['step']}, {state['seconds'] / 60:.1f} min", flush=True)
    elif resume:
        print("nothing to resume: starting from random weights", flush=True)

    step = make_trainer(model, optimizer)
    predict = tf.function(
        lambda x: model(x, training=False),
        input_signature=[tf.TensorSpec((1, *FRAME, 1), tf.float32)],
    )
    names = ["step", "minutes", "frames", "rate", "loss"]
    names += ["iou_mean", *(f"iou_{name}" for name in CLASS_NAMES)]
    fresh = not (resume and log.exists())
    stream = BatchStream(seed, state["frames"])
    held_out = validation_set(VALIDATION_FRAMES)
    budget, before = 60 * minutes, state["seconds"]
    started = time.monotonic()
    due = {"checkpoint": before + 60 * CHECKPOINT_MINUTES, "validation": before + 120}
    losses: list[float] = []
    with open(log, "w" if fresh else "a", newline="") as file:
        writer = csv.DictWriter(file, names)
        if fresh:
            writer.writeheader()
        while (seconds := before + time.monotonic() - started) < budget:
            progress = seconds / budget
            optimizer.learning_rate.assign(learning_rate(progress))
            frames, images, labels = stream.next(progress >= FULL_FRAMES_FROM)
            losses.append(float(step(images, labels)))
            state = {"step": state["step"] + 1, "frames": frames, "seconds": seconds}
            row = {
                "step": state["step"],
                "minutes": round(seconds / 60, 2),
                "frames": frames,
                "rate": f"{learning_rate(progress):.2e}",
            }
            if seconds >= due["validation"]:
                due["validation"] = seconds + 60 * VALIDATION_MINUTES
                with averaged(CALIBRATION_BATCHES):
                    iou = class_iou(predict, held_out)
                    save_weights(out / "ema.weights.h5", model)
                row |= {f"iou_{n}": round(v, 4) for n, v in zip(CLASS_NAMES, iou, strict=True)}
                row["iou_mean"] = round(float(np.mean(iou)), 4)
            if state["step"] % LOG_STEPS == 0 or "iou_mean" in row:
                row["loss"] = round(float(np.mean(losses)), 4)
                losses = []
                writer.writerow(row)
                file.flush()
                print(row, flush=True)
            if seconds >= due["checkpoint"]:
                due["checkpoint"] = seconds + 60 * CHECKPOINT_MINUTES
                save_checkpoint(checkpoint, model, optimizer, state)
    stream.close()
    save_checkpoint(checkpoint, model, optimizer, state)
    with averaged(FINAL_CALIBRATION_BATCHES):
        save_weights(out / "model.weights.h5", model)
        iou = class_iou(predict, validation_set(FINAL_FRAMES))
    report = {
        "command": f"python hub/train_amsegnet_esrf.py --minutes {minutes:g} --seed {seed}"
        + (f" --start-from {start}" if start else ""),
        "started_from": start or "random weights",
        "facilities": FACILITIES,
        "seed": seed,
        "steps": state["step"],
        "frames_seen": state["frames"],
        "minutes": round(state["seconds"] / 60, 1),
        "hardware": hardware(),
        "precision": "float32",
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "input": "grey levels between the 0.1 and 99.9 percentiles to 0..1, clipped",
        "classes": list(CLASS_NAMES),
        "simulated_validation": {
            "frames": FINAL_FRAMES,
            "seed": VALIDATION_SEED,
            "iou": {n: round(v, 4) for n, v in zip(CLASS_NAMES, iou, strict=True)},
            "mean_iou": round(float(np.mean(iou)), 4),
        },
    }
    (out / "training.json").write_text(json.dumps(report, indent=2) + "\n")
    draw_curve(log, out / "curve.png")
    print(json.dumps(report, indent=2), flush=True)


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=75, help="wall-clock budget")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start-from", metavar="PRESET", help="instead of from random weights")
    parser.add_argument("--out", type=Path, required=True, help="run folder")
    parser.add_argument("--resume", action="store_true", help="go on from the run's checkpoint")
    arguments = parser.parse_args()
    train(
        arguments.out,
        arguments.minutes,
        arguments.seed,
        arguments.start_from,
        arguments.resume,
    )


if __name__ == "__main__":
    main()
