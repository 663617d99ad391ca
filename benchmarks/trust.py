"""Measure the cost of the looks at a recording, and how well intervals cover real keyholes.

    python benchmarks/trust.py amsegnet-movie --real ../shared/data \\
        --record benchmarks/recorded/trust.json

Three parts. The 25 labelled frames of APS: median depth found and labelled, pores called formed,
and the share of the frames whose labelled value lies in the 90 % interval. The processor time of
the signs of applicability, as a share of the segmentation, for stacks of several lengths. With
`--explain`: the processor time of a frame in `amseg explain` and in `amseg segment`.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image
from recorded import keep_record, record_option

from amseg_keras import Segmenter, from_pretrained
from amseg_keras.applicability.check import check_recording
from amseg_keras.classes import CLASS_NAMES
from amseg_keras.preprocess.inputs import Inputs
from amseg_keras.quantify import Scale, find_phantoms, measure
from amseg_keras.read import open_stack
from amseg_keras.segment.bounds import bounded_frames
from amseg_keras.simulate import record

PIXEL_SIZE_UM = 2.0
LENGTHS = (8, 64, 400)
COVERED = ("keyhole_depth_um", "keyhole_area_um2")


def on_aps(segmenter: Segmenter, real: Path) -> dict[str, Any]:
    """Compare what is measured on the frames of APS with their labels."""
    scale = Scale(PIXEL_SIZE_UM)
    with open_stack(real / "aps_ti64_frames") as stack:
        frames = np.stack([stack[index] for index in range(len(stack))])
    paths = sorted((real / "aps_ti64_labels").glob("*.png"))
    truth = measure(np.stack([np.asarray(Image.open(path)) for path in paths]), CLASS_NAMES, scale)
    segmented = segmenter.segment(frames)
    names = segmented.class_names
    phantoms = find_phantoms(segmented.labels, names)
    chosen = {index: segmented.labels[index] for index in bounded_frames(len(frames))}
    bounds = segmenter.bounds(segmenter.inputs(frames), chosen)
    found = measure(segmented.labels, names, scale, bounds=bounds, phantoms=phantoms)
    covered = {}
    for name in COVERED:
        low, high = (found.frames[f"{end}_{name}"] for end in ("low", "high"))
        covered[name] = float(truth.frames[name].between(low, high).mean())
    return {
        "median_depth_um": found.summary["median_keyhole_depth_um"],
        "labelled_median_depth_um": truth.summary["median_keyhole_depth_um"],
        "pores_formed": found.summary["pores_formed"],
        "covered": covered,
    }


def cost_of_signs(segmenter: Segmenter) -> dict[str, float]:
    """Processor time of the signs over that of the segmentation, by the number of frames."""
    movie = record("esrf", max(LENGTHS), 5)
    frames = np.stack([movie.grey(index) for index in range(max(LENGTHS))])
    shares = {}
    for length in LENGTHS:
        inputs = segmenter.inputs(frames[:length])
        labels = [one.labels for one in segmenter.iter_labels(inputs)]
        began = time.process_time()
        for _ in segmenter.iter_labels(inputs):
            pass
        segmenting = time.process_time() - began
        began = time.process_time()
        _check(segmenter, inputs, frames[:length], labels)
        shares[str(length)] = round((time.process_time() - began) / segmenting, 4)
    return shares


def _check(
    segmenter: Segmenter, inputs: Inputs, frames: np.ndarray, labels: list[np.ndarray]
) -> None:
    background = None if inputs.backgrounds is None else inputs.backgrounds.of
    check_recording(
        frames, labels.__getitem__, segmenter.class_names, inputs.grey_range, segmenter.known,
        background_of=background,
    )  # fmt: skip


def cost_of_explaining(preset: str) -> dict[str, float]:
    """Processor milliseconds a frame of both commands: the difference of two lengths."""
    movie = record("esrf", 18, 5)
    frames = np.stack([movie.grey(index) for index in range(18)])
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for command in (["segment"], ["explain", "--class", "keyhole"]):
            seconds = []
            for length in (2, 18):
                path = Path(folder) / f"{command[0]}{length}.tif"
                tifffile.imwrite(path, frames[:length])
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                asked = ["amseg", *command, str(path), "--model", preset, "-o", folder]
                subprocess.run(asked, check=True, capture_output=True)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
            found[command[0]] = round(1000 * (seconds[1] - seconds[0]) / 16, 1)
    return found


def main() -> None:
    """Read the command line, measure, print and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("preset")
    parser.add_argument("--real", type=Path, help="folder of real recordings")
    parser.add_argument("--explain", help="a preset whose explanations are timed")
    record_option(parser)
    options = parser.parse_args()
    segmenter = from_pretrained(options.preset)
    segmenter.compile_inference("openvino")
    measured: dict[str, Any] = {"preset": segmenter.info.name}
    measured["signs_by_segmentation"] = cost_of_signs(segmenter)
    if options.real is not None:
        measured["aps"] = on_aps(segmenter, options.real)
    if options.explain:
        measured["explain"] = {"preset": options.explain, **cost_of_explaining(options.explain)}
    print(measured)
    keep_record(options.record, measured)


if __name__ == "__main__":
    main()
