"""Make a run folder, as of `amseg train`, of what `python hub/pretraining` left.

    python hub/pretraining/collect.py pretrained esrf runs/esrf

The run folder then goes through `hub/make_preset.py` as any other.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from candidates import CANDIDATES, CHOSEN

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.models import AMSegNet, AMSegNetLite
from amseg_keras.preprocess import GreyScaling
from amseg_keras.pretrained import PresetInfo
from amseg_keras.pretrained.preset import write_preset

SIMULATED = (
    "simulated frames of ESRF and APS (laser powder bed fusion and bare-plate welding); no real "
    "frame was used"
)


@dataclass(frozen=True)
class Kind:
    """A network that the pretraining leaves: its preset's name, and what it has seen."""

    name: str
    trained_on: str
    pixel_size_um: float | None


KINDS: Mapping[str, Kind] = {
    "esrf": Kind("amsegnet-esrf", SIMULATED, 4.31),
    "dls": Kind("amsegnet-dls", f"simulated frames of Diamond, after {SIMULATED}", 6.67),
    "hpdc": Kind(
        "amsegnet-hpdc-simulated", f"simulated slices of die castings, after {SIMULATED}", None
    ),
    **{
        name: Kind(
            "amsegnet-esrf-lite" if name == CHOSEN else f"amsegnet-esrf-{name}",
            f"{SIMULATED}; distilled from amsegnet-esrf",
            4.31,
        )
        for name in CANDIDATES
    },
}


def main() -> None:
    """Read the command line and write the run folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pretrained", type=Path)
    parser.add_argument("name", choices=KINDS)
    parser.add_argument("run", type=Path)
    arguments = parser.parse_args()
    kind = KINDS[arguments.name]
    lite = arguments.name in CANDIDATES
    phase = "lite" if lite else arguments.name
    record = json.loads((arguments.pretrained / f"{phase}.json").read_text())
    model = AMSegNetLite(**CANDIDATES[arguments.name]) if lite else AMSegNet()
    which = list(record["models"]).index(arguments.name) if lite else 0
    give_weights(model, arguments.pretrained / f"{arguments.name}.npz")
    info = PresetInfo(kind.name, CLASS_NAMES, GreyScaling(), kind.pixel_size_um, kind.trained_on)
    write_preset(arguments.run / "preset", model, info)
    (arguments.run / "run.json").write_text(json.dumps(run_record(record), indent=1))
    curve = [
        {**row, "loss": row["loss"][which], "mean_iou": row["mean_iou"][which]}
        for row in record["curve"]
    ]
    pd.DataFrame(curve)[["minutes", "steps", "loss", "mean_iou"]].to_csv(
        arguments.run / "epochs.csv", index=False
    )


def give_weights(model: keras.Model, path: Path) -> None:
    """Give a model the weights of a file, which are in the order of its own."""
    with np.load(path) as arrays:
        values = [arrays[f"arr_{number}"] for number in range(len(arrays.files))]
    model.set_weights([value.astype(np.float32) for value in values])


def run_record(record: dict[str, Any]) -> dict[str, Any]:
    """What a model card wants to know of a run, as `amseg train` records it."""
    return {
        "asked": {"recipe": {"seed": record["seed"], "batch_size": record["batch_size"]}},
        "versions": {**record["versions"], "backend": "jax"},
        "precision": record["precision"],
        "hardware": f"one {record['device']}, with {record['cores']} cores that simulate",
        "frames": record["frames"],
        "steps": record["steps"],
        "seconds": record["seconds"],
    }


if __name__ == "__main__":
    main()
