"""Scores on real recordings and published frames, which belong to others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from skimage.measure import label
from skimage.morphology import dilation, disk

from amseg_keras import Segmenter
from amseg_keras.read import open_stack

FIGURES = {
    "pyeon_a": 1,
    "pyeon_c": 1,
    "zhang_1": 3,
    "zhang_3": 3,
    "zhang_5": 3,
    "zhang_7": 3,
    "simonds_raw": 1,
}
"""Published frames, and the factor by which each is enlarged."""

FIRST_X, LAST_X, NEAR_PX = 385.0, 15.0, 60.0
"""Straight line of the laser in wall_movie, and how far from it a keyhole may be."""

APS_LABELS = {"background": 0, "substrate": 2, "keyhole": 3}
"""Classes of the semi-automatic labels of the APS frames, which are good to an IoU of 0.93."""

DRIFT_PX, LEAST_SHARE = 2, 0.3
"""A pore of the temporal mean is found where at least this share of its area is called pore, within
the drift of the specimen."""


def score_real(segmenter: Segmenter, data: Path) -> dict[str, Any]:
    """Measure a network on each set that is there.

    Args:
        segmenter: The network.
        data: Folder of the real frames.

    Returns:
        `aps` and `aps_single` (IoU of each class over 25 frames, as a movie and each frame alone),
        `wall` and `wall_enlarged` (see `score_wall`; as recorded, and enlarged two times), and
        `figures` (keyhole IoU of each).
    """
    found: dict[str, Any] = {}
    if (data / "aps_ti64_frames").is_dir():
        for name, background in (("aps", "auto"), ("aps_single", "none")):
            found[name] = _aps(segmenter, data, background)
    if (data / "wall_movie").is_dir():
        found["wall"] = score_wall(segmenter, data / "wall_movie")
        found["wall_enlarged"] = score_wall(segmenter, data / "wall_movie", 2.0)
    figures = {name: _figure(segmenter, data / "figures", name) for name in FIGURES}
    found["figures"] = {name: iou for name, iou in figures.items() if iou is not None}
    return found


def score_wall(segmenter: Segmenter, folder: Path, scale: float = 1.0) -> dict[str, float]:
    """Count the pores that are found in most frames, and the frames with a keyhole where none is.

    Args:
        segmenter: The network.
        folder: Folder of the recording.
        scale: Factor by which its frames are enlarged for the network.

    Returns:
        `pores`: 31, the pores of the temporal mean; `in_half`: those found in at least half of
        the frames; `in_most`: those found in 80 % of the frames; `elsewhere`: pores called
        elsewhere, in the mean over frames; `away`: share of the frames with a keyhole farther than
        60 px from the laser; `keyhole`: share of the frames with any.
    """
    labels = segmenter.segment(folder / "frames.tif", scale=scale).labels
    pore, keyhole = (segmenter.class_names.index(name) for name in ("pore", "keyhole"))
    pores = label(np.array(Image.open(folder / "pores_31.png")) > 0, connectivity=2)
    count = int(pores.max())
    near = [dilation(pores == number, disk(DRIFT_PX)) for number in range(1, count + 1)]
    areas = np.bincount(pores.ravel())[1:]
    any_near = np.any(near, axis=0)
    seen, elsewhere, away, with_keyhole = np.zeros(count), 0, 0, 0
    for number, frame in enumerate(labels):
        called = frame == pore
        covered = np.array([np.sum(called & mask) for mask in near])
        seen += covered >= LEAST_SHARE * areas
        components = label(called, connectivity=2)
        right = np.unique(components[any_near & called])
        elsewhere += int(components.max()) - len(right)
        columns = np.flatnonzero((frame == keyhole).any(axis=0))
        laser = FIRST_X + (LAST_X - FIRST_X) * number / (len(labels) - 1)
        with_keyhole += bool(columns.size)
        away += bool(columns.size and np.abs(columns - laser).max() > NEAR_PX)
    return {
        "pores": count,
        "in_half": int(np.sum(seen >= 0.5 * len(labels))),
        "in_most": int(np.sum(seen >= 0.8 * len(labels))),
        "elsewhere": round(elsewhere / len(labels), 1),
        "away": round(away / len(labels), 3),
        "keyhole": round(with_keyhole / len(labels), 3),
    }


def _aps(segmenter: Segmenter, data: Path, background: str) -> dict[str, float]:
    result = segmenter.segment(data / "aps_ti64_frames", background=background)
    with open_stack(data / "aps_ti64_labels") as stack:
        truth = np.stack(list(stack))
    return {name: _iou(result.mask(name), truth == label) for name, label in APS_LABELS.items()}


def _figure(segmenter: Segmenter, folder: Path, name: str) -> float | None:
    frame, labelled = folder / f"{name}.png", folder / f"{name}_label.png"
    if not frame.exists() or not labelled.exists():
        return None
    truth = np.array(Image.open(labelled))
    found = segmenter.segment(frame, scale=float(FIGURES[name])).mask("keyhole")[0]
    return _iou(found[truth != 255], truth[truth != 255] == 3)


def _iou(found: np.ndarray, wanted: np.ndarray) -> float:
    return round(float(np.sum(found & wanted) / max(np.sum(found | wanted), 1)), 3)
