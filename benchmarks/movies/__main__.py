"""What motion and a more real simulator are worth: four small networks of one budget.

    python benchmarks/movies -o OUT --real ../shared/data --record benchmarks/recorded/movies.json
    python benchmarks/movies -o OUT --only "frame+motion, after" --steps 300 --samples 1200

The networks take the frame, or the frame and its motion, and learn simulated recordings as they
were before (no flicker, no drift, no other presentation than the camera's) or as they are. All are
scored on the same unseen simulated recordings of ESRF and APS and on the real recordings that
`--real` (or `AMSEG_TEST_DATA`) holds. A run that was interrupted goes on; trainings of one
simulator share its recordings in OUT. Pictures go to OUT/pictures: the real frames belong to
others.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "accuracy"))

from before import before
from pictures import draw_pictures
from real import score_real
from recorded import keep_record, record_option
from simulated import score_simulated

from amseg_keras import from_pretrained
from amseg_keras.command.training_options import training_display
from amseg_keras.simulate import FACILITIES
from amseg_keras.training import Recipe, Simulation, train

BATCH, CROP, EPOCHS = 16, (160, 320), 5
SHARES = {"esrf": 0.5, "aps": 0.5}


@dataclass(frozen=True)
class Variant:
    """A network of the comparison.

    Attributes:
        channels: Input channels.
        simulator: `before` or `after`.
    """

    channels: tuple[str, ...]
    simulator: str

    def __str__(self) -> str:
        return f"{'+'.join(self.channels)}, {self.simulator}"


VARIANTS = tuple(
    Variant(channels, simulator)
    for simulator in ("after", "before")
    for channels in (("frame", "motion"), ("frame",))
)


def main() -> None:
    """Read the command line, train and score."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--real", type=Path, default=os.environ.get("AMSEG_TEST_DATA"))
    parser.add_argument("--only", action="append", choices=[str(one) for one in VARIANTS])
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--samples", type=int, default=9000, help="simulated frames")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sequences", type=int, default=24, help="unseen recordings to score on")
    record_option(parser)
    options = parser.parse_args()
    chosen = [one for one in VARIANTS if options.only is None or str(one) in options.only]
    rows = []
    for variant in chosen:
        row: dict[str, Any] = {
            "network": "+".join(variant.channels),
            "simulator": variant.simulator,
        }
        rows.append(row | trained(variant, options) | scores(variant, options))
        print(rows[-1], flush=True)
        # Written after each network, so that a run that is stopped leaves what it has.
        keep_record(options.record, {"budget": budget(options), "rows": rows})


def budget(options: argparse.Namespace) -> dict[str, Any]:
    """What every network gets."""
    return {
        "network": "amsegnet-lite, width 32",
        "steps": options.steps,
        "batch_size": BATCH,
        "crop": CROP,
        "samples": options.samples,
        "seed": options.seed,
        "sequences_scored": options.sequences,
    }


def simulation_of(simulator: str, steps: int, samples: int) -> Simulation:
    """The recordings that a network learns."""
    frames = steps * BATCH // EPOCHS
    places: Mapping[str, Any] = {}
    if simulator == "before":
        places = {name: before(FACILITIES[name]) for name in SHARES}
    return Simulation(
        SHARES,
        frames,
        CROP,
        whole_from=1.0,
        validation_frames=16,
        reuse=max(1.0, steps * BATCH / samples),
        kept=max(samples, frames),
        coverage=simulator == "after",
        places=places,
    )


def trained(variant: Variant, options: argparse.Namespace) -> dict[str, Any]:
    """Train a network, or go on with its training."""
    recipe = Recipe(
        network="amsegnet-lite",
        width=32,
        channels=variant.channels,
        grey_levels="specimen",
        epochs=EPOCHS,
        batch_size=BATCH,
        shape=CROP,
        learning_rate=2e-3,
        averaging=0.99,
        patience=EPOCHS,
        precision="float32",
        seed=options.seed,
    )
    simulation = simulation_of(variant.simulator, options.steps, options.samples)
    store = options.out / "recordings"
    with training_display() as show:
        run = train(
            simulation, folder_of(variant, options), recipe, store=store, resume=True, progress=show
        )
    return {
        "steps": int(run.history["step"].iloc[-1]),
        "minutes": round(run.seconds / 60, 1),
        "loss": round(float(run.history["loss"].iloc[-1]), 3),
    }


def folder_of(variant: Variant, options: argparse.Namespace) -> Path:
    """Folder of a training."""
    return options.out / f"{'_'.join(variant.channels)}_{variant.simulator}"


def scores(variant: Variant, options: argparse.Namespace) -> dict[str, Any]:
    """Measure a network on what it has not seen."""
    segmenter = from_pretrained(folder_of(variant, options) / "preset")
    found: dict[str, Any] = {
        "simulated": score_simulated(segmenter, options.out / "scored", options.sequences)
    }
    if options.real is not None:
        found["real"] = score_real(segmenter, Path(options.real))
        pictures = options.out / "pictures" / folder_of(variant, options).name
        draw_pictures(segmenter, Path(options.real), pictures)
    return found


if __name__ == "__main__":
    main()
