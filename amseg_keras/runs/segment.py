"""Segment one stack into one output folder.

labels.tif | labels/*.png | labels.h5 | labels.zarr    label maps, by format
overlay.png | overlay.mp4                              frames with their labels over them, legend
frames.csv                                             area of every class, one row a frame
run.json                                               what was done with what; written last

Frames are read ahead and files are written behind, each in a thread of its own, so that a stack
takes about as long as its inference, in the memory of a few batches. What a killed run has
segmented is in `.unfinished`, from which the next one writes the beginning of its files.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from amseg_keras.preprocess.lazy import spread
from amseg_keras.pretrained import PresetInfo
from amseg_keras.read import FrameStack, ReadError
from amseg_keras.runs.label_store import FOLDER, LabelStore
from amseg_keras.runs.read_ahead import ReadAhead
from amseg_keras.runs.record import finished_record, identity_of, write_record
from amseg_keras.runs.segment_outputs import Segmented, SegmentOutputs
from amseg_keras.runs.unreadable import unreadable_frame
from amseg_keras.segment import LabelledFrame, Segmenter
from amseg_keras.segment.segmenter import default_batch_size
from amseg_keras.versions import versions

RECORD = "run.json"
OUTPUTS = (
    *("labels.tif", "labels", "labels.h5", "labels.zarr"),
    *("overlay.png", "overlay.mp4", "frames.csv", RECORD),
)

MAX_DRAWN = 2000
"""Frames of an overlay movie where nobody says: 100 s of it are more than one wants to watch."""

BATCHES_AHEAD = 3
"""Batches that are read before the network asks for them."""

Progress = Callable[[int], None]
"""Called with the number of frames that are segmented, those of an earlier run included."""


@dataclass(frozen=True)
class RunSettings:
    """What the user chose for a run.

    Args:
        label_format: `"tiff"`, `"png"`, `"hdf5"` or `"zarr"`.
        pixel_size_um: size of a pixel; by default the file's, else the preset's.
        batch_size: frames given to the network at once; by default up to 4, on a GPU 16.
        device: as Keras names it, `"cpu:0"`, `"gpu:0"`; written to the record.
        overwrite: replace the result of another run.
        drawn: frames of the overlay movie, evenly spread if the stack has more; `None` for all.

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


