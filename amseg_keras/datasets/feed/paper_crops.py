"""The paper's augmentation: a random tenth of the frames is cropped and added."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from amseg_keras.datasets.feed.window import resize

SHARE = 0.1
"""Of the frames that are cropped and added (section 2.3)."""

SIDES = (0.5, 0.9)
"""Smallest and largest side of a crop, in sides of the largest window that fits the frame."""


@dataclass(frozen=True)
class Crop:
    """A window in a frame of any size.

    Args:
        side: Its size, in sides of the largest window of the wanted proportions in the frame.
        top: Where it lies between the upper (0) and the lower (1) end of the frame.
        left: Where it lies between the left (0) and the right (1) end of the frame.
    """

    side: float
    top: float
    left: float

    def apply(
        self, image: np.ndarray, labels: np.ndarray, shape: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Cut the window out and resize it to `shape`, its proportions kept.

        Args:
            image: Grey levels, float32 `(height, width)`, or `(height, width, channels)`.
            labels: Class ids, uint8 `(height, width)`.
            shape: Height and width to come out; the window has their proportions.

        Returns:
            Image (bilinear) and labels (nearest), both with `shape`.

        Example:
            >>> image, labels = np.eye(8, dtype="float32"), np.eye(8, dtype="uint8")
            >>> Crop(0.5, 0, 0).apply(image, labels, (2, 4))[0].shape
            (2, 4)
        """
        have = labels.shape
        scale = self.side * min(have[0] / shape[0], have[1] / shape[1])
        height, width = (max(1, round(scale * want)) for want in shape)
        top = round(self.top * (have[0] - height))
        left = round(self.left * (have[1] - width))
        window = slice(top, top + height), slice(left, left + width)
        return resize(image[window], labels[window], shape)


def draw_crops(frames: int, seed: int) -> list[tuple[int, Crop]]:
    """Choose a tenth of the frames, and a window in each.

    Section 2.3 of the paper crops a random 10 % of the images and adds them to the set; they are
    drawn once, so the same crops are in the set in every epoch. How large a crop is, is a choice
    of this package: 0.5 to 0.9 of the frame, see `SIDES`.

    Args:
        frames: How many frames there are.
        seed: Of the draw.

    Returns:
        Number of a frame and its window, one for each frame to add; at least one.

    Example:
        >>> len(draw_crops(200, seed=0)), len(draw_crops(3, seed=0))
        (20, 1)
    """
    rng = np.random.default_rng((seed, frames))
    chosen = np.sort(rng.choice(frames, max(1, round(SHARE * frames)), replace=False))
    return [
        (int(frame), Crop(float(rng.uniform(*SIDES)), float(rng.random()), float(rng.random())))
        for frame in chosen
    ]
