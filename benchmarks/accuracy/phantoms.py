"""Scores with and without the rule of one keyhole a laser."""

from __future__ import annotations

import numpy as np

from amseg_keras import Segmenter
from amseg_keras.classes import IGNORE
from amseg_keras.quantify import find_phantoms
from amseg_keras.simulate import record

SEED, FRAMES, SHAPE = 977_021, 36, (192, 384)
FACILITIES = ("esrf", "aps")
LEAST_PX = 30
"""Pixels of keyhole from which a frame without one holds a phantom."""


def score_phantoms(segmenter: Segmenter, recordings: int = 8) -> dict[str, float]:
    """Measure what the rule of one keyhole a laser gains on unseen simulated movies.

    Args:
        segmenter: The network.
        recordings: Number of movies of each facility, 36 frames each.

    Returns:
        `iou` and `iou_with_rule`: IoU of the keyhole over all frames; `phantoms` and
        `phantoms_with_rule`: share of the frames without a keyhole that hold one of 30 px or more.
    """
    names = segmenter.class_names
    keyhole = names.index("keyhole")
    both, either = np.zeros(2, np.int64), np.zeros(2, np.int64)
    phantoms, empty = np.zeros(2, np.int64), 0
    for seed in range(SEED, SEED + recordings):
        for facility in FACILITIES:
            movie = record(facility, FRAMES, seed, shape=SHAPE)
            frames = np.stack([movie.grey(index) for index in range(FRAMES)])
            labels = segmenter.segment(frames).labels
            found = find_phantoms(labels, names)
            for index, frame in enumerate(labels):
                truth = movie.labels(index, motion=True)
                known, wanted = truth != IGNORE, truth == keyhole
                empty += not wanted.any()
                for at, called in enumerate((frame, found.removed_from(index, frame, names))):
                    called_keyhole = (called == keyhole) & known
                    both[at] += np.sum(called_keyhole & wanted)
                    either[at] += np.sum(called_keyhole | wanted)
                    phantoms[at] += bool(not wanted.any() and called_keyhole.sum() >= LEAST_PX)
    iou, share = both / np.maximum(either, 1), phantoms / max(empty, 1)
    return {
        "iou": round(float(iou[0]), 3),
        "iou_with_rule": round(float(iou[1]), 3),
        "phantoms": round(float(share[0]), 3),
        "phantoms_with_rule": round(float(share[1]), 3),
    }
