"""Draw simulated frames of the four facilities: `python docs/make_simulated.py`.

Left the frames, right their labels. All of it is simulated; nothing was recorded.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.preprocess import GreyScaling
from amseg_keras.report.overlay import overlay, with_legend
from amseg_keras.simulate import simulate_sequence

SHAPE = (256, 512)
SHOTS = (
    ("esrf", "lpbf", 13),
    ("esrf", "welding", 6),
    ("aps", "welding", 25),
    ("dls", "ded", 7),
    ("hpdc", "casting", 3),
)
GAP = np.full((SHAPE[0], 8, 3), 255, np.uint8)

rows = []
for facility, process, seed in SHOTS:
    shot = simulate_sequence(facility, 1, seed, process=process, shape=SHAPE)
    frame, labels = shot.frames[0], shot.labels[0]
    grey = GreyScaling().measure(frame[None])
    bare = overlay(frame, np.full(SHAPE, 255), CLASS_NAMES, grey)
    rows.append(np.concatenate([bare, GAP, overlay(frame, labels, CLASS_NAMES, grey)], axis=1))
    rows.append(np.full((8, rows[0].shape[1], 3), 255, np.uint8))
picture = with_legend(np.concatenate(rows[:-1]), CLASS_NAMES)
Image.fromarray(picture).save(Path(__file__).with_name("simulated.jpg"), quality=85)
