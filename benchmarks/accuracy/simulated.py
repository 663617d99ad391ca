"""Scores on simulated recordings that no network has seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from amseg_keras import Segmenter
from amseg_keras.metrics.scores import confusion_matrix, iou_per_class
from amseg_keras.segment.tiling import predict_any_size
from amseg_keras.training import Simulation
from amseg_keras.training.presentation import validation_view
from amseg_keras.training.recordings import Recordings, Sample

SEED = 977_011
FACILITIES = ("esrf", "aps")
TARGETS = 2


def score_simulated(
    segmenter: Segmenter, folder: Path, sequences: int
) -> dict[str, dict[str, float | None]]:
    """Measure the IoU of keyhole and pore on unseen recordings of each facility.

    Args:
        segmenter: The network.
        folder: Folder of the simulated recordings, which all networks share.
        sequences: Number of recordings of each facility; two frames of each are scored.

    Returns:
        IoU by facility and class (`mean` over all classes, too): `keyhole` and `pore` as the
        network is used with a movie, on
        the labels of what a frame or its motion shows; `keyhole_single` and `pore_single` with
        each frame by itself, on the labels of what that frame shows. Every network is scored on
        the same labels, whichever channels it takes.
    """
    found: dict[str, dict[str, float | None]] = {}
    for facility in FACILITIES:
        recordings = Recordings(
            folder, Simulation({facility: 1.0}), segmenter.scaling, SEED, TARGETS
        )
        scores: dict[str, float | None] = {}
        for name, alone in (("", False), ("_single", True)):
            iou = _iou(segmenter, _samples(recordings, sequences, alone))
            for label in ("keyhole", "pore"):
                value = iou[segmenter.class_names.index(label)]
                scores[label + name] = None if np.isnan(value) else round(float(value), 3)
            scores[f"mean{name}"] = round(float(np.nanmean(iou)), 3)
        found[facility] = scores
    return found


def _samples(recordings: Recordings, sequences: int, alone: bool) -> Iterator[Sample]:
    for number in range(sequences):
        for target in range(TARGETS):
            sample = recordings.sample(number, target)
            yield replace(sample, background=None) if alone else sample


def _iou(segmenter: Segmenter, samples: Iterator[Sample]) -> np.ndarray:
    count = len(segmenter.class_names)
    matrix = np.zeros((count, count), np.int64)
    for sample in samples:
        image, _ = validation_view(sample, segmenter.scaling, segmenter.channels)
        labels = sample.labels if sample.background is None else sample.moving_labels
        probabilities = predict_any_size(segmenter.model.predict_on_batch, image[None])
        matrix += confusion_matrix(labels, probabilities[0].argmax(-1), count)
    return iou_per_class(matrix)
