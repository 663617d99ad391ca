"""A folder as `amseg segment` leaves it behind, without the segmenting."""

import json

import tifffile

from amseg_keras.classes import CLASS_NAMES


def write_run(folder, labels):
    folder.mkdir(parents=True)
    tifffile.imwrite(folder / "labels.tif", labels, photometric="minisblack")
    record = {
        "source": "scan.h5",
        "class_names": list(CLASS_NAMES),
        "shape": list(labels.shape),
        "label_format": "tiff",
        "pixel_size_um": 2.0,
        "pixel_size_from": "file",
        "frame_rate_hz": 1000.0,
        "model": "some-net",
        "trained_on": "simulated frames",
    }
    (folder / "run.json").write_text(json.dumps(record))
    return folder
