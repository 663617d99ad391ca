"""Segment one stack into one output folder.

labels.tif | labels/*.png | labels.h5 | labels.zarr    label maps, by format
overlay.png | overlay.mp4                              frames under their labels, with a legend
frames.csv                                             area of every class, one row a frame
bounds.npz                                             least and most likely labels of a few
                                                       frames: `amseg quantify` reads them
run.json                                               input, network, settings; written last

Threads read frames ahead and write files behind, so that a stack takes about as long as its
inference, in the memory of a few batches. `.unfinished` keeps the labels of a killed run; the next
run reads them and segments the missing frames.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from amseg_keras.applicability import Knowledge
from amseg_keras.applicability.check import looked_at
from amseg_keras.outputs import (
    LabelStore,
    OutputFiles,
    OutputFolder,
    network_settings,
    stack_identity,
)
from amseg_keras.preprocess import Inputs
from amseg_keras.preprocess.lazy import spread
from amseg_keras.pretrained import PresetInfo
from amseg_keras.quantify.scale import ASSUMED, known_frame_rate, known_pixel_size
from amseg_keras.read import FrameStack, ReadError
from amseg_keras.report.page import is_own_page
from amseg_keras.runs.segment_outputs import BOUNDS, Segmented, SegmentOutputs, write_bounds
from amseg_keras.runs.streams import ReadAhead, unreadable_frame
from amseg_keras.segment import LabelledFrame, Segmenter
from amseg_keras.segment.bounds import LARGEST_BOUNDED, bounded_frames
from amseg_keras.segment.segmentation import default_batch_size
from amseg_keras.versions import versions

RECORD = "run.json"

OUTPUTS = OutputFiles(
    "amseg segment",
    RECORD,
    (
        *("labels.tif", "labels", "labels.h5", "labels.zarr"),
        *("overlay.png", "overlay.mp4", "frames.csv", BOUNDS),
    ),
    {"frames.csv": ("frame", "background_area_px")},
)

TOO_LARGE_FOR_INTERVALS = (
    "measured values will have no intervals: frames of more than 8 megapixels take too much memory "
    "for them"
)

UNCALIBRATED = "not checked: the preset has no applicability.json"
"""Sentence of the record for a preset without statistics of its recordings."""

MAX_DRAWN = 2000
"""Frames of an overlay movie by default: a longer movie than 100 s is hard to watch."""

BATCHES_AHEAD = 3
"""Batches that are read before the network asks for them."""

Progress = Callable[[float], None]
"""Function of the number of segmented frames, with frames of an earlier run; fractions of large
frames count."""


@dataclass(frozen=True)
class RunSettings:
    """Settings of a run.

    Args:
        label_format: `"tiff"`, `"png"`, `"hdf5"` or `"zarr"`.
        pixel_size_um: size of a pixel in um; by default the pixel size that the file states.
            Without one, areas are in pixels.
        batch_size: frames given to the network at once; by default up to 4, on a GPU 16.
        device: device as Keras names it, `"cpu:0"` or `"gpu:0"`; written to the record.
        overwrite: replace the result of another run.
        drawn: frames of the overlay movie, evenly spread over a longer stack; `None` for all.
        background: frames of the background, for networks with a motion channel, as
            `BackgroundPolicy.parse` reads it.
        scale: factor by which frames are enlarged for the network; `"auto"` gives them the pixel
            size of the training frames if both sizes are known.
        assume_pixel_size: without a pixel size, take the pixel size of the training frames and
            mark results in um as assumed.
        frame_rate_hz: frames per second; by default the frame rate that the file states.

    Example:
        >>> RunSettings(label_format="hdf5", pixel_size_um=4.31, drawn=100).label_format
        'hdf5'
    """

    label_format: str = "tiff"
    pixel_size_um: float | None = None
    batch_size: int | None = None
    device: str | None = None
    overwrite: bool = False
    drawn: int | None = MAX_DRAWN
    background: str = "auto"
    scale: float | Literal["auto"] = 1.0
    assume_pixel_size: bool = False
    frame_rate_hz: float | None = None


@dataclass(frozen=True)
class BegunRun:
    """A run with a claimed folder and a list of frames to segment.

    Attributes:
        facts: Entries of the record about the network that are not in its identity.
        about: Facts about the stack for its output files.
        store: Label maps of this run and of the unfinished run before it.
        missing: Frames to segment, in whole batches, so that labels are those of an undisturbed
            run.
    """

    out: OutputFolder
    settings: RunSettings
    facts: dict[str, Any]
    about: Segmented
    inputs: Inputs
    batch_size: int
    store: LabelStore
    missing: tuple[range, ...]
    segmenter: Segmenter


def run_stack(
    stack: FrameStack,
    segmenter: Segmenter,
    weights_sha256: str,
    folder: Path,
    settings: RunSettings,
    progress: Progress = lambda done: None,
) -> dict[str, Any]:
    """Segment a stack and write all files of its folder.

    A killed run continues where it stopped. A complete run is left as it is.

    Args:
        stack: frames.
        segmenter: network.
        weights_sha256: digest of the network's weights, by which an earlier run is recognised.
        folder: output folder.
        settings: settings of the run.
        progress: function of the number of segmented frames.

    Returns:
        The record, as in `run.json`.

    Raises:
        OutputTakenError: the folder holds another run's result and `settings.overwrite` is off.
        ReadError: no frame of the stack can be read.

    Example:
        >>> import tempfile
        >>> from amseg_keras import from_pretrained
        >>> from amseg_keras.pretrained import find_preset
        >>> from amseg_keras.pretrained.preset import weights_digest
        >>> from amseg_keras.read import open_stack
        >>> segmenter = from_pretrained("amsegnet-esrf-lite")
        >>> digest = weights_digest(find_preset("amsegnet-esrf-lite"))
        >>> folder = Path(tempfile.mkdtemp())
        >>> with open_stack("sample:esrf-welding") as stack:
        ...     record = run_stack(stack, segmenter, digest, folder, RunSettings())
        >>> record["outputs"]
        ['labels.tif', 'overlay.mp4', 'frames.csv', 'bounds.npz', 'run.json']
        >>> record["shape"], record["pixel_size_um"], record["unreadable_frames"]
        ([12, 256, 512], 4.31, [])
    """
    with OutputFolder(folder, OUTPUTS, settings.overwrite, keeps_going=True) as out:
        begun = begin_run(stack, segmenter, weights_sha256, out, settings)
        if not isinstance(begun, BegunRun):
            progress(len(stack))
            return begun
        missing = (index for part in begun.missing for index in part)
        wanted = sorted({*begun.about.drawn, *missing})
        begun.inputs.load()
        with ReadAhead(stack, wanted, BATCHES_AHEAD * begun.batch_size) as frames:
            done = 0.0

            def count(frames_done: float) -> None:
                nonlocal done
                done = frames_done
                progress(done)

            new = _segmented(segmenter, frames, begun, lambda part: progress(done + part))
            return complete_run(stack, begun, frames, new, count)


def begin_run(
    stack: FrameStack,
    segmenter: Segmenter,
    weights_sha256: str,
    out: OutputFolder,
    settings: RunSettings,
) -> BegunRun | dict[str, Any]:
    """Prepare a run in a claimed folder.

    Returns:
        The run, or its record if it is complete already.

    Raises:
        OutputTakenError: The folder holds something else and `settings.overwrite` is off.
        ReadError: No frame can be read, or the background or the scale do not fit the stack.
    """
    inputs = stack_inputs(stack, segmenter, settings)
    batch_size = settings.batch_size or default_batch_size(inputs.frame_shape)
    grey_range = inputs.grey_range
    size, size_from = known_pixel_size(
        settings.pixel_size_um,
        stack.pixel_size_um,
        segmenter.pixel_size_um if settings.assume_pixel_size else None,
    )
    rate, rate_from = known_frame_rate(settings.frame_rate_hz, stack.frame_rate_hz)
    most = len(stack) if settings.drawn is None else min(settings.drawn, len(stack))
    identity = stack_identity(
        stack,
        network_settings(segmenter, weights_sha256, grey_range)
        | {"batch_size": batch_size, **inputs.settings()},
        {
            "label_format": settings.label_format,
            "pixel_size_um": size,
            "pixel_size_from": size_from,
            "frame_rate_hz": rate,
            "frames_drawn": most,
        },
    )
    # The store keeps labels with one byte a pixel until the files are complete.
    out.needed_bytes = 2 * len(stack) * stack.shape[1] * stack.shape[2]
    finished = out.begin(identity)
    if finished is not None:
        return finished
    _remove_report(out.path)
    about = Segmented(
        shape=stack.shape,
        class_names=segmenter.class_names,
        grey_range=grey_range,
        pixel_size_um=size,
        pixel_size_assumed=size_from == ASSUMED,
        frame_names=stack.frame_names,
        drawn=frozenset(spread(len(stack), most)),
    )
    facts = {
        "frame_rate_from": rate_from,
        "engine": segmenter.engine,
        **network_facts(segmenter.info, segmenter.known),
    }
    store = out.store(stack.shape[1:])
    missing = store.missing(len(stack), batch_size)
    return BegunRun(out, settings, facts, about, inputs, batch_size, store, missing, segmenter)


def stack_inputs(stack: FrameStack, segmenter: Segmenter, settings: RunSettings) -> Inputs:
    """Prepare the inputs of the network for a stack.

    Raises:
        ReadError: No frame can be read, or the background or the scale do not fit the stack.
    """
    try:
        return segmenter.inputs(
            stack,
            background=settings.background,
            scale=settings.scale,
            pixel_size_um=settings.pixel_size_um,
        )
    except ValueError as error:
        raise ReadError(f"{stack.source}: {error}") from error


def complete_run(
    stack: FrameStack,
    begun: BegunRun,
    frames: ReadAhead,
    new_labels: Iterator[LabelledFrame],
    progress: Progress,
) -> dict[str, Any]:
    """Write the files of a run from its store and from new labels.

    Args:
        begun: Run, from `begin_run`.
        frames: Grey levels of the frames that are drawn.
        new_labels: Labels of the frames of `begun.missing`, in their order; the store keeps them.
        progress: Function of the number of frames that are done.

    Returns:
        The record, as in `run.json`.

    Raises:
        ReadError: No frame of the stack can be read.
    """
    about, store = begun.about, begun.store
    inputs = begun.inputs.reading(frames)
    started = time.perf_counter()
    new = {index for part in begun.missing for index in part}
    resumed = len(stack) - len(new)
    errors = {index: text for index, text in store.errors.items() if index not in new}
    done = resumed
    progress(done)
    kept: dict[int, np.ndarray | None] = dict.fromkeys(looked_at(len(stack)))
    bounded: dict[int, np.ndarray | None] = dict.fromkeys(bounded_frames(len(stack)))
    with SegmentOutputs(begun.out.path, about, begun.settings.label_format) as outputs:
        for index in range(len(stack)):
            if index in new:
                labelled = next(new_labels)
                labels = labelled.labels
                if labelled.error is not None:
                    errors[index] = labelled.error
                done += 1
                progress(done)
            else:
                labels = store.read(index)
            if index in kept:
                kept[index] = labels
            if index in bounded and index not in errors:
                bounded[index] = labels
            drawn = index in about.drawn and index not in errors
            outputs.add(labels, frames.take(index) if drawn else None)
            frames.forget(index)
        if len(errors) == len(stack):
            begun.out.leave_nothing()
            raise ReadError(next(iter(errors.values())))
        segmented = time.perf_counter()
        warnings = begun.segmenter.check(
            begun.inputs.reading(stack),
            kept.get,
            # An assumed pixel size says nothing about the recording.
            None if about.pixel_size_assumed else about.pixel_size_um,
        )
        bounds = begun.segmenter.bounds(begun.inputs.reading(stack), bounded)
        names = outputs.finish()
        if bounds:
            names.append(write_bounds(begun.out.path, bounds))
        large = int(np.prod(inputs.frame_shape)) > LARGEST_BOUNDED
        no_intervals = [TOO_LARGE_FOR_INTERVALS] if large else []
    written = time.perf_counter()
    return begun.out.finish(
        {
            **begun.facts,
            "reading": asdict(stack.made_of.options),
            "inputs": inputs.record(),
            "notes": [*stack.notes, *inputs.notes, *begun.segmenter.unchecked, *no_intervals],
            "warnings": [warning.as_json() for warning in warnings],
            "unreadable_frames": [
                unreadable_frame(stack, index, errors[index]) for index in sorted(errors)
            ],
            "outputs": [*names, RECORD],
            "versions": versions(),
            "device": begun.settings.device,
            "times": {
                "finished": datetime.now(UTC).isoformat(timespec="seconds"),
                "frames_from_earlier_run": resumed,
                "segment_s": round(segmented - started, 3),
                "write_s": round(written - segmented, 3),
            },
        }
    )


def _segmented(
    segmenter: Segmenter, frames: ReadAhead, begun: BegunRun, progress: Progress
) -> Iterator[LabelledFrame]:
    """Segment the missing frames; the store keeps each before it is yielded."""
    for part in begun.missing:
        inputs = begun.inputs.reading(frames.until(part.stop))
        for frame in segmenter.iter_labels(
            inputs,
            start=part.start,
            batch_size=begun.batch_size,
            on_tile=lambda done, tiles: progress(round(done / tiles, 2)) if done < tiles else None,
        ):
            keep(begun.store, frame)
            yield frame


def keep(store: LabelStore, frame: LabelledFrame) -> None:
    """Put a labelled frame into the store of its run."""
    about = None if frame.error is None else {"error": frame.error}
    store.append(frame.index, np.ascontiguousarray(frame.labels), about)


def network_facts(info: PresetInfo, known: Knowledge | None) -> dict[str, Any]:
    """List facts about a network for a record that its labels do not depend on."""
    return {
        "model": info.name,
        "trained_on": info.trained_on,
        "trained_pixel_size_um": info.pixel_size_um,
        "scaling": asdict(info.scaling),
        "applicability": UNCALIBRATED if known is None else known.about,
    }


def _remove_report(folder: Path) -> None:
    """Delete the report on the replaced labels; pages of other programs stay."""
    page = folder / "report.html"
    if page.is_file() and is_own_page(page):
        page.unlink()
        shutil.rmtree(folder / "report_figures", ignore_errors=True)
        (folder / "report_movie.mp4").unlink(missing_ok=True)
