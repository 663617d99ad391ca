"""Explain what a network finds in one stack, into one output folder.

grad_cam/00000.png      the frame, from blue to red what speaks for the class, the class's outline
grad_cam.tif            the maps alone, float32 0 to 1, a page for each explained frame in order;
                        NaN where a frame could not be read
confidence/00000.png    probability of each pixel's label, and the pixels that are in doubt
frames.csv              how sure the network is of each frame; those most worth a look first
explain.json            what was done with what; written last
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tifffile

from amseg_keras.atomic import complete_or_absent
from amseg_keras.explain import GradCam, class_index, frame_confidence, rank_frames
from amseg_keras.explain.confidence import LIMITS, LOW_MARGIN, inner_part
from amseg_keras.preprocess import GreyRange
from amseg_keras.read import FrameStack, ReadError
from amseg_keras.report.label_files import BIGTIFF_BYTES
from amseg_keras.runs.record import (
    OutputTakenError,
    finished_record,
    identity_of,
    write_record,
)
from amseg_keras.runs.unreadable import unreadable_frame
from amseg_keras.segment import Segmenter
from amseg_keras.versions import versions

RECORD = "explain.json"
HEAT, CONFIDENCE = "grad_cam", "confidence"
FILES = ("grad_cam.tif", "frames.csv")

Progress = Callable[[int], None]
"""Called with the number of frames that are explained, those of an earlier run included."""


@dataclass(frozen=True)
class ExplainSettings:
    """What the user chose.

    Attributes:
        class_name: The class to explain.
        layer: Name of the layer; by default the last that is coarser than the frame.
        frames: Which frames, from 0, rising; None for all.
        device: As Keras names it, "cpu:0"; written to the record.
        overwrite: Replace the result of another run.
    """

    class_name: str
    layer: str | None = None
    frames: tuple[int, ...] | None = None
    device: str | None = None
    overwrite: bool = False


def run_explanation(
    stack: FrameStack,
    segmenter: Segmenter,
    weights_sha256: str,
    folder: Path,
    settings: ExplainSettings,
    progress: Progress = lambda done: None,
) -> dict[str, Any]:
    """Explain frames of a stack and write all files of its folder.

    A run that was killed goes on where it stopped; one that is complete is left as it is.

    Args:
        stack: The frames.
        segmenter: The network.
        weights_sha256: Of the network's weights, to tell whether an earlier run used the same.
        folder: Where to.
        settings: The user's.
        progress: Told of every frame.

    Returns:
        The record, as in `explain.json`.

    Raises:
        OutputTakenError: The folder holds another result and `settings.overwrite` is off.
        ReadError: The stack has no such frame, or none of them can be read.
        ValueError: The network has no such class or layer.
    """
    index = class_index(segmenter.class_names, settings.class_name)
    explainer = GradCam(segmenter.model, index, settings.layer)
    chosen = _chosen_frames(stack, settings.frames)
    grey_range = segmenter.scaling.measure(stack)
    identity = identity_of(stack, segmenter, weights_sha256, grey_range) | {
        "class": settings.class_name,
        "layer": explainer.layer,
        "frames": list(chosen),
    }
    finished = finished_record(folder / RECORD, identity, settings.overwrite)
    if finished is not None:
        progress(len(chosen))
        return finished

    started = time.perf_counter()
    store = _begin(folder, identity, settings.overwrite)
    pictures = _Pictures(folder, explainer.layer, settings.class_name, grey_range, len(stack))
    errors: dict[int, str] = {}
    resumed = sum(store.holds(number) for number in chosen)
    for done, number in enumerate(chosen, start=1):
        if not store.holds(number):
            try:
                frame = stack[number]
            except ReadError as error:
                errors[number] = str(error)
            else:
                store.keep(number, _explain(frame, number, explainer, segmenter, pictures))
        progress(done)
    if len(errors) == len(chosen):
        store.remove()
        raise ReadError(next(iter(errors.values())))

    rows = [store.row(number) for number in chosen if number not in errors]
    table = rank_frames(rows)
    _write_maps(folder, store, stack.shape, identity)
    _write_table(folder, table, stack)
    record: dict[str, Any] = {
        **identity,
        "model": segmenter.info.name,
        "trained_on": segmenter.info.trained_on,
        "scaling": asdict(segmenter.scaling),
        "shape": list(stack.shape),
        "notes": list(stack.notes),
        "unreadable_frames": [unreadable_frame(stack, key, text) for key, text in errors.items()],
        "frames_without_class": [int(row["frame"]) for row in rows if not row["found"]],
        "look_at": table["frame"][table["look_at"]].tolist(),
        "limits": LIMITS,
        "outputs": [HEAT, FILES[0], CONFIDENCE, FILES[1], RECORD],
        "versions": versions(),
        "device": settings.device,
        "times": {
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "frames_from_earlier_run": resumed,
            "explain_s": round(time.perf_counter() - started, 3),
        },
    }
    write_record(folder / RECORD, record)
    store.remove()
    return record


def _chosen_frames(stack: FrameStack, wanted: tuple[int, ...] | None) -> tuple[int, ...]:
    if wanted is None:
        return tuple(range(len(stack)))
    missing = [number for number in wanted if not 0 <= number < len(stack)]
    if missing:
        raise ReadError(
            f"{stack.source}: there is no frame {missing[0]} among {len(stack)}; they are counted "
            "from 0"
        )
    return wanted


class _Store:
    """Maps and numbers of a run that goes on, a file for each frame, whole or not there."""

    FOLDER = ".explain-unfinished"

    def __init__(self, folder: Path) -> None:
        self.folder = folder / self.FOLDER
        self.identity_file = self.folder / "identity.json"

    def is_of(self, identity: dict[str, Any]) -> bool:
        """Whether it was begun by a run that did the same."""
        return self.identity_file.is_file() and self.identity_file.read_text("utf-8") == json.dumps(
            identity
        )

    def begin(self, identity: dict[str, Any]) -> None:
        self.remove()
        self.folder.mkdir(parents=True)
        with complete_or_absent(self.identity_file) as temporary:
            temporary.write_text(json.dumps(identity), "utf-8")

    def holds(self, number: int) -> bool:
        return self._path(number).is_file()

    def keep(self, number: int, values: dict[str, Any]) -> None:
        """Keep a frame's map and numbers; they survive a kill of the program from here on."""
        with complete_or_absent(self._path(number)) as temporary:
            np.savez(temporary, **values)

    def heat(self, number: int) -> np.ndarray:
        with np.load(self._path(number)) as values:
            return values["heat"]

    def row(self, number: int) -> dict[str, float]:
        with np.load(self._path(number)) as values:
            return {name: values[name].item() for name in values.files if name != "heat"}

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number}.npz"


