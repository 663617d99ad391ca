"""Measure a preset on the real APS frames that have labels, and print the result as JSON.

    python hub/measure_on_real_frames.py amsegnet-esrf DATA

DATA holds `aps_ti64_frames` and `aps_ti64_labels`, from gb-murray/AMPERe; the frames belong to
others and are not part of this project. The labels are semi-automatic, good to about an IoU of
0.93, and know background (0), substrate (2) and keyhole (3).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from amseg_keras import from_pretrained
from amseg_keras.read import open_stack

LABELS = {"background": 0, "substrate": 2, "keyhole": 3}


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("preset")
    parser.add_argument("data", type=Path)
    arguments = parser.parse_args()
    result = from_pretrained(arguments.preset).segment(arguments.data / "aps_ti64_frames")
    with open_stack(arguments.data / "aps_ti64_labels") as stack:
        truth = np.stack(list(stack))
    report = {"frames": len(truth)}
    for name, label in LABELS.items():
        found, wanted = result.mask(name), truth == label
        iou = np.sum(found & wanted) / np.sum(found | wanted)
        report[f"{name}_iou"] = round(float(iou), 3)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
