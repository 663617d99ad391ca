"""Measure how well a network finds the melt pool, and draw it on real frames.

    python benchmarks/melt_pool.py hub/amsegnet-meltpool --real ../shared/data -o FOLDER
    python benchmarks/melt_pool.py hub/amsegnet-meltpool -o FOLDER --sequences 20

Simulated recordings that no network has seen have labels of the liquid where its boundary can be
seen. On them: IoU of melt pool, keyhole and pore, and the error of the melt-pool depth of each
frame. Keyhole and pore are scored for `amsegnet-movie` on the same frames, too, with the melt pool
counted as substrate.

Real frames have no labels of the melt pool. `wall.png` and `aps.png` show its boundary in twelve
frames each; the numbers say whether it is there before the laser, moves with it, and is smooth.

Writes `melt_pool.json`, and the pictures with `--real`.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from recorded import keep_record, record_option

from amseg_keras import Segmentation, Segmenter, from_pretrained
from amseg_keras.classes import CLASS_NAMES, IGNORE, MELT_POOL
from amseg_keras.metrics.scores import confusion_matrix, iou_per_class
from amseg_keras.outputs import write_json
from amseg_keras.quantify import measure, measure_melt_pool, substrate_surface
from amseg_keras.report.overlay import overlay, with_boundary, with_legend
from amseg_keras.simulate import record

SEED, FRAMES, SHOWN = 977_031, 48, 12
FACILITIES = ("esrf", "aps")
SEEN = tuple(range(6, FRAMES, 6))
"""Frames of a simulated recording that are scored."""

LEAST_DEPTH_PX = 5
"""Shallower simulated pools have no meaningful relative error of their depth."""

WALL_LASER = (385, 15)
"""Columns between which the laser of `wall_movie` moves, at a steady speed."""


def score_simulated(segmenter: Segmenter, other: Segmenter, sequences: int) -> dict[str, Any]:
    """Score on unseen recordings of each facility.

    Args:
        segmenter: Network with the class melt pool.
        other: Network without it, whose keyhole and pore are scored on the same frames.
        sequences: Number of recordings of each facility.
    """
    names = segmenter.class_names
    results: dict[str, Any] = {}
    for facility in FACILITIES:
        matrix = np.zeros((len(names), len(names)), np.int64)
        five = np.zeros((2, len(CLASS_NAMES), len(CLASS_NAMES)), np.int64)
        errors = []
        for seed in range(SEED, SEED + sequences):
            movie = record(facility, FRAMES, seed, shape=(192, 384))
            frames = np.stack([movie.grey(index) for index in range(FRAMES)])
            found, without = segmenter.segment(frames).labels, other.segment(frames).labels
            for index in SEEN:
                truth = movie.labels(index, motion=True, melt_pool=True)
                matrix += confusion_matrix(truth, found[index], len(names))
                known = movie.labels(index, motion=True)
                merged = np.where(found[index] == len(CLASS_NAMES), 2, found[index])
                five[0] += confusion_matrix(known, merged, len(CLASS_NAMES))
                five[1] += confusion_matrix(known, without[index], len(CLASS_NAMES))
                errors += depth_error(truth, found[index], names)
        iou = dict(zip(names, iou_per_class(matrix), strict=True))
        results[facility] = {
            "melt pool": rounded(iou[MELT_POOL]),
            "depth_error_median": rounded(np.median(errors)) if errors else None,
            "frames_with_a_seen_pool": len(errors),
            **{
                f"{name}{suffix}": rounded(iou_per_class(table)[CLASS_NAMES.index(name)])
                for name in ("keyhole", "pore")
                for suffix, table in zip(("", " of amsegnet-movie"), five, strict=True)
            },
        }
    return results


def depth_error(truth: np.ndarray, found: np.ndarray, names: tuple[str, ...]) -> list[float]:
    """Relative error of the melt-pool depth of a frame; none without a pool that can be seen."""
    surface = substrate_surface(truth, names)
    wanted = measure_melt_pool(truth, names, surface).depth_px
    if surface is None or not wanted >= LEAST_DEPTH_PX:
        return []
    return [abs(measure_melt_pool(found, names, surface).depth_px - wanted) / wanted]


def rounded(value: float) -> float | None:
    """Three decimals; None for NaN."""
    return None if np.isnan(value) else round(float(value), 3)


def look_at_wall(found: Segmentation, frames: np.ndarray, path: Path) -> dict[str, Any]:
    """Draw twelve frames of `wall_movie`, and measure what can be said without labels."""
    rows = measure(found.labels, found.class_names).frames.set_index("frame")
    area = rows["melt_pool_area_px"]
    middles = measure_middles(found)
    there = area[area > 0].index.to_numpy()
    draw(found, frames, np.linspace(0, len(frames) - 1, SHOWN).round().astype(int), path)
    if not len(there):
        return {"frames_with_a_pool": 0}
    # The laser is on while the motion of the middle follows a line.
    passing = there[(there >= np.percentile(there, 10)) & (there <= np.percentile(there, 90))]
    depth = rows["melt_pool_depth_px"].reindex(passing).to_numpy(float)
    steps = np.abs(np.diff(depth))[np.diff(passing) == 1]
    slope = np.polyfit(passing, [middles[index] for index in passing], 1)[0]
    return {
        "frames_with_a_pool": len(there),
        "first_and_last": [int(there.min()), int(there.max())],
        "median_depth_px": rounded(np.nanmedian(depth)),
        "depth_steps_within_2_px": rounded(float((steps <= 2).mean())) if len(steps) else None,
        "columns_per_frame": rounded(slope),
        "moves_with_the_laser": bool(np.sign(slope) == np.sign(WALL_LASER[1] - WALL_LASER[0])),
    }


def look_at_aps(found: Segmentation, frames: np.ndarray, path: Path) -> dict[str, Any]:
    """Draw twelve frames of APS, and tell how much of the pool lies in front of the keyhole."""
    table = measure(found.labels, found.class_names)
    direction = table.scan_direction or 1
    front, whole = 0.0, 0.0
    for labels in found.labels:
        pool = np.flatnonzero((labels == found.class_names.index(MELT_POOL)).any(axis=0))
        keyhole = np.flatnonzero((labels == found.class_names.index("keyhole")).any(axis=0))
        if not len(pool) or not len(keyhole):
            continue
        edge = keyhole.max() if direction > 0 else keyhole.min()
        liquid = (labels == found.class_names.index(MELT_POOL)).sum(axis=0)
        ahead = np.arange(len(liquid)) * direction > edge * direction
        front, whole = front + liquid[ahead].sum(), whole + liquid.sum()
    draw(found, frames, np.linspace(0, len(frames) - 1, SHOWN).round().astype(int), path)
    there = (table.frames["melt_pool_area_px"] > 0).mean()
    return {
        "share_of_frames_with_a_pool": rounded(float(there)),
        "share_of_the_liquid_in_front_of_the_keyhole": rounded(front / whole) if whole else None,
    }


def measure_middles(found: Segmentation) -> dict[int, float]:
    """Column of the middle of the liquid in each frame that has some."""
    columns = {}
    for index, labels in enumerate(found.labels):
        _, x = np.nonzero(labels == found.class_names.index(MELT_POOL))
        if len(x):
            columns[index] = float(np.median(x))
    return columns


def draw(found: Segmentation, frames: np.ndarray, chosen: np.ndarray, path: Path) -> None:
    """Write frames beside their labels with the boundary of the melt pool."""
    rows = []
    for index in chosen:
        labels = np.where(found.labels[index] == found.class_names.index("substrate"), IGNORE,
                          found.labels[index])  # fmt: skip
        bare = overlay(frames[index], np.full_like(labels, IGNORE), found.class_names,
                       found.grey_range)  # fmt: skip
        drawn = overlay(frames[index], labels, found.class_names, found.grey_range)
        drawn = with_boundary(drawn, found.labels[index], found.class_names)
        rows.append(np.concatenate([bare, drawn], axis=1))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(with_legend(np.concatenate(rows), found.class_names)).save(path)


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("preset")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--real", type=Path, default=os.environ.get("AMSEG_TEST_DATA"))
    parser.add_argument("--sequences", type=int, default=20)
    record_option(parser)
    options = parser.parse_args()
    segmenter = from_pretrained(options.preset)
    results: dict[str, Any] = {}
    if options.real is not None:
        from amseg_keras.read import open_stack

        real = Path(options.real)
        for name, place, look in (
            ("wall", real / "wall_movie" / "frames.tif", look_at_wall),
            ("aps", real / "aps_ti64_frames", look_at_aps),
        ):
            with open_stack(place) as stack:
                frames = np.stack(list(stack))
            results[name] = look(segmenter.segment(frames), frames, options.out / f"{name}.png")
    if options.sequences:
        movie = from_pretrained("amsegnet-movie")
        results["simulated"] = score_simulated(segmenter, movie, options.sequences)
    write_json(options.out / "melt_pool.json", results)
    keep_record(options.record, results)
    print(results)


if __name__ == "__main__":
    main()
