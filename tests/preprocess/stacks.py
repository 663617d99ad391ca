"""Stacks that the tests of preprocessing share."""

import numpy as np

from amseg_keras.read import ReadError


class Counting:
    """An array as frames; counts reads, and cannot read the frames in `broken`."""

    def __init__(self, frames, broken=()):
        self.array = np.asarray(frames)
        self.shape = self.array.shape
        self.dtype = self.array.dtype
        self.broken = set(broken)
        self.read = []

    def __len__(self):
        return len(self.array)

    def __getitem__(self, index):
        self.read.append(index)
        if index in self.broken:
            raise ReadError(f"movie.h5: frame {index} is damaged; copy it again")
        return self.array[index].copy()


def noisy(frames=30, height=12, width=16, seed=0):
    """Counts around 1000, uint16."""
    rng = np.random.default_rng(seed)
    return rng.normal(1000, 30, (frames, height, width)).astype(np.uint16)


def texture(height=96, width=128, seed=0):
    """Smooth random texture that can be sampled between pixels: a function of shift."""
    rng = np.random.default_rng(seed)
    frequency = rng.uniform(0.02, 0.15, (60, 2)) * rng.choice([-1, 1], (60, 2))
    phase = rng.uniform(0, 2 * np.pi, 60)
    rows, columns = np.mgrid[:height, :width].astype(float)

    def moved(down=0.0, right=0.0):
        waves = [
            np.cos(2 * np.pi * (fy * (rows - down) + fx * (columns - right)) + p)
            for (fy, fx), p in zip(frequency, phase, strict=True)
        ]
        return 1000 + 12 * np.sum(waves, axis=0)

    return moved
