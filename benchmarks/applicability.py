"""Whether foreign recordings are warned of, and familiar ones are not.

    python benchmarks/applicability.py hub/amsegnet-movie hub/amsegnet-esrf-lite --real DATA \\
        --record benchmarks/recorded/applicability.json

Twelve kinds of foreign input, ten of each, and familiar recordings: simulated ones with seeds that
neither training nor calibration has, and the real ones of DATA (absent ones are left out). Each is
judged as a stack of 16 frames, and its last frame alone. With --real, the changes are made to the
real recordings, too. The limits come from the calibration alone. It has seen the real recordings;
its last lines say how trees that have not seen a recording judge it. The signs were settled with
results on such recordings in view: what other recordings give may be a little worse.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from recorded import keep_record, record_option
from scipy import ndimage

from amseg_keras import from_pretrained
from amseg_keras.applicability import ApplicabilityWarning
from amseg_keras.applicability.foreign import PROCESSES
from amseg_keras.read import ReadError, open_stack
from amseg_keras.segment import Segmenter
from amseg_keras.simulate.recording import record

FIRST_SEED = 800_000
EACH = 10
FRAMES = 16
"""Frames of a stack: as many as give a network with a motion channel a background."""

MOST_FRAMES = 60
"""Frames of a real recording that are used."""

OBJECTS = (
    *("camera", "coins", "moon", "page", "clock", "brick", "grass", "gravel", "cell"),
    *("checkerboard", "astronaut", "coffee", "text"),
)
"""Pictures of scikit-image that are no radiographs."""

REAL = {
    "lpbf": (
        *(("esrf_lpbf.jpg", 1), ("esrf_welding.jpg", 1), ("aps_ti64_frames", 1)),
        *(("wall_movie/frames.tif", 1), ("figures/simonds_raw.png", 1)),
        *((f"figures/pyeon_{name}.png", 1) for name in "ac"),
        *((f"figures/zhang_{number}.png", 3) for number in (1, 3, 5, 7)),
    ),
    "ded": (("dls_ded.jpg", 1),),
    "casting": (),
}
"""Real recordings of a process, and the factor by which they are to be enlarged."""

ELSEWHERE = {"lpbf": ("dls", "hpdc"), "ded": ("esrf", "aps", "hpdc"), "casting": ("esrf", "aps")}
"""Facilities that a preset for a process does not know."""


def main() -> None:
    """Read the command line, judge all recordings, print and record the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("presets", nargs="+")
    parser.add_argument("--familiar", default="esrf,aps", help="facilities that the presets know")
    parser.add_argument("--real", type=Path, help="folder of real recordings")
    parser.add_argument("--good", type=int, default=30, help="familiar recordings of a facility")
    parser.add_argument("--engine", default="openvino", help="as of amseg segment")
    record_option(parser)
    options = parser.parse_args()
    results = {}
    for preset in options.presets:
        segmenter = from_pretrained(preset)
        results[segmenter.info.name] = _judge(segmenter, options)
    keep_record(options.record, {"presets": results})


def _judge(segmenter: Segmenter, options: argparse.Namespace) -> dict[str, Any]:
    names = options.familiar.split(",")
    print(segmenter.info.name, segmenter.compile_inference(options.engine))
    table: dict[str, Any] = {}
    for kind, warned_wanted, recordings in _all(names, options):
        started = time.perf_counter()
        for way in ("stack", "single frame"):
            warned, said = 0, []
            for name, frames, scale in recordings:
                given = frames if way == "stack" else frames[-1:]
                found = _warnings(segmenter, given, scale)
                warned += bool(found)
                if bool(found) != warned_wanted:
                    said.append(f"{name}: {found[0].sentence if found else 'nothing'}")
            count = len(recordings)
            if not count:
                continue
            table[f"{kind}, {way}"] = {"recordings": count, "warned": warned, "wrong": said}
            seconds = time.perf_counter() - started
            print(f"{kind:22} {way:12} {warned:3} of {count:3} warned ({seconds:.0f} s)",
                  *said, sep="\n    ", flush=True)  # fmt: skip
    foreign = [one for kind, one in table.items() if not kind.startswith("familiar")]
    good = [one for kind, one in table.items() if kind.startswith("familiar")]
    shares = {
        name: sum(one["warned"] for one in many) / sum(one["recordings"] for one in many)
        for name, many in (("foreign", foreign), ("familiar", good))
    }
    print(f"warned: {shares['foreign']:.1%} of foreign, {shares['familiar']:.1%} of familiar ones")
    return {"warned": shares, "kinds": table}


