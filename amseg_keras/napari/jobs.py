"""Jobs that need Keras: functions that run in the process of `worker`, without a window."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from amseg_keras.classes import IGNORE
from amseg_keras.corrections import Corrections, LabelStack
from amseg_keras.napari.worker import WORKER, Tell
from amseg_keras.pretrained import find_preset
from amseg_keras.pretrained.preset import weights_digest
from amseg_keras.read import FrameStack, StackSource

if TYPE_CHECKING:
    from amseg_keras.segment import Segmenter

AUTO = "auto"
"""The network that measures best; the first engine that is installed."""


@dataclass(frozen=True)
class Asked:
    """Request of the user for a segmentation.

    Attributes:
        source: Files of the frames.
        preset: Name or folder of the network.
        engine: Engine, as `Segmenter.compile_inference` knows it.
        frames: First and last frame; None for all of them.
        folder: Folder of the results of all recordings.
        pixel_size_um: Size of a pixel; None for what the file says.
        frame_rate_hz: Frames per second; None for what the file says.
        overwrite: Replace the result of another run.
    """

    source: StackSource
    preset: str
    engine: str
    frames: tuple[int, int] | None
    folder: Path
    pixel_size_um: float | None = None
    frame_rate_hz: float | None = None
    overwrite: bool = False


@dataclass(frozen=True)
class Preview:
    """Labels of a few frames that are written nowhere.

    Attributes:
        labels: Class ids, uint8 `(frames, height, width)`; 255 in frames that were left out.
        class_names: Name of each class id.
        pixel_size_um: Size of a pixel; None if unknown.
        frame_rate_hz: Frames per second; None if unknown.
    """

    labels: np.ndarray
    class_names: tuple[str, ...]
    pixel_size_um: float | None
    frame_rate_hz: float | None


@dataclass(frozen=True)
class Segmented:
    """Result of a segmentation."""

    found: Path | Preview
    said: tuple[str, ...]


@dataclass(frozen=True)
class Lesson:
    """Corrected frames of one recording, and the network that is to learn them.

    Attributes:
        recording: Name of the recording.
        source: Files of the frames.
        class_names: Name of each class id.
        corrected: Corrected label maps, by the number of their frame.
        shape: Frames, height and width of the recording.
        corrections: Folder of the data set of corrected frames.
        out: New folder of the training.
        preset: Name or folder of the network to begin with.
        pixel_size_um: Size of a pixel; None if unknown.
        replay: Train on simulated frames too, so that the network forgets nothing.
    """

    recording: str
    source: StackSource
    class_names: tuple[str, ...]
    corrected: dict[int, np.ndarray]
    shape: tuple[int, int, int]
    corrections: Path
    out: Path
    preset: str
    pixel_size_um: float | None = None
    replay: bool = True


@dataclass(frozen=True)
class Learned:
    """A tuned network, and how good it is.

    Attributes:
        preset: Folder of the preset.
        lines: Scores before and after, a line for each group of frames.
    """

    preset: Path
    lines: tuple[str, ...]


def run_segment(asked: Asked, tell: Tell) -> Segmented:
    """Segment a recording in the process of the network; see `segment`."""
    done: Segmented = WORKER.run(f"{__name__}:segment", (asked,), tell)
    return done


def run_teach(lesson: Lesson, tell: Tell) -> Learned:
    """Teach a network in the process of the network; see `teach`."""
    learned: Learned = WORKER.run(f"{__name__}:teach", (lesson,), tell)
    return learned


_loaded: dict[tuple[str, str], Segmenter] = {}
"""The network that was used last, by the digest of its weights and its engine."""


def segment(asked: Asked, tell: Tell) -> Segmented:
    """Segment a recording: all frames into a folder of results, or a few as a preview.

    Args:
        asked: Request of the user.
        tell: Function of the number of frames that are done.

    Raises:
        ReadError: The recording cannot be read.
        PresetError: The network cannot be found or read.
        OutputError: The folder holds another result.
    """
    from amseg_keras.runs import RunSettings, run_stack

    tell(0, 0, f"Loading {asked.preset} ...")
    preset = find_preset(asked.preset)
    digest = weights_digest(preset)
    with asked.source.open() as stack:
        segmenter = _ready(preset, digest, asked.engine, stack)
        if asked.frames is not None:
            return _preview(asked, asked.frames, segmenter, stack, tell)
        settings = RunSettings(
            pixel_size_um=asked.pixel_size_um,
            frame_rate_hz=asked.frame_rate_hz,
            overwrite=asked.overwrite,
        )
        folder, total = asked.folder / asked.source.name, len(stack)

        def show(done: float) -> None:
            tell(int(done), total, f"Segmenting: {done:g} of {total} frames")

        record = run_stack(stack, segmenter, digest, folder, settings, show)
    said = [f"{folder}: {', '.join(record['outputs'])}"]
    said += [f"CAUTION: {one['sentence']}" for one in record.get("warnings") or ()]
    said += [*record["notes"], *(one["error"] for one in record["unreadable_frames"])]
    return Segmented(folder, tuple(said))


def teach(lesson: Lesson, tell: Tell) -> Learned:
    """Keep the corrected frames, and fine-tune the network on all frames that are kept.

    Args:
        lesson: Frames to learn from, and the network to begin with.
        tell: Function of the progress.

    Raises:
        ReadError: A frame cannot be read, or the folder holds other classes.
        TrainingError: The training fails.
    """
    from amseg_keras.corrections import TeachProgress
    from amseg_keras.corrections import teach as teach_network

    tell(0, 0, "Keeping the corrected frames ...")
    kept = keep(lesson)

    def told(progress: TeachProgress) -> None:
        left = progress.seconds_left
        rest = "" if left is None else f", about {left:.0f} s left"
        tell(round(100 * progress.share), 100, f"Teaching: {progress.stage}{rest}")

    done = teach_network(
        kept.dataset, lesson.out, lesson.preset, replay=lesson.replay, progress=told
    )
    lines = []
    for group in dict.fromkeys(done.scores["group"]):
        if (mean := done.mean(group)) is not None:
            lines.append(f"{group}: mean IoU {mean[0]:.3f} before, {mean[1]:.3f} after")
    return Learned(done.preset, tuple(lines))


def keep(lesson: Lesson) -> Corrections:
    """Keep the corrected frames in a data set, beside frames of other recordings.

    Raises:
        ReadError: A frame cannot be read, or the folder holds other classes.
        OutputTakenError: The folder holds the result of another command.
    """
    kept = Corrections(lesson.corrections, lesson.class_names, lesson.pixel_size_um)
    labels = LabelStack(np.broadcast_to(np.uint8(IGNORE), lesson.shape), lesson.class_names)
    for number, corrected in lesson.corrected.items():
        labels.replace(number, corrected)
    with lesson.source.open() as stack:
        kept.keep_all(lesson.recording, stack, labels)
    return kept


def _ready(preset: Path, digest: str, engine: str, stack: FrameStack) -> Segmenter:
    from amseg_keras.segment import from_pretrained

    key = (digest, engine)
    if key not in _loaded:
        segmenter = from_pretrained(preset)
        segmenter.compile_inference(engine, stack)
        _loaded.clear()
        _loaded[key] = segmenter
    return _loaded[key]


def _preview(
    asked: Asked, frames: tuple[int, int], segmenter: Segmenter, stack: Any, tell: Tell
) -> Segmented:
    """Label a few frames, with the grey levels and the background of the whole recording."""
    first, last = frames
    inputs = segmenter.inputs(stack, pixel_size_um=asked.pixel_size_um)
    labels = np.full(stack.shape, IGNORE, np.uint8)
    errors = []
    for frame in segmenter.iter_labels(inputs, start=first, batch_size=1):
        if frame.index > last:
            break
        labels[frame.index] = frame.labels
        errors += [frame.error] if frame.error else []
        tell(frame.index - first + 1, last - first + 1, f"Segmenting frame {frame.index}")
    there = range(first, last + 1)
    warnings = segmenter.check(inputs, lambda index: labels[index] if index in there else None)
    said = [f"A preview of frames {first} to {last}; nothing is written."]
    said += [*(f"CAUTION: {one.sentence}" for one in warnings), *segmenter.unchecked]
    preview = Preview(
        labels,
        segmenter.class_names,
        asked.pixel_size_um or stack.pixel_size_um,
        asked.frame_rate_hz or stack.frame_rate_hz,
    )
    return Segmented(preview, (*said, *inputs.notes, *errors))
