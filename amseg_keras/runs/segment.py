"""Segment one stack into one output folder.

labels.tif | labels/*.png | labels.h5 | labels.zarr    label maps, by format
overlay.png | overlay.mp4                              frames with their labels over them, legend
frames.csv                                             area of every class, one row a frame
bounds.npz                                             labels between which the truth lies, a few
                                                       frames: `amseg quantify` reads them
run.json                                               what was done with what; written last

Frames are read ahead and files are written behind, each in a thread of its own, so that a stack
takes about as long as its inference, in the memory of a few batches. The labels of a killed run are
in `.unfinished`; the next run takes them from there and segments the frames that are missing.
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
from amseg_keras.quantify.scale import ASSUMED
from amseg_keras.read import FrameStack, ReadError
from amseg_keras.report.page import is_own_page
from amseg_keras.runs.segment_outputs import BOUNDS, Segmented, SegmentOutputs, write_bounds
from amseg_keras.runs.streams import ReadAhead, unreadable_frame
from amseg_keras.segment import LabelledFrame, Segmenter
from amseg_keras.segment.batch import default_batch_size
from amseg_keras.segment.bounds import LARGEST_BOUNDED, bounded_frames
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
"""Frames of an overlay movie where nobody says: 100 s of it are more than one wants to watch."""

BATCHES_AHEAD = 3
"""Batches that are read before the network asks for them."""

Progress = Callable[[float], None]
"""Called with the number of frames that are segmented, those of an earlier run included; of a large
frame, with the fraction that is done too."""


@dataclass(frozen=True)
class RunSettings:
    """Settings of a run.

    Args:
        label_format: `"tiff"`, `"png"`, `"hdf5"` or `"zarr"`.
        pixel_size_um: size of a pixel; by default the file's, else none: areas are in pixels.
        batch_size: frames given to the network at once; by default up to 4, on a GPU 16.
        device: as Keras names it, `"cpu:0"`, `"gpu:0"`; written to the record.
        overwrite: replace the result of another run.
        drawn: frames of the overlay movie, evenly spread if the stack has more; `None` for all.
        background: frames of the background, for networks with a motion channel, as
            `BackgroundPolicy.parse` reads it.
        scale: factor by which frames are enlarged for the network; `"auto"` gives them the pixel
            size of the training where both are known.
        assume_pixel_size: take the pixel size of the preset's training frames where nobody says
            another; what is computed from it is marked as assumed.
        frame_rate_hz: frames per second of the recording; by default the file's, else none.

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
    """A run that has its folder and knows what it has to do there.

    Attributes:
        out: Folder of its files, claimed.
        settings: Choices of the user.
        facts: What the record says of the network beside the identity.
        about: What the files say beside the labels.
        inputs: What the network is given of the frames.
        batch_size: Frames given to the network at once.
        store: Label maps of an earlier run, and those to come.
        missing: Frames to segment, in whole batches, so that labels are those of an undisturbed
            run.
        segmenter: Network, which also says whether the recording looks like what it knows.
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

    A run that was killed goes on where it stopped; one that is complete is left as it is.

    Args:
        stack: the frames.
        segmenter: the network.
        weights_sha256: of the network's weights, to tell whether an earlier run used the same.
        folder: where to.
        settings: the user's.
        progress: told of every frame.

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

            coming = _segmented(segmenter, frames, begun, lambda part: progress(done + part))
            return complete_run(stack, begun, frames, coming, count)


def begin_run(
    stack: FrameStack,
    segmenter: Segmenter,
    weights_sha256: str,
    out: OutputFolder,
    settings: RunSettings,
) -> BegunRun | dict[str, Any]:
    """Make a claimed folder ready for a run.

    Returns:
        The run; its record instead if it is complete already.

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
    # Labels are kept with one byte a pixel until the files are complete.
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
    missing = tuple(missing_batches(store, len(stack), batch_size))
    return BegunRun(out, settings, facts, about, inputs, batch_size, store, missing, segmenter)


