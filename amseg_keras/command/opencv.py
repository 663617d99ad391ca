"""What commands say that simulate where OpenCV is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click


@contextmanager
def opencv_needed() -> Iterator[None]:
    """Turn an import of OpenCV that fails into one sentence and exit code 1."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "cv2":
            raise
        raise click.ClickException(
            "simulating needs OpenCV: pip install opencv-python-headless, "
            "or amseg-keras with its extra, amseg-keras[simulate]"
        ) from error
