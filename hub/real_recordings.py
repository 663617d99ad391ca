"""Real recordings that presets are calibrated on, and the recordings that are made of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from amseg_keras.read import ReadError, open_stack

FILES = (
    ("esrf_lpbf.jpg", "lpbf", 1),
    ("esrf_welding.jpg", "lpbf", 1),
    ("aps_ti64_frames", "lpbf", 1),
    ("wall_movie/frames.tif", "lpbf", 1),
    *((f"figures/pyeon_{name}.png", "lpbf", 1) for name in "ac"),
    *((f"figures/zhang_{number}.png", "lpbf", 3) for number in (1, 3, 5, 7)),
    ("figures/simonds_raw.png", "lpbf", 1),
    ("dls_ded.jpg", "ded", 1),
)
"""File, process, and the factor by which frames are to be enlarged for a network."""

VARIANTS = 10
"""Recordings that are made of a real one."""

MOST_FRAMES = 60
"""Frames of a recording that are used."""

_CROPPED = 0.8
"""Side of a cropped frame, as a share of the whole side."""


@dataclass(frozen=True)
class RealRecording:
    """A real recording.

    Attributes:
        name: Its file.
        process: Kind of the process, as of `applicability.foreign.PROCESSES`.
        factor: Factor by which frames are enlarged for a network.
        frames: Grey levels, `(frames, height, width)`.
    """

    name: str
    process: str
    factor: float
    frames: np.ndarray

    def variants(self, rng: np.random.Generator, count: int = VARIANTS) -> Iterator[np.ndarray]:
        """Yield the recording, parts of it, single frames and mirror images, all as good.

        Args:
            rng: Draws the frames and the places.
            count: How many; the first one is the recording itself.
        """
        yield self.frames
        for number in range(1, count):
            frames = self.frames
            if number % 2 or len(frames) < 16:
                first = int(rng.integers(len(frames)))
                frames = frames[first : first + 1]
            else:
                first = int(rng.integers(len(frames) - 11))
                frames = frames[first : first + int(rng.integers(12, len(frames) + 1))]
            if number % 4 >= 2:
                height, width = (int(side * _CROPPED) for side in frames.shape[1:])
                top = int(rng.integers(frames.shape[1] - height + 1))
                left = int(rng.integers(frames.shape[2] - width + 1))
                frames = frames[:, top : top + height, left : left + width]
            yield frames[..., :: rng.choice([-1, 1])]


def real_recordings(folder: Path) -> Iterator[RealRecording]:
    """Read the real recordings of a folder; those that are not there are said and left out."""
    for name, process, factor in FILES:
        try:
            with open_stack(folder / name) as stack:
                step = -(-len(stack) // MOST_FRAMES)
                frames = np.stack([stack[index] for index in range(0, len(stack), step)])
        except ReadError as error:
            print(error)
            continue
        yield RealRecording(name, process, float(factor), frames)
