"""Simulate the sample stacks again: `python -m amseg_keras.samples.make`."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import tifffile

from amseg_keras.simulate import simulate_sequence

SAMPLES = {"esrf-lpbf": ("lpbf", 85, 24), "esrf-welding": ("welding", 5, 12)}
"""Process, seed and number of frames; the seeds' sequences show a keyhole and pores."""


def make_samples(folder: Path) -> None:
    """Write every sample as an ImageJ TIFF stack with its pixel size."""
    for name, (process, seed, frames) in SAMPLES.items():
        sequence = simulate_sequence("esrf", frames, seed, process=process)
        assert sequence.pixel_size_um is not None
        per_um = 1 / sequence.pixel_size_um
        tifffile.imwrite(
            folder / f"{name}.tif",
            sequence.frames,
            imagej=True,
            compression="zlib",
            predictor=True,
            resolution=(per_um, per_um),
            metadata={"axes": "TYX", "unit": "um", "Info": f"simulated {sequence.parameters}"},
        )


if __name__ == "__main__":
    make_samples(Path(str(files("amseg_keras.samples"))))
