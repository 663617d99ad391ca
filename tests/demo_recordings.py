"""Small recordings for the demo."""

import numpy as np
import tifffile


def write_recording(path, seed, frames=3):
    rng = np.random.default_rng(seed)
    made = np.cumsum(rng.normal(0, 9, (frames, 64, 96)), axis=2) + 128
    made = made.clip(0, 255).astype(np.uint8)
    tifffile.imwrite(path, made, photometric="minisblack")
    return path, made