def stack_inputs(stack: FrameStack, segmenter: Segmenter, settings: RunSettings) -> Inputs:
    """Prepare what the network is given of a stack.

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
    coming: Iterator[LabelledFrame],
    progress: Progress,
) -> dict[str, Any]:
    """Write the files of a run, from the frames of its store and those that come.

    Args:
        stack: Frames.
        begun: Run, from `begin_run`.
        frames: Grey levels of the frames that are drawn.
        coming: Labels of the frames of `begun.missing`, in their order; each is kept in the store
            unless it is there by then.
        progress: Function that is told how many frames are done.

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
                found = next(coming)
                labels = found.labels
                if found.error is not None:
                    errors[index] = found.error
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
            # An assumed size is that of the training: it tells nothing of the recording.
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
            "warnings": [one.as_json() for one in warnings],
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


def missing_batches(store: LabelStore, frames: int, batch_size: int) -> list[range]:
    """List the frames that a store lacks, as runs of whole batches.

    Args:
        store: Frames that are done.
        frames: Number of frames of the stack.
        batch_size: Frames given to the network at once; batches begin at its multiples.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> with LabelStore(Path(tempfile.mkdtemp()) / "frames", (1, 1)) as store:
        ...     for index in (0, 1, 2, 5, 8, 9):
        ...         store.append(index, np.zeros((1, 1), np.uint8))
        ...     missing_batches(store, frames=10, batch_size=2)
        [range(2, 8)]
    """
    found: list[range] = []
    for first in range(0, frames, batch_size):
        last = min(first + batch_size, frames)
        if all(index in store for index in range(first, last)):
            continue
        if found and found[-1].stop == first:
            found[-1] = range(found[-1].start, last)
        else:
            found.append(range(first, last))
    return found


def _segmented(
    segmenter: Segmenter, frames: ReadAhead, begun: BegunRun, progress: Progress
) -> Iterator[LabelledFrame]:
    """Segment the missing frames; each is in the store when it is given on."""
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
    """Put a labelled frame into the store of its run.

    Args:
        store: Store of the run.
        frame: Labels of the frame, or why it cannot be read.
    """
    about = None if frame.error is None else {"error": frame.error}
    store.append(frame.index, np.ascontiguousarray(frame.labels), about)


def network_facts(info: PresetInfo, known: Knowledge | None) -> dict[str, Any]:
    """List what a record says of a network beside what its labels depend on."""
    return {
        "model": info.name,
        "trained_on": info.trained_on,
        "trained_pixel_size_um": info.pixel_size_um,
        "scaling": asdict(info.scaling),
        "applicability": UNCALIBRATED if known is None else known.about,
    }


def _remove_report(folder: Path) -> None:
    """Delete the report of the labels that are replaced; a page of somebody else stays."""
    page = folder / "report.html"
    if page.is_file() and is_own_page(page):
        page.unlink()
        shutil.rmtree(folder / "report_figures", ignore_errors=True)
        (folder / "report_movie.mp4").unlink(missing_ok=True)


def known_pixel_size(
    given: float | None, of_file: float | None, assumed: float | None
) -> tuple[float | None, str | None]:
    """Choose the pixel size of a recording, and say where it comes from.

    Args:
        given: Pixel size in um that the user gave.
        of_file: Pixel size that the file states.
        assumed: Pixel size in um to take without another; None to measure in px.

    Example:
        >>> known_pixel_size(None, 2.0, 4.31), known_pixel_size(None, None, 4.31)
        ((2.0, 'file'), (4.31, 'assumed'))
        >>> known_pixel_size(None, None, None)
        (None, None)
    """
    known = {"user": given, "file": of_file, ASSUMED: assumed}
    return next(((size, of) for of, size in known.items() if size is not None), (None, None))


def known_frame_rate(given: float | None, of_file: float | None) -> tuple[float | None, str | None]:
    """Choose the frame rate of a recording, and say where it comes from."""
    return known_pixel_size(given, of_file, None)


def said_of_pixel_size(size: float | None, size_from: str | None) -> tuple[str, ...]:
    """Say what the user should know of the pixel size of a recording; nothing if it is known.

    Args:
        size: Pixel size in um, None if it is not known.
        size_from: Where it comes from, from `known_pixel_size`.

    Example:
        >>> said_of_pixel_size(None, None), said_of_pixel_size(2.0, "user")
        (('the pixel size is not known: all areas are in pixels; give --pixel-size',), ())
    """
    if size is None:
        return ("the pixel size is not known: all areas are in pixels; give --pixel-size",)
    if size_from != ASSUMED:
        return ()
    return (
        f"the pixel size {size:g} um is ASSUMED, as in the preset's training frames: every number "
        "in um is a guess; give --pixel-size",
    )
