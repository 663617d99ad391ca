"""Explain the labels of a network in one stack, in one output folder.

grad_cam/00000.png      frame with the map of evidence for the class, blue to red, and its outline
grad_cam.tif            maps alone, float32 0 to 1, a page for each explained frame in order;
                        NaN for a frame that could not be read
confidence/00000.png    probability of each pixel's label, and doubtful pixels
frames.csv              confidence of each frame; frames that deserve a look come first
explain.json            input, network, settings; written last
"""

from __future__ import annotations

import json
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
from amseg_keras.explain.confidence import FOREIGN, LIMITS, LOW_MARGIN, inner_part, is_foreign
from amseg_keras.json_values import json_value
from amseg_keras.outputs import (
    LabelStore,
    OutputFiles,
    OutputFolder,
    network_settings,
    stack_identity,
)
from amseg_keras.preprocess import GreyRange, Inputs
from amseg_keras.read import FrameStack, ReadError
from amseg_keras.report.label_files import BIGTIFF_BYTES
from amseg_keras.runs.segment import RunSettings, stack_inputs
from amseg_keras.runs.streams import unreadable_frame
from amseg_keras.segment import Segmenter
from amseg_keras.versions import versions

RECORD = "explain.json"
HEAT, CONFIDENCE = "grad_cam", "confidence"
FILES = ("grad_cam.tif", "frames.csv")

OUTPUTS = OutputFiles(
    "amseg explain",
    RECORD,
    (*FILES, f"{HEAT}/[0-9]*.png", f"{CONFIDENCE}/[0-9]*.png"),
    {"frames.csv": ("frame", "look_at", "unstable_share")},
)

Progress = Callable[[int], None]
"""Function of the number of explained frames, with frames of an earlier run."""


@dataclass(frozen=True)
class ExplainSettings:
    """Settings of an explanation.

    Attributes:
        class_name: Class to explain.
        layer: Name of the layer; by default the last layer that is coarser than the frame.
        frames: Numbers of the frames from 0, rising; None for all.
        device: Device as Keras names it, "cpu:0"; written to the record.
        overwrite: Replace the result of another run.
        background: Frames of the background, as in `RunSettings`.
    """

    class_name: str
    layer: str | None = None
    frames: tuple[int, ...] | None = None
    device: str | None = None
    overwrite: bool = False
    background: str = "auto"


def run_explanation(
    stack: FrameStack,
    segmenter: Segmenter,
    weights_sha256: str,
    folder: Path,
    settings: ExplainSettings,
    progress: Progress = lambda done: None,
) -> dict[str, Any]:
    """Explain frames of a stack and write all files of its folder.

    A killed run continues where it stopped. A complete run is left as it is.

    Args:
        weights_sha256: Digest of its weights, by which an earlier run is recognised.

    Returns:
        The record, as in `explain.json`.

    Raises:
        OutputTakenError: The folder holds another result and `settings.overwrite` is off.
        ReadError: The stack has no such frame, or none of them can be read.
        ValueError: The network has no such class or layer.
    """
    index = class_index(segmenter.class_names, settings.class_name)
    explainer = GradCam.of(segmenter, index, settings.layer)
    chosen = _chosen_frames(stack, settings.frames)
    inputs = stack_inputs(stack, segmenter, RunSettings(background=settings.background))
    grey_range = inputs.grey_range
    identity = stack_identity(
        stack,
        network_settings(segmenter, weights_sha256, grey_range)
        | {"class": settings.class_name, "layer": explainer.layer, "frames": list(chosen)}
        | inputs.settings(),
    )
    with OutputFolder(folder, OUTPUTS, settings.overwrite, keeps_going=True) as out:
        # The store keeps all maps uncompressed, and pictures are about as large.
        out.needed_bytes = 3 * 4 * len(chosen) * stack.shape[1] * stack.shape[2]
        finished = out.begin(identity)
        if finished is not None:
            progress(len(chosen))
            return finished
        pictures = _Pictures(folder, explainer.layer, settings.class_name, grey_range, len(stack))
        work = _Work(inputs, stack, segmenter, explainer, pictures, chosen)
        return _explain_all(out, work, settings, progress)


@dataclass(frozen=True)
class _Work:
    """Frames to explain, with the network and the method."""

    inputs: Inputs
    stack: FrameStack
    segmenter: Segmenter
    explainer: GradCam
    pictures: _Pictures
    chosen: tuple[int, ...]


def _explain_all(
    out: OutputFolder, work: _Work, settings: ExplainSettings, progress: Progress
) -> dict[str, Any]:
    """Explain the missing frames, and write all files of the folder."""
    stack, segmenter, chosen = work.stack, work.segmenter, work.chosen
    started = time.perf_counter()
    store = out.store(stack.shape[1:], np.float32)
    errors: dict[int, str] = {}
    resumed = sum(number in store for number in chosen)
    for done, number in enumerate(chosen, start=1):
        if number not in store:
            try:
                given = work.inputs.make(number)
            except ReadError as error:
                errors[number] = str(error)
            else:
                heat, numbers = _explain(given, number, work)
                store.append(number, heat, numbers)
        progress(done)
    if len(errors) == len(chosen):
        out.leave_nothing()
        raise ReadError(next(iter(errors.values())))

    rows = [store.about(number) for number in chosen if number not in errors]
    table = rank_frames(rows)
    _write_maps(out, store, work, settings.class_name)
    _write_table(out.path, table, stack)
    return out.finish(
        {
            "model": segmenter.info.name,
            "trained_on": segmenter.info.trained_on,
            "scaling": asdict(segmenter.scaling),
            "inputs": work.inputs.record(),
            "notes": [*stack.notes, *work.inputs.notes, *segmenter.unchecked],
            "unreadable_frames": [
                unreadable_frame(stack, key, text) for key, text in errors.items()
            ],
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
    )


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


@dataclass(frozen=True)
class _Pictures:
    """Folder, titles and grey levels of the pictures of a run."""

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


def _explain(scaled: np.ndarray, number: int, work: _Work) -> tuple[np.ndarray, dict[str, Any]]:
    """Explain one frame, draw its pictures, and return its map and its numbers."""
    # matplotlib takes half a second to import, which the other commands need not wait for.
    from amseg_keras.report.experiment.explain_pictures import draw_confidence, draw_grad_cam

    pictures = work.pictures
    grey = scaled[..., 0] / pictures.grey_range.top
    of_class = work.explainer.explain(scaled)
    probabilities = work.explainer.probabilities(of_class)
    segmenter = work.segmenter
    sure = frame_confidence(segmenter.probabilities, scaled, segmenter.temperature, probabilities)
    shares: dict[str, Any] = sure.shares()
    foreign = is_foreign(segmenter, work.inputs, number, probabilities.argmax(axis=-1))
    if foreign is not None:
        shares[FOREIGN] = foreign
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
    return np.asarray(of_class.heat, np.float32), json_value(
        {"frame": number, "found": found, **shares}
    )


def _write_maps(out: OutputFolder, store: LabelStore, work: _Work, class_name: str) -> None:
    """Write `grad_cam.tif`, whose description names the class, the layer and the frames."""
    from matplotlib import colormaps

    chosen, shape = work.chosen, work.stack.shape
    size = 4 * len(chosen) * shape[1] * shape[2]
    unreadable = np.full(shape[1:], np.nan, np.float32)

    def maps() -> Iterator[np.ndarray]:
        for number in chosen:
            yield store.read(number) if number in store else unreadable

    about = {"class": class_name, "layer": work.explainer.layer, "frames": list(chosen)}
    with complete_or_absent(out.path / FILES[0]) as temporary:
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
