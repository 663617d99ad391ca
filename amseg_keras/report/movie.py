"""Pictures as files: a PNG for a frame, an MP4 for a stack."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from PIL import Image

from amseg_keras.atomic import complete_or_absent

PLAYBACK_RATE = 20
"""Frames shown per second: slow enough for the eye to follow a keyhole."""


def write_overlays(folder: Path, pictures: Iterable[np.ndarray], frames: int) -> str:
    """Write `overlay.png` for one picture, `overlay.mp4` (H.264) for several.

    Args:
        folder: where to.
        pictures: red, green, blue, uint8 `(height, width, 3)`, all of one size, sides even.
        frames: how many they are.

    Returns:
        The name of the file.
    """
    if frames == 1:
        with complete_or_absent(folder / "overlay.png") as temporary:
            Image.fromarray(next(iter(pictures))).save(temporary)
        return "overlay.png"
    write_movie(folder / "overlay.mp4", pictures)
    return "overlay.mp4"


def write_movie(path: Path, pictures: Iterable[np.ndarray]) -> None:
    """Write pictures as H.264, one in memory at a time; the file is complete or not there.

    Args:
        path: of the file, ending in `.mp4`.
        pictures: red, green, blue, uint8 `(height, width, 3)`, all of one size, sides even.
    """
    with (
        complete_or_absent(path) as temporary,
        iio.imopen(temporary, "w", plugin="pyav") as video,
    ):
        video.init_video_stream("libx264", fps=PLAYBACK_RATE, pixel_format="yuv420p")
        for picture in pictures:
            video.write_frame(picture)
