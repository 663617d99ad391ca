"""Segment one stack into one output folder.

labels.tif | labels/*.png | labels.h5    label maps, by format
overlay.png | overlay.mp4                frames with their labels over them, and a legend
frames.csv                               area of every class, one row a frame
run.json                                 what was done with what; written last
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from amseg_keras.atomic import complete_or_absent
from amseg_keras.preprocess import GreyRange
from amseg_keras.quantify import class_areas
from amseg_keras.read import FrameStack, ReadError
from amseg_keras.report.label_files import LABEL_WRITERS
from amseg_keras.report.movie import write_overlays
from amseg_keras.report.overlay import overlay, with_legend
from amseg_keras.runs.label_store import FOLDER, LabelStore
from amseg_keras.runs.record import finished_record, identity_of, write_record
from amseg_keras.segment import Segmenter
from amseg_keras.segment.segmenter import default_batch_size
from amseg_keras.versions import versions

RECORD = "run.json"
OUTPUTS = ("labels.tif", "labels", "labels.h5", "overlay.png", "overlay.mp4", "frames.csv", RECORD)

Progress = Callable[[int], None]
"""Called with the number of frames that are segmented, those of an earlier run included."""


@dataclass(frozen=True)
class RunSettings:
    """What the user chose for a run.

    Args:
        label_format: `"tiff"`, `"png"` or `"hdf5"`.
        pixel_size_um: size of a pixel; by default the file's, else the preset's.
        batch_size: frames given to the network at once; by default up to 4.
        device: as Keras names it, `"cpu:0"`, `"gpu:0"`; written to the record.
        overwrite: replace the result of another run.
    """

    label_format: str = "tiff"
    pixel_size_um: float | None = None
    batch_size: int | None = None
    device: str | None = None
    overwrite: bool = False


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
    """
    batch_size = settings.batch_size or default_batch_size(stack.shape[1:])
    grey_range = segmenter.scaling.measure(stack)
    identity = identity_of(stack, segmenter, weights_sha256, grey_range)
    size, size_from = _pixel_size(stack, segmenter, settings)
    choices = {
        "label_format": settings.label_format,
        "pixel_size_um": size,
        "pixel_size_from": size_from,
        "batch_size": batch_size,
    }
    finished = finished_record(folder / RECORD, identity | choices, settings.overwrite)
    if finished is not None:
        shutil.rmtree(folder / FOLDER, ignore_errors=True)
        progress(len(stack))
        return finished
    if (folder / RECORD).exists():
        _remove_outputs(folder)

    started = time.perf_counter()
    store = LabelStore(folder, stack.shape, identity, batch_size)
    resumed_at = store.done
    progress(store.done)
    with store:
        for frame in segmenter.iter_labels(
            stack, grey_range, start=store.done, batch_size=batch_size
        ):
            store.append(frame)
            progress(store.done)
    if len(store.errors) == len(stack):
        store.remove()
        raise ReadError(next(iter(store.errors.values())))
    segmented = time.perf_counter()

    shape, class_names = stack.shape, segmenter.class_names
    outputs = [
        LABEL_WRITERS[settings.label_format](folder, store.labels(), shape, class_names),
        write_overlays(
            folder, _pictures(stack, store, class_names, grey_range), len(stack) - len(store.errors)
        ),
        _write_table(folder, store, stack, class_names, size),
    ]
    written = time.perf_counter()

    record: dict[str, Any] = {
        **identity,
        **choices,
        "model": segmenter.info.name,
        "trained_on": segmenter.info.trained_on,
        "scaling": asdict(segmenter.scaling),
        "shape": list(shape),
        "frame_rate_hz": stack.frame_rate_hz,
        "notes": list(stack.notes),
        "unreadable_frames": [
            {"frame": index, "error": store.errors[index]} for index in sorted(store.errors)
        ],
        "outputs": [*outputs, RECORD],
        "versions": versions(),
        "device": settings.device,
        "times": {
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "frames_from_earlier_run": resumed_at,
            "segment_s": round(segmented - started, 3),
            "write_s": round(written - segmented, 3),
        },
    }
    write_record(folder / RECORD, record)
    store.remove()
    return record


def _remove_outputs(folder: Path) -> None:
    for name in OUTPUTS:
        path = folder / name
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


def _pictures(
    stack: FrameStack, store: LabelStore, class_names: tuple[str, ...], grey_range: GreyRange
) -> Iterator[np.ndarray]:
    for index, labels in enumerate(store.labels()):
        if index not in store.errors:
            yield with_legend(overlay(stack[index], labels, class_names, grey_range), class_names)


def _write_table(
    folder: Path,
    store: LabelStore,
    stack: FrameStack,
    class_names: tuple[str, ...],
    pixel_size_um: float | None,
) -> str:
    table = class_areas(store.labels(), class_names, pixel_size_um)
    if stack.frame_names is not None:
        table.insert(1, "file", [stack.frame_names[index] for index in table["frame"]])
    with complete_or_absent(folder / "frames.csv") as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
    return "frames.csv"
