"""What a training leaves behind: checkpoints, weights, the curve."""

from __future__ import annotations

import csv
import json
import os
import platform
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from amseg_keras.classes import CLASS_NAMES


def save_checkpoint(path: Path, model, optimizer, state: dict) -> None:
    """Weights, optimizer (with the average) and counters, in one move."""
    arrays = {f"model_{i:04d}": v.numpy() for i, v in enumerate(model.variables)}
    arrays |= {f"optimizer_{i:04d}": v.numpy() for i, v in enumerate(optimizer.variables)}
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, state=json.dumps(state), **arrays)
    os.replace(partial, path)


def load_checkpoint(path: Path, model, optimizer) -> dict:
    """Put weights and optimizer back and return the counters."""
    with np.load(path) as stored:
        for i, variable in enumerate(model.variables):
            variable.assign(stored[f"model_{i:04d}"])
        for i, variable in enumerate(optimizer.variables):
            variable.assign(stored[f"optimizer_{i:04d}"])
        return json.loads(str(stored["state"]))


def save_weights(path: Path, model) -> None:
    """The model's present weights as a Keras weights file, in one move."""
    partial = path.with_name("partial." + path.name)
    model.save_weights(partial)
    os.replace(partial, path)


def hardware() -> str:
    """Such as "2 cores, x86_64 with AVX-512"."""
    info = Path("/proc/cpuinfo")
    flags = info.read_text() if info.exists() else ""
    wide = " with AVX-512" if "avx512f" in flags else ""
    half = " (bfloat16)" if "avx512_bf16" in flags else ""
    return f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}{wide}{half}"


def draw_curve(log: Path, path: Path) -> None:
    """Loss and validation IoU of a log as a picture."""
    with open(log, newline="") as file:
        rows = list(csv.DictReader(file))
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    losses = [(float(r["minutes"]), float(r["loss"])) for r in rows if r["loss"]]
    left.semilogy(*zip(*losses, strict=True), lw=0.7)
    left.set(xlabel="minutes", ylabel="training loss")
    measured = [r for r in rows if r["iou_mean"]]
    for name in ("mean", *CLASS_NAMES):
        values = [(float(r["minutes"]), float(r[f"iou_{name}"])) for r in measured]
        if values:
            right.plot(*zip(*values, strict=True), label=name, lw=2 if name == "mean" else 1)
    right.set(xlabel="minutes", ylabel="IoU on simulated frames", ylim=(0, 1))
    right.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
