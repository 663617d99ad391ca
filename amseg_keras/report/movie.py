"""Pictures as files: a PNG for a frame, an MP4 for a stack."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path

import numpy as np
from PIL import Image

from amseg_keras.atomic import complete_or_absent

PLAYBACK_RATE = 20
"""Frames shown per second: slow enough for the eye to follow a keyhole."""

X264_OPTIONS = {"x264-params": "no-mbtree=1", "preset": "veryfast"}
"""With its macroblock tree, x264 encodes the same pictures to other bytes now and then, and a run
that was killed would not end with the files of an undisturbed one. Its usual preset takes more than
twice the time, more than a small network, for files that are a tenth smaller."""


def write_overlays(folder: Path, pictures: Iterable[np.ndarray]) -> str | None:
    """Write `overlay.png` for one picture, `overlay.mp4` (H.264) for several.

    Args:
        folder: where to.
        pictures: red, green, blue, uint8 `(height, width, 3)`, all of one size, sides even.

    Returns:
        The name of the file, `None` where there are no pictures.
    """
    coming = iter(pictures)
    first = list(islice(coming, 2))
    if not first:
        return None
    if len(first) == 1:
        with complete_or_absent(folder / "overlay.png") as temporary:
            Image.fromarray(first[0]).save(temporary)
        return "overlay.png"
    write_movie(folder / "overlay.mp4", chain(first, coming))
    return "overlay.mp4"


def write_movie(path: Path, pictures: Iterable[np.ndarray]) -> None:
    """Write pictures as H.264, one in memory at a time; the file is complete or not there.

    Args:
        path: of the file, ending in `.mp4`.
        pictures: red, green, blue, uint8 `(height, width, 3)`, all of one size, sides even.
    """
    import av  # takes longer to import than a small network takes to segment a frame

    with complete_or_absent(path) as temporary, av.open(str(temporary), "w") as container:
        stream = container.add_stream("libx264", rate=PLAYBACK_RATE, options=dict(X264_OPTIONS))
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(pictures):
            # Not through imageio, which takes three times as long to hand the pixels over.
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, PLAYBACK_RATE)
            if number == 0:
                stream.width, stream.height = frame.width, frame.height
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
