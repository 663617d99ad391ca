"""Draw the picture of the README: `python docs/make_segmented.py`."""

from pathlib import Path

import numpy as np
from PIL import Image

from amseg_keras import from_pretrained
from amseg_keras.read import open_stack
from amseg_keras.report.overlay import overlay, with_legend

FRAME = 20

segmenter = from_pretrained("amsegnet-esrf")
names = segmenter.class_names
with open_stack("sample:esrf-lpbf") as stack:
    result = segmenter.segment("sample:esrf-lpbf")
    frame = stack[FRAME]
bare = overlay(frame, np.full(frame.shape, 255), names, result.grey_range)
labelled = overlay(frame, result.labels[FRAME], names, result.grey_range)
gap = np.full((frame.shape[0], 8, 3), 255, np.uint8)
picture = with_legend(np.concatenate([bare, gap, labelled], axis=1), names)
Image.fromarray(picture).save(Path(__file__).with_name("segmented.png"))
