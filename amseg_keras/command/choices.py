"""Types of options, and names and defaults of the library that options show, written once more.

So `--help` and an error in an option need none of the library, which takes seconds to import.
tests/command/test_choices.py keeps them equal to those of the library.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

PATH = click.Path(path_type=Path)
FOLDER = click.Path(path_type=Path, file_okay=False)
POSITIVE = click.FloatRange(min=0, min_open=True)
COUNT = click.IntRange(min=1)
WHOLE = click.IntRange(min=0)

ENGINES = ("auto", "keras", "openvino", "openvino-bf16", "openvino-int8", "onnxruntime", "ncnn")
TIMED_ENGINES = ("predict", *ENGINES[1:])
EXPORT_FORMATS = ("onnx", "openvino", "tf_saved_model", "litert")
LABEL_EXPORTS = ("imagej-rois", "ome-tiff", "ome-zarr")
NGFF_VERSIONS = ("0.4", "0.5")
LABEL_FORMATS = ("tiff", "png", "hdf5", "zarr")
FRAME_FORMATS = ("tiff", "hdf5")
PREPARE_STEPS = (
    *("repair", "flat-field", "register", "background", "stretch", "median", "nlm", "crop"),
)

FACILITIES = ("esrf", "aps", "dls", "hpdc")
PROCESSES = ("lpbf", "welding", "ded", "casting")
PUBLIC_DATA = ("hpdc-video", "esrf-test-images", "aps-ti64-ampere")
MASK_KINDS = ("auto", "label-image", "labelme", "coco", "colours", "imagej-rois")
SPLITS = ("train", "validation", "test")
SPLIT_WAYS = ("sequence", "frame", "time")
CLASS_WEIGHTS = ("median-frequency", "inverse-frequency")

CHANNELS = ("frame", "motion")
GREY_LEVELS = ("percentile", "specimen")
ANNEALINGS = ("cosine", "plateau")
PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")

DRAWN_FRAMES = 2000
SMALLEST_PORE_UM = 10.0
MEASURED_CLASSES = ("substrate", "keyhole", "pore")
COLOUR_TOLERANCE = 48.0
TIMING_ROUNDS = 5
SETTLE_S = 0.5
PATIENCE_S = 30.0
COMPLETE_S = 30.0
SIMULATED_FRAMES = 800
SIMULATED_REUSE = 4.0
SIMULATED_KEPT = 10_000


@dataclass(frozen=True)
class RecipeDefaults:
    """Defaults of the options of a recipe; what they mean is said at `training.Recipe`."""

    network: str = "amsegnet"
    channels: tuple[str, ...] = ("frame",)
    grey_levels: str = "percentile"
    blank: float = 0.4
    epochs: int = 100
    batch_size: int = 16
    shape: tuple[int, int] = (256, 512)
    learning_rate: float = 1e-3
    annealing: str = "cosine"
    augment: str = "paper"
    averaging: float = 0.99
    patience: int = 30
    precision: str = "auto"
    seed: int = 0


PAPER = RecipeDefaults()
FINE_TUNING = RecipeDefaults(
    epochs=60, batch_size=4, learning_rate=3e-4, augment="strong", averaging=0.95, patience=20
)
