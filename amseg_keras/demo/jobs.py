"""Jobs of a worker: read foreign files, segment, measure, explain, pack, teach.

Arguments and results are values that JSON can hold; arrays lie in the folder of the recording.

    uploads/FILE...            files of the upload
    frames.npy                 every frame as read
    found.npy                  label maps of the network
    confidence.npy             0 to 255, for the threshold on confidence
    shown.npy                  label maps on the page: corrected, with thresholds
    results/NAME/              files of `amseg segment`, `quantify` and `report`
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from amseg_keras.demo.limits import Limits
from amseg_keras.demo.workers import Tell, without_folders
from amseg_keras.json_values import json_value
from amseg_keras.read import FrameStack, ReadError, ReadOptions, StackSource, find_stacks

RESULTS = "results"
"""Folder in the folder of a recording, for the results of the commands."""

_SAMPLED = 16
"""Number of frames on which the range of grey levels is measured."""


def read(folder: str, uploads: str, limits: dict[str, int], tell: Tell) -> list[dict[str, Any]]:
    """Read every frame of the files of an upload.

    Args:
        folder: Folder of the visitor, in which each recording gets a folder of its own.
        uploads: Folder of the files.
        limits: Fields of `Limits`.
        tell: Function that is called after every frame.

    Returns:
        Description of each recording.
    """
    from amseg_keras.demo.limits import recordings_in

    most = Limits(**limits)
    return [
        _read_one(source, Path(folder), Path(uploads), most, tell)
        for source in recordings_in(Path(uploads), most)
    ]


def _read_one(
    source: StackSource, folder: Path, uploads: Path, limits: Limits, tell: Tell
) -> dict[str, Any]:
    from amseg_keras.demo.limits import check_stack
    from amseg_keras.preprocess import GreyScaling

    with source.open() as stack:
        check_stack(stack, limits)
        home = Path(_new_folder(folder))
        frames = np.lib.format.open_memmap(
            home / "frames.npy", "w+", dtype=stack.dtype, shape=stack.shape
        )
        unreadable: dict[int, str] = {}
        for index in range(len(stack)):
            tell("reading", index / len(stack))
            try:
                frames[index] = stack[index]
            except ReadError as error:
                unreadable[index] = without_folders(str(error), [str(uploads)])
        if len(unreadable) == len(stack):
            raise ReadError(next(iter(unreadable.values())))
        good = [index for index in range(len(stack)) if index not in unreadable]
        some = frames[good[:: max(1, len(good) // _SAMPLED)]]
        window = GreyScaling().measure(some)
        notes = [without_folders(note, [str(uploads)]) for note in stack.notes]
        return {
            "home": str(home),
            "uploads": str(uploads),
            "name": stack.name,
            "shape": list(stack.shape),
            "dtype": str(stack.dtype),
            "pixel_size_um": stack.pixel_size_um,
            "frame_rate_hz": stack.frame_rate_hz,
            "notes": notes,
            "unreadable": unreadable,
            "ends": [float(some.min()), float(some.max())],
            "window": [window.low, window.high],
        }


def segment(
    about: dict[str, Any], preset: str, chosen: dict[str, Any], tell: Tell
) -> dict[str, Any]:
    """Segment a recording as `amseg segment` does.

    Args:
        about: Description of the recording, from `read`.
        preset: Folder of the preset.
        chosen: `pixel_size_um`, `frame_rate_hz`, `background` and `scale` of the visitor.
        tell: Function that is called after every frame.

    Returns:
        The record of the run.
    """
    from amseg_keras.runs import RunSettings, run_stack

    segmenter, digest = _network(preset)
    home, total = Path(about["home"]), about["shape"][0]
    folder = home / RESULTS / about["name"]
    shutil.rmtree(home / RESULTS, ignore_errors=True)
    settings = RunSettings(
        pixel_size_um=chosen["pixel_size_um"],
        frame_rate_hz=chosen["frame_rate_hz"],
        background=chosen["background"],
        scale=chosen["scale"],
    )
    tell("segmenting", 0.0)
    with _open(about) as stack:
        record = run_stack(
            stack,
            segmenter,
            digest,
            folder,
            settings,
            lambda done: tell(f"segmenting, {done} of {total} frames", done / total),
        )
    with (
        _new_array(home / "found.npy", about["shape"]) as found,
        StackSource("labels", "labels.tif", (folder / "labels.tif",)).open() as labels,
    ):
        for index in range(total):
            found[index] = labels[index]
    told: dict[str, Any] = json.loads(without_folders(json.dumps(json_value(record)), about))
    return told


def confidence(
    about: dict[str, Any], preset: str, chosen: dict[str, Any], tell: Tell
) -> dict[str, Any]:
    """Compute the confidence of every pixel; arguments as in `segment`."""
    segmenter, _ = _network(preset)
    total = about["shape"][0]
    path = Path(about["home"]) / "confidence.npy"
    with _open(about) as stack, _new_array(path, about["shape"]) as made:
        inputs = segmenter.inputs(
            stack,
            background=chosen["background"],
            scale=chosen["scale"],
            pixel_size_um=chosen["pixel_size_um"],
        )
        for frame in segmenter.iter_labels(inputs, confidence=True):
            tell("looking how sure the network is", (frame.index + 1) / total)
            if frame.confidence is not None:
                made[frame.index] = np.rint(255 * frame.confidence).astype(np.uint8)
    return {}


def measure(about: dict[str, Any], chosen: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Measure the label maps that are shown, as `amseg quantify` does, and draw them over time.

    Args:
        about: As in `segment`.
        chosen: `pixel_size_um`, `frame_rate_hz` and `smallest_pore_um`.
        tell: Function that is called at the beginning.

    Returns:
        Pieces of the page: plots, pores, histogram; the cards of every frame.
    """
    from amseg_keras.demo import pictures
    from amseg_keras.quantify.quantities import SMALLEST_PORE_UM
    from amseg_keras.report.label_files import write_tiff
    from amseg_keras.runs.labelled_experiment import find_experiments
    from amseg_keras.runs.quantify import FOLDER, QuantifySettings, quantify_experiment

    folder = Path(about["home"]) / RESULTS / about["name"]
    shown = np.load(Path(about["home"]) / "shown.npy", mmap_mode="r")
    run = json.loads((folder / "run.json").read_text("utf-8"))
    tell("measuring", 0.1)
    write_tiff(folder, (np.array(one) for one in shown), shown.shape, run["class_names"])
    experiments, errors = find_experiments([str(folder)])
    if errors:
        raise ReadError(errors[0])
    settings = QuantifySettings(
        pixel_size_um=chosen["pixel_size_um"],
        frame_rate_hz=chosen["frame_rate_hz"],
        smallest_pore_um=chosen["smallest_pore_um"] or SMALLEST_PORE_UM,
        overwrite=True,
    )
    found = quantify_experiment(experiments[0], folder / FOLDER, settings)
    tell("drawing", 0.8)
    frames = len(shown)
    return {
        "plots": pictures.time_plots(found, run["class_names"], frames),
        "pores": pictures.pores(found, frames, f"{about['name']}/{FOLDER}"),
        "histogram": pictures.histogram(found),
        "cards": [pictures.cards(found, index) for index in range(frames)],
        "direction": found.scan_direction,
    }


