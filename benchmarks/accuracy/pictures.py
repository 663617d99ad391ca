"""Real frames with what a network finds in them, to look at; they belong to others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from real import FIGURES

from amseg_keras import Segmenter
from amseg_keras.read import open_stack
from amseg_keras.report.overlay import overlay, with_legend

WALL_FRAMES = (5, 60, 130, 200, 255)
APS_FRAMES = (2, 12, 22)


def draw_pictures(segmenter: Segmenter, data: Path, folder: Path) -> None:
    """Draw overlays of ESRF frames, the figures, and some frames of the two recordings.

    Args:
        segmenter: The network.
        data: Folder of the real frames.
        folder: Folder of the pictures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("esrf_lpbf", "esrf_welding"):
        _draw(segmenter, data / f"{name}.jpg", (0,), folder / name)
    for name, scale in FIGURES.items():
        _draw(segmenter, data / "figures" / f"{name}.png", (0,), folder / name, scale)
    _draw(segmenter, data / "wall_movie" / "frames.tif", WALL_FRAMES, folder / "wall")
    _draw(segmenter, data / "aps_ti64_frames", APS_FRAMES, folder / "aps")


def _draw(
    segmenter: Segmenter, source: Path, numbers: tuple[int, ...], target: Path, scale: float = 1.0
) -> None:
    if not source.exists():
        return
    with open_stack(source) as stack:
        inputs = segmenter.inputs(stack, scale=scale)
        labelled = {one.index: one.labels for one in segmenter.iter_labels(inputs)}
        pictures = []
        for number in numbers:
            frame = stack[number]
            shown = overlay(frame, labelled[number], segmenter.class_names, inputs.grey_range)
            bare = np.full(frame.shape, 255, np.uint8)
            plain = overlay(frame, bare, segmenter.class_names, inputs.grey_range)
            pictures.append(np.vstack([plain, shown]))
    picture = with_legend(np.hstack(pictures), segmenter.class_names)
    Image.fromarray(picture).save(target.with_suffix(".png"))