def _begin(folder: Path, identity: dict[str, Any], overwrite: bool) -> _Store:
    """A store to go on with, or a new one in a folder without the files of another run."""
    store = _Store(folder)
    ours = store.folder.is_dir() or (folder / RECORD).exists()
    if store.is_of(identity) and not (folder / RECORD).exists():
        return store
    if not ours and not overwrite:
        for name in (*FILES, HEAT, CONFIDENCE):
            if (folder / name).exists():
                raise OutputTakenError(
                    f"{folder}: holds a {name} of which no {RECORD} tells; give another -o, or "
                    "--overwrite to replace it"
                )
    # From here on the folder is unfinished: without a record nothing in it is taken for one.
    for name in (RECORD, *FILES):
        (folder / name).unlink(missing_ok=True)
    for name in (HEAT, CONFIDENCE):
        for picture in (folder / name).glob("[0-9]*.png"):
            picture.unlink()
    store.begin(identity)
    return store


@dataclass(frozen=True)
class _Pictures:
    """Where the pictures of a run go, and what they say."""

    folder: Path
    layer: str
    class_name: str
    grey_range: GreyRange
    frames: int

    def path(self, kind: str, number: int) -> Path:
        digits = max(5, len(str(self.frames - 1)))
        path = self.folder / kind / f"{number:0{digits}}.png"
        path.parent.mkdir(exist_ok=True)
        return path


def _explain(
    frame: np.ndarray, number: int, explainer: GradCam, segmenter: Segmenter, pictures: _Pictures
) -> dict[str, Any]:
    """Explain one frame and draw its pictures; its map and its numbers."""
    # matplotlib takes half a second to import, which the other commands need not wait for.
    from amseg_keras.report.experiment.explain_pictures import draw_confidence, draw_grad_cam

    scaled = pictures.grey_range.apply(frame)
    grey = scaled / pictures.grey_range.top
    of_class = explainer.explain(scaled)
    sure = frame_confidence(segmenter.model.predict_on_batch, scaled)
    shares = sure.shares()
    name = pictures.class_name
    over = "" if of_class.found.any() else "; nowhere found, so of all pixels"
    title = f"Frame {number}: what speaks for {name} (Grad-CAM in layer {pictures.layer}{over})"
    path = pictures.path(HEAT, number)
    draw_grad_cam(grey, of_class.heat, of_class.found, name, title, path)
    inner = inner_part(grey.shape)
    counted = np.zeros(grey.shape, bool)
    counted[inner] = True
    title = (
        f"Frame {number}: {shares['low_margin_share']:.2%} of the pixels between two classes, "
        f"{shares['unstable_share']:.2%} not stable"
    )
    path = pictures.path(CONFIDENCE, number)
    low_margin = (sure.margin < LOW_MARGIN) & counted
    draw_confidence(grey, sure.confidence, low_margin, sure.unstable & counted, title, path)
    found = bool(of_class.found.any())
    return {"heat": of_class.heat, "frame": number, "found": found, **shares}


def _write_maps(
    folder: Path, store: _Store, shape: tuple[int, int, int], identity: dict[str, Any]
) -> None:
    """`grad_cam.tif`, with the class, the layer and the frames in its description."""
    from matplotlib import colormaps

    chosen = identity["frames"]
    size = 4 * len(chosen) * shape[1] * shape[2]
    unreadable = np.full(shape[1:], np.nan, np.float32)

    def maps() -> Iterator[np.ndarray]:
        for number in chosen:
            yield store.heat(number) if store.holds(number) else unreadable

    about = {name: identity[name] for name in ("class", "layer", "frames")}
    with complete_or_absent(folder / FILES[0]) as temporary:
        tifffile.imwrite(
            temporary,
            maps(),
            shape=(len(chosen), *shape[1:]),
            dtype=np.float32,
            compression="zlib",
            imagej=size < BIGTIFF_BYTES,
            bigtiff=size >= BIGTIFF_BYTES,
            metadata={
                "axes": "TYX",
                "LUTs": [colormaps["jet"](np.arange(256), bytes=True)[:, :3].T],
                "min": 0.0,
                "max": 1.0,
                "Info": json.dumps(about),
            },
        )


def _write_table(folder: Path, table: pd.DataFrame, stack: FrameStack) -> None:
    if stack.frame_names is not None:
        table.insert(1, "file", [stack.frame_names[number] for number in table["frame"]])
    with complete_or_absent(folder / FILES[1]) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