def explain(
    about: dict[str, Any], preset: str, background: str, frame: int, class_name: str, tell: Tell
) -> dict[str, str]:
    """Draw the evidence for a class in a frame, and the confidence of each pixel."""
    from amseg_keras.runs.explain import CONFIDENCE, HEAT, ExplainSettings, run_explanation

    segmenter, digest = _network(preset)
    number = segmenter.class_names.index(class_name)
    out = Path(about["home"]) / "explained" / f"{digest[:8]}-{number}-{frame}"
    tell("explaining", 0.1)
    settings = ExplainSettings(class_name, frames=(frame,), background=background)
    with _open(about) as stack:
        run_explanation(stack, segmenter, digest, out, settings)
    heat, sure = (next((out / kind).glob("*.png")) for kind in (HEAT, CONFIDENCE))
    return {"heat": str(heat), "sure": str(sure)}


def pack(about: dict[str, Any], wanted: str, corrections: str | None, tell: Tell) -> str:
    """Make a file of `exports.EXPORTS` for download, and return its path."""
    from amseg_keras.demo.exports import make

    return str(make(about, wanted, None if corrections is None else Path(corrections), tell))


def teach(folder: str, corrections: str, preset: str, epochs: int, tell: Tell) -> dict[str, Any]:
    """Fine-tune a preset on corrected frames; see `amseg_keras.corrections.teach`."""
    from dataclasses import replace

    from amseg_keras.corrections.teaching import TEACHING, TeachProgress
    from amseg_keras.corrections.teaching import teach as teach_network
    from amseg_keras.datasets import open_dataset

    def told(done: TeachProgress) -> None:
        left = "" if done.seconds_left is None else f", about {done.seconds_left:.0f} s left"
        tell(f"{done.stage}{left}", done.share)

    recipe = replace(TEACHING, epochs=epochs)
    out = Path(_new_folder(Path(folder)))
    data = open_dataset(Path(corrections))
    taught = teach_network(data, out, preset, recipe=recipe, progress=told)
    scores = json.loads(taught.scores.to_json(orient="records"))
    return {"preset": str(taught.preset), "scores": scores, "seconds": taught.seconds}


@contextmanager
def _new_array(path: Path, shape: Sequence[int]) -> Iterator[np.ndarray]:
    """Write an array to a file that replaces an older one when it is complete.

    The server may still read the older file, which must not shrink.
    """
    new = path.with_name(f"new-{path.name}")
    made = np.lib.format.open_memmap(new, "w+", dtype=np.uint8, shape=tuple(shape))
    yield made
    made.flush()
    os.replace(new, path)


def _new_folder(folder: Path) -> str:
    import tempfile

    return tempfile.mkdtemp(prefix="rec-", dir=folder)


@lru_cache(maxsize=2)
def _network(preset: str) -> tuple[Any, str]:
    from amseg_keras import from_pretrained
    from amseg_keras.pretrained.preset import weights_digest

    return from_pretrained(preset), weights_digest(Path(preset))


def _open(about: dict[str, Any]) -> FrameStack:
    """Open the files of a recording again; `read` has read them once."""
    folder = Path(about["uploads"])
    stacks, errors = find_stacks(sorted(folder.iterdir()), ReadOptions(join=True))
    for source in stacks:
        if source.name == about["name"]:
            return source.open()
    raise errors[0] if errors else ReadError(f"{about['name']}: is there no more; send it again")


JOBS: dict[str, Callable[..., Any]] = {
    "read": read,
    "segment": segment,
    "confidence": confidence,
    "measure": measure,
    "explain": explain,
    "pack": pack,
    "teach": teach,
}
"""Jobs by their names for the server."""
