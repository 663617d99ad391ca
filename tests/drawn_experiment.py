"""A small experiment: a keyhole that moves and oscillates, pores, and its folder of results."""

import json

import numpy as np
import tifffile

from amseg_keras.classes import CLASS_NAMES, IGNORE
from amseg_keras.quantify import Scale, measure
from amseg_keras.report.label_files import write_tiff
from amseg_keras.runs.labelled_experiment import find_experiments
from amseg_keras.runs.quantify import QuantifySettings, quantify_experiment

GAS, _, PLATE, KEYHOLE, PORE = range(len(CLASS_NAMES))
SHAPE = (64, 96)
FRAMES = 40
SURFACE = 20
UNREADABLE = 7
SCALE = Scale(2.0, 10_000.0)


def depth(frame):
    """Of the keyhole in pixels: an oscillation of eight frames, and none in the last two."""
    return 0 if frame >= FRAMES - 2 else round(18 + 6 * np.sin(2 * np.pi * frame / 8))


def draw_labels():
    """Class ids, uint8; a pore is there from the beginning, another one from frame 10 on."""
    labels = np.full((FRAMES, *SHAPE), GAS, np.uint8)
    labels[:, SURFACE:] = PLATE
    for number, frame in enumerate(labels):
        frame[50:57, 80:88] = PORE
        if number >= 10:
            frame[40:46, 20:26] = PORE
        left = 10 + 2 * number
        if depth(number):
            frame[SURFACE : SURFACE + depth(number), left : left + 8] = KEYHOLE
    labels[UNREADABLE] = IGNORE
    return labels


def draw_frames(labels):
    """Grey levels, uint16, in which each class has its own, with some noise."""
    grey = np.array([4000, 3500, 1500, 2500, 2200, *[1000] * 251], np.uint16)
    noise = np.random.default_rng(0).integers(0, 300, labels.shape, dtype=np.uint16)
    return grey[labels] + noise


def quantities(scale=SCALE, labels=None, class_names=CLASS_NAMES):
    return measure(draw_labels() if labels is None else labels, class_names, scale)


def write_segmented(folder, labels=None, **other):
    """The folder of `amseg segment` and its frames beside it."""
    labels = draw_labels() if labels is None else labels
    folder.mkdir(parents=True)
    source = folder.with_name(f"{folder.name}.tif")
    tifffile.imwrite(source, draw_frames(labels))
    write_tiff(folder, iter(labels), labels.shape, CLASS_NAMES)
    record = {
        "source": str(source),
        "class_names": list(CLASS_NAMES),
        "grey_range": {"low": 1000.0, "high": 4300.0, "top": 1.0},
        "label_format": "tiff",
        "pixel_size_um": 2.0,
        "pixel_size_from": "file",
        "model": "some-net",
        "trained_on": "simulated frames",
        "weights_sha256": "cafe",
        "shape": list(labels.shape),
        "unreadable_frames": [
            {"frame": int(frame), "error": "is empty"}
            for frame in np.flatnonzero((labels == IGNORE).all(axis=(1, 2)))
        ],
        "versions": {"amseg-keras": "9.8.7"},
    }
    (folder / "run.json").write_text(json.dumps(record | other))
    return folder


def write_quantified(folder, frame_rate_hz=SCALE.frame_rate_hz, parameters=None, **other):
    """The same folder after `amseg quantify`."""
    write_segmented(folder, **other)
    (experiment,), _ = find_experiments([str(folder)])
    settings = QuantifySettings(frame_rate_hz=frame_rate_hz, parameters=parameters or {})
    quantify_experiment(experiment, folder / "quantities", settings)
    return folder
