"""Train the presets' networks on one GPU from simulated frames, all in one go.

    python hub/pretraining --seconds esrf=340 --seconds hpdc=55 --seconds dls=50 -o pretrained
    python hub/pretraining --teacher hub/amsegnet-esrf --seconds lite=400 --candidate conv-32 \\
        --candidate conv-40 -o pretrained_lite

Processes simulate on all cores while the GPU trains on what there is so far. One after the other:

1. `esrf`: AM-SegNet from random weights, on frames of ESRF and APS; or, with `--teacher`, a preset
   that there is already;
2. `lite`: the candidates of `CANDIDATES`, all at once, on the same frames and on the
   probabilities of the first;
3. `hpdc`, `dls`: the first, on with frames of these facilities.

Each leaves `NAME.json` (curve, frames, what was measured on 24 frames that are not trained on)
and its weights in half precision, in `NAME.npz`. It needs JAX on a GPU;
`hub/pretraining/collect.py` makes a preset of them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"
sys.path.insert(0, str(Path(__file__).parents[2]))

import jax
import jax.numpy as jnp
import keras
import numpy as np
from candidates import CANDIDATES
from frames import SHAPE, FramePool
from learner import Batch, Learner, Teacher

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.metrics.scores import confusion_matrix, iou_per_class
from amseg_keras.models import AMSegNet
from amseg_keras.models.cost import macs, trainable_parameters
from amseg_keras.models.lite import AMSegNetLite
from amseg_keras.training import Recipe, Simulation
from amseg_keras.training.feed.simulated import SimulatedExamples

SIMULATED = {"esrf": 0.64, "aps": 0.20, "dls": 0.08, "hpdc": 0.08}
PHASES: Mapping[str, tuple[dict[str, float], float]] = {
    "esrf": ({"esrf": 0.75, "aps": 0.25}, 1e-3),
    "lite": ({"esrf": 0.75, "aps": 0.25}, 2e-3),
    "hpdc": ({"hpdc": 1.0}, 3e-4),
    "dls": ({"dls": 1.0}, 3e-4),
}
"""Facilities of the batches and their shares, and the highest learning rate."""

CAPACITY = 100_000


def main() -> None:
    """Train what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", action="append", required=True, metavar="PHASE=SECONDS")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, help="a preset in place of the phase esrf")
    parser.add_argument("--candidate", action="append", choices=CANDIDATES, help="default: all")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first-frames", type=int, default=3000)
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("--shape", type=int, nargs=2, default=SHAPE)
    parser.add_argument("--capacity", type=int, default=CAPACITY)
    options = parser.parse_args()
    seconds = {name: float(value) for name, value in (s.split("=") for s in options.seconds)}
    if unknown := set(seconds) - set(PHASES):
        parser.error(f"no phase {unknown.pop()}: there are {', '.join(PHASES)}")
    if ("esrf" in seconds) == (options.teacher is not None):
        parser.error("give either --seconds esrf=SECONDS or --teacher")
    options.out.mkdir(parents=True, exist_ok=True)
    with FramePool(
        _simulated(seconds), options.capacity, options.seed, options.workers, tuple(options.shape)
    ) as pool:
        _train(options, seconds, pool)
    (options.out / "done").touch()


def _simulated(seconds: Mapping[str, float]) -> dict[str, float]:
    """Shares of the facilities that the phases need."""
    needed = {facility for phase in seconds for facility in PHASES[phase][0]}
    return {name: share for name, share in SIMULATED.items() if name in needed}


def _train(options: argparse.Namespace, seconds: Mapping[str, float], pool: FramePool) -> None:
    began = time.monotonic()
    if jax.default_backend() != "cpu":
        keras.config.set_dtype_policy("mixed_bfloat16")
    keras.utils.set_random_seed(options.seed)
    blank = (
        jnp.zeros((options.batch_size, *options.shape, 1)),
        jnp.zeros((options.batch_size, *options.shape), jnp.int32),
    )
    network = AMSegNet()
    if options.teacher is not None:
        network.load_weights(options.teacher / "model.weights.h5")
    class_weights = _examples("esrf").weights()
    learner = Learner([network], class_weights)
    run = Run(pool, options, began)
    if set(seconds) != {"lite"}:
        learner.compile(blank)
        say(began, "the first network is compiled")
    students: Learner | None = None
    if "lite" in seconds:
        teacher = Teacher(network, learner.state.weights[0], learner.state.fixed[0])
        names = options.candidate or list(CANDIDATES)
        small = [AMSegNetLite(**CANDIDATES[name]) for name in names]
        students = Learner(small, class_weights, 0.998, teacher)
        compiling = threading.Thread(target=students.compile, args=(blank,))
        compiling.start()
    pool.take_in(options.first_frames)
    say(began, f"{pool.count} frames are simulated")

    weights, fixed = learner.state.weights, learner.state.fixed
    if "esrf" in seconds:
        weights, fixed = run.train("esrf", learner, seconds["esrf"])
        run.save("esrf", network, weights[0], fixed[0])
    if students is not None:
        compiling.join()
        students.teacher = Teacher(network, weights[0], fixed[0])
        found = run.train("lite", students, seconds["lite"], names)
        for name, model, w, f in zip(names, students.models, *found, strict=True):
            run.save(name, model, w, f)
    for name in ("hpdc", "dls"):
        if name in seconds:
            give(network, weights[0], fixed[0])
            learner.begin()
            tuned, tuned_fixed = run.train(name, learner, seconds[name])
            run.save(name, network, tuned[0], tuned_fixed[0])
    say(began, "done")


