"""A network compared with labels, frame by frame."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from amseg_keras.classes import IGNORE
from amseg_keras.datasets import Dataset, LabelledFrame, open_dataset
from amseg_keras.datasets.dataset import SPLITS
from amseg_keras.datasets.frames import ScaledFrames
from amseg_keras.evaluation.result import BOUNDARY_TOLERANCE_PX, Evaluation, FrameCounts
from amseg_keras.metrics.scores import boundary_matches, confusion_matrix, pore_matches
from amseg_keras.read import ReadError
from amseg_keras.segment import Segmenter, from_pretrained
from amseg_keras.segment.tiling import predict_any_size

Progress = Callable[[int, int], None]
"""Called with the number of frames that are done, and of all."""


def evaluate(
    model: Segmenter | str | os.PathLike[str],
    data: Dataset | str | os.PathLike[str],
    split: str | None = "test",
    *,
    progress: Progress = lambda done, total: None,
    each: Callable[[LabelledFrame, ComparedFrame], None] = lambda frame, compared: None,
) -> Evaluation:
    """Compare what a network finds with labels: the numbers of the paper's table 2, and more.

    Each frame is segmented whole, at its own size, with the grey range of its sequence, as
    `amseg segment` does with a movie. The background of a frame is made of the other frames of its
    sequence that the data set has, labelled or not; a sequence of fewer than 16 frames has none.
    One frame is in memory at a time. Classes are matched by
    their names, so that a data set may have fewer classes than the network, in another order.

    Args:
        model: A segmenter, or what `from_pretrained` takes.
        data: A data set, or its folder.
        split: "train", "validation", "test", or None for all frames with labels.
        progress: Function called after every frame.
        each: Function of every frame and its predicted labels, for further measurements.

    Returns:
        The counts and the scores. Frames that cannot be read are in its `errors`, and count
        nowhere.

    Raises:
        ReadError: The data set cannot be opened, has no such frames with labels, has a class that
            the network does not know, or none of its frames can be read.
        PresetError: The model cannot be found or read.
        ValueError: There is no such split.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from amseg_keras.datasets.dataset import write_frame
        >>> folder = Path(tempfile.mkdtemp())
        >>> grey = np.full((32, 48), 7, np.uint16)
        >>> about = LabelledFrame("", None, "shot", 1, split="test")
        >>> frame = write_frame(folder, grey, np.zeros((32, 48), np.uint8), about)
        >>> Dataset(folder, ("background", "pore"), (frame,)).save()
        >>> result = evaluate("amsegnet-esrf-lite", folder)
        >>> result.confusion.sum(axis=1)
        array([1536,    0,    0,    0,    0])
    """
    segmenter = model if isinstance(model, Segmenter) else from_pretrained(model)
    opened = data if isinstance(data, Dataset) else open_dataset(data)
    segmented = SegmentedFrames(segmenter, opened, split)
    counts, errors = [], []
    for done, frame in enumerate(segmented.frames, 1):
        try:
            compared = segmented.read(frame)
        except ReadError as error:
            errors.append(str(error))
        else:
            counts.append(count_frame(frame, compared, segmenter.class_names))
            each(frame, compared)
        progress(done, len(segmented.frames))
    if not counts:
        raise ReadError(errors[0])
    return Evaluation(segmenter.info, opened, split, tuple(counts), tuple(errors))


@dataclass(frozen=True, eq=False)
class ComparedFrame:
    """A frame, its labels, and what the network found.

    Attributes:
        image: Grey levels as the network sees them, float32 `(height, width)`.
        truth: The network's class ids, uint8 of the same shape; 255 where there is no label.
        found: Class ids, uint8 of the same shape.
    """

    image: np.ndarray
    truth: np.ndarray
    found: np.ndarray


class SegmentedFrames:
    """The labelled frames of a split, read and segmented on request.

    Args:
        segmenter: The network.
        data: The whole data set: the grey range of a sequence is taken from all its frames.
        split: "train", "validation", "test", or None for all frames with labels.

    Attributes:
        frames: Frames in the order of the data set.

    Raises:
        ReadError: There are no such frames, or a class of theirs is not among the network's.
        ValueError: There is no such split.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from amseg_keras.datasets.dataset import write_frame
        >>> folder, grey = Path(tempfile.mkdtemp()), np.full((32, 48), 7, np.uint16)
        >>> about = LabelledFrame("", None, "shot", 1)
        >>> frame = write_frame(folder, grey, np.zeros((32, 48), np.uint8), about)
        >>> data = Dataset(folder, ("background", "pore"), (frame,))
        >>> segmented = SegmentedFrames(from_pretrained("amsegnet-esrf-lite"), data, split=None)
        >>> compared = segmented.read(segmented.frames[0])
        >>> compared.image.dtype, compared.truth.shape, compared.found.shape
        (dtype('float32'), (32, 48), (32, 48))
    """

    def __init__(self, segmenter: Segmenter, data: Dataset, split: str | None) -> None:
        self.frames = _labelled_frames(data, split)
        self._predict = segmenter.model.predict_on_batch
        try:
            # A frame is read once here, so that memory for it would be wasted.
            self._scaled = ScaledFrames(
                data, segmenter.class_names, segmenter.scaling, 0, segmenter.info.channels
            )
        except ValueError as error:
            raise ReadError(str(error)) from error

    def read(self, frame: LabelledFrame) -> ComparedFrame:
        """Read and segment one frame.

        Args:
            frame: Frame out of `frames`.

        Raises:
            ReadError: The frame or its labels cannot be read, or they do not fit each other.
        """
        channels, truth = self._scaled.read(frame)
        probabilities = predict_any_size(self._predict, channels[None])[0]
        found = probabilities.argmax(axis=-1).astype(np.uint8)
        return ComparedFrame(channels[..., 0], truth, found)


def count_frame(
    frame: LabelledFrame, compared: ComparedFrame, class_names: tuple[str, ...]
) -> FrameCounts:
    """Count right and wrong pixels, boundary pixels and pores of one frame.

    Example:
        >>> labels = np.array([[0, 0, 1], [0, 0, 1]], np.uint8)
        >>> compared = ComparedFrame(labels.astype(np.float32), labels, np.ones_like(labels))
        >>> counts = count_frame(LabelledFrame("", "", "shot", 1), compared, ("gas", "pore"))
        >>> counts.confusion, counts.pores
        (array([[0, 4], [0, 2]]), array([1, 1, 1, 0]))
    """
    truth, found = compared.truth, compared.found
    seen = truth != IGNORE
    boundaries = [
        boundary_matches(truth == number, found == number, BOUNDARY_TOLERANCE_PX, seen)
        for number in range(len(class_names))
    ]
    pores = np.zeros(4, np.int64)
    if "pore" in class_names:
        number = class_names.index("pore")
        pores[:] = pore_matches(truth == number, (found == number) & seen)
    return FrameCounts(
        frame,
        confusion_matrix(truth, found, len(class_names)),
        np.array(boundaries, np.int64),
        pores,
    )


def _labelled_frames(data: Dataset, split: str | None) -> tuple[LabelledFrame, ...]:
    if split not in (None, *SPLITS):
        raise ValueError(f"split is {split!r}, it must be one of {', '.join(SPLITS)}, or None")
    if split is not None and not any(frame.split for frame in data.frames):
        raise ReadError(
            f"{data.folder}: is not split, so that it has no {split} frames; take all of them "
            "with --split all (split=None in Python), or split it first with: amseg dataset split"
        )
    asked = data.frames if split is None else data.of_split(split).frames
    labelled = tuple(frame for frame in asked if frame.label is not None)
    if not labelled:
        whose = "" if split is None else f" in its {split} split"
        raise ReadError(f"{data.folder}: has no frames with labels{whose}; label some of them")
    return labelled