@dataclass(frozen=True)
class BegunRun:
    """A run that has its folder and knows what it has to do there.

    Args:
        folder: of its files.
        settings: the user's.
        identity: which frames it sees with which network.
        choices: what else must be equal for two runs to be the same.
        about: what its files say beside the labels.
        batch_size: frames given to the network at once.
        store: label maps of an earlier run, and those to come.
        engine: what runs the network; float32 engines find the same but for ties.
    """

    folder: Path
    settings: RunSettings
    identity: dict[str, Any]
    choices: dict[str, Any]
    about: Segmented
    batch_size: int
    store: LabelStore
    engine: str


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
        ['labels.tif', 'overlay.mp4', 'frames.csv', 'run.json']
        >>> record["shape"], record["pixel_size_um"], record["unreadable_frames"]
        ([12, 256, 512], 4.31, [])
    """
    begun = begin_run(stack, segmenter, weights_sha256, folder, settings)
    if not isinstance(begun, BegunRun):
        progress(len(stack))
        return begun
    start, size = begun.store.done, begun.batch_size
    wanted = sorted({*begun.about.drawn, *range(start, len(stack))})
    with ReadAhead(stack, wanted, BATCHES_AHEAD * size) as frames:
        labelled = segmenter.iter_labels(
            frames, begun.about.grey_range, start=start, batch_size=size
        )
        return complete_run(stack, segmenter.info, begun, (frames, labelled), progress)


def begin_run(
    stack: FrameStack,
    segmenter: Segmenter,
    weights_sha256: str,
    folder: Path,
    settings: RunSettings,
) -> BegunRun | dict[str, Any]:
    """Make a folder ready for a run; the record instead if the run is complete already.

    Arguments and errors are those of `run_stack`.
    """
    batch_size = settings.batch_size or default_batch_size(stack.shape[1:])
    grey_range = segmenter.scaling.measure(stack)
    identity = identity_of(stack, segmenter, weights_sha256, grey_range)
    size, size_from = _pixel_size(stack, segmenter, settings)
    most = len(stack) if settings.drawn is None else min(settings.drawn, len(stack))
    choices = {
        "label_format": settings.label_format,
        "pixel_size_um": size,
        "pixel_size_from": size_from,
        "batch_size": batch_size,
        "frames_drawn": most,
    }
    finished = finished_record(folder / RECORD, identity | choices, settings.overwrite)
    if finished is not None:
        shutil.rmtree(folder / FOLDER, ignore_errors=True)
        return finished
    if (folder / RECORD).exists():
        remove_outputs(folder)
    _remove_leftovers(folder)
    about = Segmented(
        shape=stack.shape,
        class_names=segmenter.class_names,
        grey_range=grey_range,
        pixel_size_um=size,
        frame_names=stack.frame_names,
        drawn=frozenset(spread(len(stack), most)),
    )
    store = LabelStore(folder, stack.shape, identity, batch_size)
    return BegunRun(
        *(folder, settings, identity, choices, about, batch_size, store), engine=segmenter.engine
    )


def complete_run(
    stack: FrameStack,
    info: PresetInfo,
    begun: BegunRun,
    coming: tuple[ReadAhead, Iterator[LabelledFrame]],
    progress: Progress,
) -> dict[str, Any]:
    """Write the files of a run, those of its frames that were segmented before too.

    Args:
        stack: the frames.
        info: of the network.
        begun: from `begin_run`.
        coming: grey levels of the frames that are drawn, and the labels of every frame from
            `begun.store.done` on.
        progress: told of every frame.

    Returns:
        The record, as in `run.json`.

    Raises:
        ReadError: no frame of the stack can be read.
    """
    frames, labelled = coming
    about, store = begun.about, begun.store
    started = time.perf_counter()
    resumed_at = store.done
    progress(store.done)
    with SegmentOutputs(begun.folder, about, begun.settings.label_format) as outputs:
        for index, labels in enumerate(store.labels()):
            drawn = index in about.drawn and index not in store.errors
            outputs.add(labels, frames.take(index) if drawn else None)
        with store:
            for frame in labelled:
                store.append(frame)
                drawn = frame.index in about.drawn and frame.error is None
                outputs.add(frame.labels, frames.take(frame.index) if drawn else None)
                frames.forget(frame.index)
                progress(store.done)
        if len(store.errors) == len(stack):
            store.remove()
            raise ReadError(next(iter(store.errors.values())))
        segmented = time.perf_counter()
        names = outputs.finish()
    written = time.perf_counter()

    record: dict[str, Any] = {
        **begun.identity,
        **begun.choices,
        "model": info.name,
        "engine": begun.engine,
        "trained_on": info.trained_on,
        "scaling": asdict(info.scaling),
        "shape": list(stack.shape),
        "frame_rate_hz": stack.frame_rate_hz,
        "notes": list(stack.notes),
        "unreadable_frames": [
            unreadable_frame(stack, index, store.errors[index]) for index in sorted(store.errors)
        ],
        "outputs": [*names, RECORD],
        "versions": versions(),
        "device": begun.settings.device,
        "times": {
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "frames_from_earlier_run": resumed_at,
            "segment_s": round(segmented - started, 3),
            "write_s": round(written - segmented, 3),
        },
    }
    write_record(begun.folder / RECORD, record)
    store.remove()
    return record


def remove_outputs(folder: Path) -> None:
    """Delete the files of a run, as far as they are there."""
    for name in OUTPUTS:
        _remove(folder / name)


def _remove_leftovers(folder: Path) -> None:
    """Delete what a killed run had not written to its end; it may be as large as the stack."""
    for name in OUTPUTS:
        path = Path(name)
        for leftover in folder.glob(f".{path.stem}-????????{path.suffix}"):
            _remove(leftover)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _pixel_size(
    stack: FrameStack, segmenter: Segmenter, settings: RunSettings
) -> tuple[float | None, str | None]:
    if settings.pixel_size_um is not None:
        return settings.pixel_size_um, "user"
    if stack.pixel_size_um is not None:
        return stack.pixel_size_um, "file"
    if segmenter.pixel_size_um is not None:
        return segmenter.pixel_size_um, "preset"
    return None, None
