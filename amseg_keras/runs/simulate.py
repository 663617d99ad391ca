"""Simulate labelled sequences into one folder, a data set.

images/SEQUENCE_FRAME.tif    grey levels
labels/SEQUENCE_FRAME.png    class ids, 255 for doubtful pixels
dataset.json                 what every frame and every sequence is; written last
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import amseg_keras
from amseg_keras.classes import CLASS_NAMES
from amseg_keras.datasets import Dataset, LabelledFrame
from amseg_keras.datasets.dataset import DATASET_FILE, read_dataset_file, with_files, write_frame
from amseg_keras.outputs import (
    IDENTITY,
    UNFINISHED,
    OutputFiles,
    OutputFolder,
    OutputTakenError,
    RunIdentity,
    read_record,
)
from amseg_keras.simulate import FACILITIES, record

OUTPUTS = OutputFiles("amseg simulate", DATASET_FILE, ("images", "labels"))

SMALLEST_SIDE = 64
"""Smallest side of a frame in pixels, because a keyhole must fit in."""

Progress = Callable[[int], None]
"""Function of the number of frames that are done."""


@dataclass(frozen=True)
class SimulateSettings:
    """Settings of a simulated data set.

    Attributes:
        facility: Name of one of `simulate.FACILITIES`.
        frames: Number of frames of a sequence.
        sequences: Number of sequences, each with its own experiment.
        seed: Seed; equal seeds give equal data sets.
        process: Process of the facility; None for any.
        shape: Height and width of a frame in pixels; None for the shape at the facility.

    Raises:
        ValueError: A frame of this shape is too small to show anything.
    """

    facility: str
    frames: int
    sequences: int
    seed: int = 0
    process: str | None = None
    shape: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.shape is not None and min(self.shape) < SMALLEST_SIDE:
            height, width = self.shape
            raise ValueError(
                f"frames of {height} x {width} pixels are too small; make both at least "
                f"{SMALLEST_SIDE}"
            )

    def sequence_seed(self, number: int) -> int:
        """Return the seed of a sequence, numbered from 1, as in `simulate_sequence`."""
        return int(np.random.SeedSequence((self.seed, number)).generate_state(1)[0])


def simulate_dataset(
    folder: Path, settings: SimulateSettings, progress: Progress = lambda done: None
) -> Dataset:
    """Simulate a data set; an interrupted one is continued.

    Returns:
        The data set.

    Raises:
        OutputTakenError: The folder holds something else.
        ValueError: The process was not run at the facility.
    """
    wanted = asdict(settings) | {"version": amseg_keras.__version__}
    if settings.shape is not None:
        wanted["shape"] = list(settings.shape)  # as it is read back
    if (folder / DATASET_FILE).is_file():
        there = read_dataset_file(folder)
        if there.other.get("simulated") != wanted:
            raise OutputTakenError(f"{folder}: holds another data set; give another -o")
        progress(len(there.frames))
        return there
    # A process that was not run there must fail before anything is written.
    FACILITIES[settings.facility].draw_experiment(np.random.default_rng(0), settings.process)
    with OutputFolder(folder, OUTPUTS, keeps_going=True) as out:
        out.claim()
        _check_empty(folder)
        identity = RunIdentity("simulated frames", None, settings=wanted)
        begun = read_record(out.unfinished / IDENTITY)
        if begun is not None and identity.difference(begun) is not None:
            raise OutputTakenError(f"{folder}: holds an unfinished data set; give another -o")
        out.begin(identity)
        data = _simulate(folder, settings, wanted, progress)
        out.leave_nothing()
    return data


def _simulate(
    folder: Path, settings: SimulateSettings, wanted: dict[str, Any], progress: Progress
) -> Dataset:
    """Simulate the missing frames, and write `dataset.json`."""
    frames: list[LabelledFrame] = []
    sequences: dict[str, Any] = {}
    for number in range(1, settings.sequences + 1):
        recording = record(
            settings.facility,
            settings.frames,
            settings.sequence_seed(number),
            process=settings.process,
            shape=settings.shape,
        )
        name = f"{settings.facility}-{number:04}"
        sequences[name] = recording.parameters
        for index in range(len(recording)):
            frame = with_files(_about(name, index + 1, recording.parameters), labelled=True)
            if not _is_there(folder, frame):
                write_frame(folder, *recording[index], frame)
            frames.append(frame)
            progress(len(frames))
    place = FACILITIES[settings.facility]
    data = Dataset(
        folder,
        CLASS_NAMES,
        tuple(frames),
        place.pixel_size_um,
        f"Simulated by amseg-keras {amseg_keras.__version__}: {place.title}. Not recorded.",
        {"frame_rate_hz": place.frame_rate_hz, "simulated": wanted, "sequences": sequences},
    )
    data.save()
    return data


def _check_empty(folder: Path) -> None:
    """Refuse a folder with files, unless the same data set was begun there."""
    begun = (folder / UNFINISHED / IDENTITY).exists()
    if not begun and any(path.name != UNFINISHED for path in folder.iterdir()):
        raise OutputTakenError(f"{folder}: is not empty; give another -o")


def _about(sequence: str, number: int, parameters: dict[str, Any]) -> LabelledFrame:
    return LabelledFrame(
        image="",
        label=None,
        sequence=sequence,
        frame=number,
        facility=parameters["facility"],
        process=parameters["process"],
        material=parameters["material"],
        # A casting has no laser.
        power_W=parameters.get("power_W"),
        speed_mm_s=parameters.get("speed_mm_s"),
    )


def _is_there(folder: Path, frame: LabelledFrame) -> bool:
    assert frame.label is not None
    return (folder / frame.image).is_file() and (folder / frame.label).is_file()
