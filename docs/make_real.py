"""Draw the README's picture of a real recording: `python docs/make_real.py DATA`.

DATA holds `wall_movie/frames.tif`, from napari-melt-pool-tracker 0.1.3 (BSD-3-Clause, see
docs/wall_movie.LICENSE). The frames are enlarged two times for the network: their pores have 3 to
8 px.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from amseg_keras import from_pretrained
from amseg_keras.read import open_stack
from amseg_keras.report.overlay import overlay, with_legend

FRAMES, SCALE = (60, 130), 2.0

segmenter = from_pretrained("amsegnet-movie")
names = segmenter.class_names
columns = []
with open_stack(Path(sys.argv[1]) / "wall_movie" / "frames.tif") as stack:
    inputs = segmenter.inputs(stack, scale=SCALE)
    labels = {one.index: one.labels for one in segmenter.iter_labels(inputs)}
    for number in FRAMES:
        frame = stack[number]
        bare = overlay(frame, np.full(frame.shape, 255), names, inputs.grey_range)
        labelled = overlay(frame, labels[number], names, inputs.grey_range)
        gap = np.full((6, frame.shape[1], 3), 255, np.uint8)
        columns.append(np.concatenate([bare, gap, labelled]))
gap = np.full((columns[0].shape[0], 8, 3), 255, np.uint8)
picture = with_legend(np.concatenate([columns[0], gap, columns[1]], axis=1), names)
Image.fromarray(picture).save(Path(__file__).with_name("wall_movie.png"))
