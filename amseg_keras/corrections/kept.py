"""Corrected frames in a folder, as a data set that `amseg dataset` and `amseg finetune` read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from amseg_keras.corrections.label_stack import LabelStack
from amseg_keras.datasets.dataset import (
    DATASET_FILE,
    Dataset,
    LabelledFrame,
    read_dataset_file,
    with_files,
    write_frame,
)
from amseg_keras.outputs import OutputTakenError
from amseg_keras.outputs.files import result_of_another
from amseg_keras.preprocess.lazy import spread
from amseg_keras.read import Frames, ReadError
from amseg_keras.read.names import safe_name

NEIGHBOURS = 48
"""Frames without labels that are kept of a recording, for its grey levels and its background."""


class Corrections:
    """A folder of corrected frames, each recording a sequence of the data set.

    Every change is on disk when the method returns. Nobody else may write into the folder
    meanwhile.

    Args:
        folder: Folder of the data set; it is made when the first frame is kept.
        class_names: Name of each class id.
        pixel_size_um: Size of a pixel in um, kept with the data set; None if unknown.

    Raises:
        ReadError: The folder holds a data set that is damaged or has other classes.
        OutputTakenError: The folder holds the result of another command.

    Example:
        >>> import tempfile
        >>> from amseg_keras.corrections import Corrections, LabelStack, brush
        >>> frames = np.random.default_rng(0).integers(0, 255, (3, 40, 60), "uint8")
        >>> stack = LabelStack(np.zeros((3, 40, 60), np.uint8), ("plate", "pore"))
        >>> stack.paint(1, brush((40, 60), [(20, 30)], radius=3), "pore")
        True
        >>> kept = Corrections(Path(tempfile.mkdtemp()) / "mine", stack.class_names)
        >>> kept.keep_all("shot 7", frames, stack)
        >>> kept.numbers("shot 7"), kept.dataset.frames[1].label
        ((1,), 'labels/shot_7_00001.png')
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        class_names: Sequence[str],
        pixel_size_um: float | None = None,
    ) -> None:
        self.folder = Path(folder)
        if taken := result_of_another(self.folder, DATASET_FILE):
            raise OutputTakenError(f"{folder}: {taken}; give another folder for the corrections")
        self._data = Dataset(
            self.folder,
            tuple(class_names),
            (),
            pixel_size_um,
            "label maps of a network that were corrected by hand",
        )
        if (self.folder / DATASET_FILE).exists():
            found = read_dataset_file(self.folder)
            if found.class_names != self._data.class_names:
                raise ReadError(
                    f"{folder}: has the classes {', '.join(found.class_names)}, and the "
                    f"corrections have {', '.join(class_names)}; give another folder"
                )
            self._data = found

    @property
    def dataset(self) -> Dataset:
        """The data set as it is now, corrected frames and frames without labels."""
        return self._data

    @property
    def recordings(self) -> tuple[str, ...]:
        """Names of the recordings with a corrected frame."""
        return tuple(dict.fromkeys(f.sequence for f in self._data.frames if f.label is not None))

    def numbers(self, recording: str) -> tuple[int, ...]:
        """List the corrected frames of a recording, from 0.

        Args:
            recording: Name of the recording.
        """
        return tuple(frame.frame for frame in self._of(recording) if frame.label is not None)

    def keep(self, recording: str, number: int, grey: np.ndarray, labels: np.ndarray) -> None:
        """Keep a corrected frame, in place of what was kept of it.

        Args:
            recording: Name of the recording; characters that no file name should have are
                replaced.
            number: Number of the frame, from 0.
            grey: Grey levels as recorded, `(height, width)`.
            labels: Class ids, uint8 `(height, width)`; 255 is ignored in training.

        Raises:
            ValueError: Labels and frame differ in shape.
        """
        if grey.shape != labels.shape:
            raise ValueError(f"the frame is {grey.shape}, and its labels are {labels.shape}")
        about = LabelledFrame("", None, safe_name(recording), number)
        self._put(write_frame(self.folder, grey, labels, about))
        self._data.save()

    def keep_all(self, recording: str, frames: Frames, stack: LabelStack) -> None:
        """Keep the corrected frames of a stack, and frames around them without labels.

        Frames that are kept and no longer corrected are taken out.

        Args:
            recording: Name of the recording.
            frames: Grey levels as recorded, `(frames, height, width)`, read when needed.
            stack: The corrected label maps.

        Raises:
            ReadError: A corrected frame cannot be read.
        """
        for number in set(self.numbers(recording)) - set(stack.corrected):
            self.take_out(recording, number)
        for number in stack.corrected:
            self.keep(recording, number, frames[number], stack[number])
        if stack.corrected:
            self.keep_neighbours(recording, frames)

    def keep_neighbours(self, recording: str, frames: Frames, most: int = NEIGHBOURS) -> None:
        """Keep frames without labels, from which grey levels and background are measured.

        A network with a motion channel needs them: without, the motion of corrected frames would be
        blank in training, and not in use.

        Args:
            recording: Name of the recording.
            frames: Grey levels as recorded, `(frames, height, width)`; those that cannot be read
                are left out.
            most: Frames that are kept, evenly spread over the recording.
        """
        there = {frame.frame for frame in self._of(recording)}
        for number in spread(len(frames), most):
            if number in there:
                continue
            try:
                grey = frames[number]
            except ReadError:
                continue
            about = LabelledFrame("", None, safe_name(recording), number)
            self._put(write_frame(self.folder, grey, None, about))
        self._data.save()

    def take_out(self, recording: str, number: int) -> None:
        """Take a frame out of the data set, with its files.

        Args:
            recording: Name of the recording.
            number: Number of the frame, from 0.
        """
        about = LabelledFrame("", None, safe_name(recording), number)
        named = with_files(about, labelled=True)
        left = tuple(frame for frame in self._data.frames if not _same(frame, named))
        self._data = replace(self._data, frames=left)
        self._data.save()
        for name in (named.image, named.label):
            (self.folder / str(name)).unlink(missing_ok=True)

    def forget(self, recording: str) -> None:
        """Take all frames of a recording out of the data set, with their files.

        Args:
            recording: Name of the recording.
        """
        gone = self._of(recording)
        left = tuple(frame for frame in self._data.frames if frame not in gone)
        if len(left) == len(self._data.frames):
            return
        self._data = replace(self._data, frames=left)
        self._data.save()
        for frame in gone:
            for name in filter(None, (frame.image, frame.label)):
                (self.folder / name).unlink(missing_ok=True)

    def put_into(self, stack: LabelStack, recording: str) -> tuple[int, ...]:
        """Put the kept label maps of a recording into a stack, to continue the work.

        Args:
            stack: Label maps to correct.
            recording: Name of the recording.

        Returns:
            Frames that were put in.

        Raises:
            ReadError: A label map cannot be read.
            ValueError: The kept label maps are not of this recording.
        """
        numbers = [number for number in self.numbers(recording) if number < len(stack)]
        for frame in self._of(recording):
            if frame.label is not None and frame.frame in numbers:
                stack.replace(frame.frame, self._data.labels(frame))
        return tuple(numbers)

    def _of(self, recording: str) -> list[LabelledFrame]:
        name = safe_name(recording)
        return [frame for frame in self._data.frames if frame.sequence == name]

    def _put(self, named: LabelledFrame) -> None:
        left = [frame for frame in self._data.frames if not _same(frame, named)]
        order = sorted([*left, named], key=lambda frame: (frame.sequence, frame.frame))
        self._data = replace(self._data, frames=tuple(order))


def _same(frame: LabelledFrame, other: LabelledFrame) -> bool:
    return (frame.sequence, frame.frame) == (other.sequence, other.frame)
