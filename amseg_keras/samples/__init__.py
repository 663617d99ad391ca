"""Simulated frames that come with the package, to try it on: `sample:NAME` wherever a path goes.

Made by `python -m amseg_keras.samples.make`; they are simulated, not recorded.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

PREFIX = "sample:"


def sample_names() -> tuple[str, ...]:
    """List the names of the samples.

    Example:
        >>> sample_names()
        ('esrf-lpbf', 'esrf-welding')
    """
    folder = Path(str(files(__name__)))
    return tuple(sorted(path.stem for path in folder.glob("*.tif")))


def sample_path(name: str) -> Path:
    """Find the TIFF stack of a sample.

    Args:
        name: one of `sample_names()`, without `sample:`.

    Raises:
        KeyError: there is no sample of this name.

    Example:
        >>> import tifffile
        >>> tifffile.imread(sample_path("esrf-welding")).shape
        (12, 256, 512)
    """
    if name not in sample_names():
        raise KeyError(name)
    return Path(str(files(__name__))) / f"{name}.tif"
