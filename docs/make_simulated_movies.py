"""Draw simulated movies, and one scene in all presentations.

    python docs/make_simulated_movies.py

Each row of `simulated_movies.jpg` is a recording: a frame, the frame divided by its background, and
labels with the liquid in green. All of it is simulated; nothing was recorded.
"""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from amseg_keras.simulate import FACILITIES, PRESENTATIONS, REFERENCES, Recording, record
from amseg_keras.simulate.statistics import motion_channel

SHAPE = (160, 400)
ROWS = (
    (
        "laser that stands still",
        record(FACILITIES["aps"].at(4.31), 60, 6, process="welding", shape=SHAPE),
    ),
    ("welding", record("aps", 60, 3, process="welding", shape=SHAPE)),
    ("powder bed", record("esrf", 60, 1, process="lpbf", shape=SHAPE)),
    ("plate with pores", record("esrf", 80, 4, process="welding", shape=SHAPE)),
    ("wall", record(REFERENCES["wall"], 120, 4, shape=SHAPE)),
)
COLOURS = np.array(
    [[20, 20, 20], [150, 130, 40], [90, 90, 90], [230, 90, 60], [70, 160, 230], [190, 60, 190]],
    np.uint8,
)
"""Background, powder, substrate, keyhole, pore, ignored."""


def grey(field: np.ndarray) -> np.ndarray:
    """Stretch to 8 bits, and repeat for three colours."""
    low, high = np.percentile(field, (0.5, 99.5))
    level = np.clip((field - low) / max(high - low, 1e-6), 0, 1)
    return np.repeat((255 * level).astype(np.uint8)[..., None], 3, axis=2)


def labelled(labels: np.ndarray, liquid: np.ndarray | None) -> np.ndarray:
    """Colour class ids and liquid."""
    picture = COLOURS[np.where(labels == 255, 5, labels)]
    if liquid is not None:
        picture[liquid > 0] = picture[liquid > 0] // 2 + np.array([10, 100, 30], np.uint8)
    return picture


def titled(picture: np.ndarray, title: str) -> np.ndarray:
    """Write a title into the upper left corner, and leave a gap."""
    picture = np.ascontiguousarray(picture)
    cv2.putText(
        picture, title, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 220, 60), 1, cv2.LINE_AA
    )
    return np.pad(picture, ((0, 4), (0, 4), (0, 0)), constant_values=255)


def row(title: str, drawn: Recording) -> np.ndarray:
    """Draw the frame in the middle of the laser's way."""
    shown = drawn.presented("corrected")
    lit = shown.lit or range(len(shown))
    index = lit[len(lit) // 2]
    stack = np.stack([shown.grey(number) for number in range(len(shown))]).astype(np.float32)
    motion = motion_channel(stack, index)
    noise = 1.4826 * np.median(np.abs(motion - np.median(motion)))
    parts = [
        titled(grey(np.log(stack[index] + 1)), title),
        titled(grey(np.clip(motion / noise, -10, 10)), "divided by the background"),
        titled(labelled(shown.labels(index, motion=True), shown.liquid(index)), "labels, liquid"),
    ]
    return np.concatenate(parts, axis=1)


def main() -> None:
    """Draw both pictures."""
    here = Path(__file__).parent
    rows = [row(title, drawn) for title, drawn in ROWS]
    Image.fromarray(np.concatenate(rows)).save(here / "simulated_movies.jpg", quality=85)
    scene = ROWS[0][1]
    index = scene.lit[len(scene.lit) // 2]
    cells = []
    for name in PRESENTATIONS:
        frame = scene.presented(name).grey(index)
        full = {np.uint8: 255, np.uint16: 65535}[frame.dtype.type]
        if scene.presented(name).presentation.bits == 12:
            full = 4095
        level = np.repeat((frame * (255.0 / full)).astype(np.uint8)[..., None], 3, axis=2)
        cells.append(titled(level, name))
    pictures = [np.concatenate(cells[at : at + 3], axis=1) for at in range(0, len(cells), 3)]
    Image.fromarray(np.concatenate(pictures)).save(here / "simulated_presentations.jpg", quality=85)


if __name__ == "__main__":
    main()