def _warnings(
    segmenter: Segmenter, frames: np.ndarray, scale: float
) -> tuple[ApplicabilityWarning, ...]:
    """Judge a recording as `segment` does; only the frames that are looked at are labelled."""
    inputs = segmenter.inputs(frames, scale=scale)

    def labels_of(index: int) -> np.ndarray:
        return next(segmenter.iter_labels(inputs, start=index, batch_size=1)).labels

    return segmenter.check(inputs, labels_of)


Recording = tuple[str, np.ndarray, float]
"""Name, frames, and the scale at which they are segmented."""


def _all(
    names: list[str], options: argparse.Namespace
) -> Iterator[tuple[str, bool, list[Recording]]]:
    process = PROCESSES[names[0]]
    for name in names:
        yield f"familiar, {name}", False, list(_simulated([name], 0, options.good))
    if options.real is not None:
        yield "familiar, real", False, list(_real(process, options.real))
    rng = np.random.default_rng(2)
    yield "noise", True, [(f"noise {n}", _noise(rng, n), 1.0) for n in range(EACH)]
    yield (
        "flat",
        True,
        [(f"flat {n}", _flat(n), 1.0) for n in range(EACH)],
    )
    base = list(_simulated(names, 1000, EACH))
    for kind, change in _CHANGES.items():
        if process == "casting" and kind in ("inverted", "upside down", "rotated"):
            continue
        yield kind, True, [(one[0], change(one[1], n), 1.0) for n, one in enumerate(base)]
        if options.real is not None:
            real = [
                one for one in _real(process, options.real) if kind != "wrong scale" or one[2] == 1
            ]
            made = [
                (name, change(frames, n), scale) for n, (name, frames, scale) in enumerate(real)
            ]
            yield f"{kind}, real", True, made
    others = ELSEWHERE[process]
    yield "other process", True, list(_simulated(others[:1], 20_000, EACH))
    yield "wrong preset", True, list(_simulated(others[1:], 30_000, EACH))
    yield "other object", True, list(_objects())


def _flat(number: int) -> np.ndarray:
    return np.full((FRAMES, 256, 512), 25 * number, np.uint8)


def _simulated(names: list[str] | tuple[str, ...], first: int, count: int) -> Iterator[Recording]:
    for number in range(count):
        name = names[number % len(names)]
        made = record(name, FRAMES, FIRST_SEED + first + number)
        yield f"{name} {number}", np.stack([made.grey(index) for index in range(FRAMES)]), 1.0


def _real(process: str, folder: Path) -> Iterator[Recording]:
    for name, factor in REAL[process]:
        try:
            with open_stack(folder / name) as stack:
                step = -(-len(stack) // MOST_FRAMES)
                frames = np.stack([stack[index] for index in range(0, len(stack), step)])
        except ReadError as error:
            print(error)
            continue
        yield name, frames, factor


def _noise(rng: np.random.Generator, number: int) -> np.ndarray:
    return rng.normal(2000, 40 * (number + 1), (FRAMES, 256, 512)).clip(0, 65535).astype(np.uint16)


def _objects() -> Iterator[Recording]:
    from skimage import data

    for name in OBJECTS:
        try:
            picture = getattr(data, name)()
        except Exception as error:  # some are downloaded
            print(f"{name}: {error}")
            continue
        grey = picture if picture.ndim == 2 else picture[..., :3].mean(axis=-1)
        yield name, grey[None].astype(np.uint8), 1.0


def _scaled(frames: np.ndarray, number: int) -> np.ndarray:
    factor = (0.35, 0.4, 2.5, 3.0)[number % 4]
    if factor > 1:
        frames = frames[:, : frames.shape[1] // 2, : frames.shape[2] // 2]
    return ndimage.zoom(frames, (1, factor, factor), order=1)


def _saturated(frames: np.ndarray, number: int) -> np.ndarray:
    top = np.percentile(frames, (20, 30, 40)[number % 3])
    return np.minimum(frames, top).astype(frames.dtype)


def _blurred(frames: np.ndarray, number: int) -> np.ndarray:
    sigma = 3 + number % 3
    return ndimage.gaussian_filter(frames.astype(float), (0, sigma, sigma)).astype(frames.dtype)


def _without_beam(frames: np.ndarray, number: int) -> np.ndarray:
    rng = np.random.default_rng(number)
    return rng.poisson(20 + 10 * number, frames.shape).astype(np.uint16)


_CHANGES = {
    "inverted": lambda frames, number: frames.max() - frames,
    "upside down": lambda frames, number: frames[:, ::-1],
    "rotated": lambda frames, number: np.rot90(frames, 1 + 2 * (number % 2), (1, 2)),
    "blurred": _blurred,
    "wrong scale": _scaled,
    "beam off": _without_beam,
    "saturated": _saturated,
}


if __name__ == "__main__":
    main()