class Run:
    """Where the phases come from and go to."""

    def __init__(self, pool: FramePool, options: argparse.Namespace, began: float) -> None:
        self.pool, self.size, self.out = pool, options.batch_size, options.out
        self.seed, self.began = options.seed, began

    def train(
        self, name: str, learner: Learner, seconds: float, models: Sequence[str] = ("amsegnet",)
    ) -> tuple[Any, Any]:
        """One phase; averaged weights and their statistics. `models` are names for the record."""
        shares, height = PHASES[name]
        check = held_out(next(iter(shares)))
        start, steps, losses = time.monotonic(), 0, []
        curve: list[dict[str, Any]] = []
        last = start

        def batch() -> Batch:
            return self.pool.batch(shares, self.size)

        while (passed := time.monotonic() - start) < seconds:
            self.pool.take_in()
            losses.append(learner.learn(batch(), height, passed / seconds))
            steps += 1
            if steps in (50, 400):
                say(
                    self.began, f"{name}: {steps} steps in {passed:.1f} s, {self.pool.count} frames"
                )
            if steps % 4 == 0:
                # Not to run ahead of the GPU, whose time it is that counts.
                jax.block_until_ready(losses[-1])
            if time.monotonic() - last > max(60.0, seconds / 5):
                averaged = learner.averaged(batch)
                curve.append(self._row(start, steps, losses, learner, averaged, check))
                last, losses = time.monotonic(), []
                say(self.began, f"{name} {json.dumps(curve[-1])}")
        averaged = learner.averaged(batch)
        curve.append(self._row(start, steps, losses, learner, averaged, check))
        record = {
            "phase": name,
            "facilities": shares,
            "frames": {facility: self.pool.has(facility) for facility in shares},
            "steps": steps,
            "seed": self.seed,
            "batch_size": self.size,
            "seconds": round(time.monotonic() - start, 1),
            "precision": keras.config.dtype_policy().name,
            "device": jax.devices()[0].device_kind,
            "versions": {"keras": keras.__version__, "jax": jax.__version__},
            "cores": os.cpu_count(),
            "curve": curve,
            "models": {
                known_as: {
                    "gmac": macs(model) / 1e9,
                    "parameters": trainable_parameters(model),
                }
                for known_as, model in zip(models, learner.models, strict=True)
            },
        }
        (self.out / f"{name}.json").write_text(json.dumps(record, indent=1))
        say(self.began, f"{name} ended: {json.dumps(curve[-1])}; {self.pool.count} frames")
        return averaged

    def _row(
        self,
        start: float,
        steps: int,
        losses: list[Any],
        learner: Learner,
        averaged: tuple[Any, Any],
        check: Batch,
    ) -> dict[str, Any]:
        found = learner.predict(*averaged, check[0])
        labels = np.asarray(check[1])
        scores = [
            iou_per_class(confusion_matrix(labels, np.asarray(of_model), len(CLASS_NAMES)))
            for of_model in found
        ]
        return {
            "minutes": round((time.monotonic() - start) / 60, 2),
            "steps": steps,
            "loss": [round(float(v), 4) for v in np.mean(np.array(losses[-200:]), axis=0)],
            "mean_iou": [round(float(np.nanmean(s)), 4) for s in scores],
            "iou": [dict(zip(CLASS_NAMES, np.round(s, 4).tolist(), strict=True)) for s in scores],
        }

    def save(self, name: str, model: keras.Model, weights: Any, fixed: Any) -> None:
        """Weights in the order of `model.weights`, kernels in half precision."""
        give(model, weights, fixed)
        values = [v.astype(np.float16) if v.ndim >= 2 else v for v in model.get_weights()]
        np.savez(self.out / f"{name}.part.npz", *values)
        (self.out / f"{name}.part.npz").rename(self.out / f"{name}.npz")


def give(model: keras.Model, weights: list[Any], fixed: list[Any]) -> None:
    """Put weights into a model."""
    for variable, value in zip(model.trainable_variables, weights, strict=True):
        variable.assign(value)
    for variable, value in zip(model.non_trainable_variables, fixed, strict=True):
        variable.assign(value)


def held_out(facility: str) -> Batch:
    """Frames that are never trained on: those that `amseg train --simulate` validates on."""
    images, labels = zip(*_examples(facility).validation(), strict=True)
    return jnp.asarray(np.stack(images))[..., None], jnp.asarray(np.stack(labels))


def _examples(facility: str) -> SimulatedExamples:
    return SimulatedExamples(Simulation({facility: 1.0}), Recipe())


def say(began: float, text: str) -> None:
    """A line of the log, with the seconds since the start."""
    print(f"{time.monotonic() - began:6.1f} s  {text}", flush=True)


if __name__ == "__main__":
    main()
