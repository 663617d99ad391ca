"""Write `applicability.json` of presets: what they know, and what is foreign to them.

    python hub/calibrate_applicability.py hub/amsegnet-esrf-lite hub/amsegnet-dls

Recordings are simulated, of the facilities that a preset was trained on, and labelled by it.
Foreign ones are made of others of them. To be run again whenever the weights change.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from amseg_keras import from_pretrained
from amseg_keras.applicability import measure_signs, write_knowledge
from amseg_keras.applicability.calibrate import make_knowledge
from amseg_keras.applicability.foreign import CHANGES, MEANINGLESS, PROCESSES
from amseg_keras.pretrained.preset import weights_digest
from amseg_keras.segment import Segmenter
from amseg_keras.simulate.facilities import FACILITIES
from amseg_keras.simulate.recording import record
from amseg_keras.simulate.sequence import PIXEL_SIZES_UM, draw_recording

FIRST_SEED = 500_000
"""Seeds from here on: trainings and benchmarks have others."""

NAMED = {"ESRF": "esrf", "APS": "aps", "Diamond": "dls", "casting": "hpdc"}
"""Words of `trained_on` by the facility that they mean."""

FRAMES, FRAMES_WITH_MOTION = 1, 18
"""Frames of a recording: a network that sees what moves needs those around a frame."""


def main() -> None:
    """Read the command line and calibrate each preset."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("presets", nargs="+", type=Path, help="folders of presets")
    parser.add_argument(
        "--familiar", help="facilities, as esrf,aps; by default those that the preset names"
    )
    parser.add_argument(
        "--scales", action="store_true", help="the training drew melt pools at all pixel sizes"
    )
    parser.add_argument("--recordings", type=int, default=720, help="familiar recordings")
    parser.add_argument("--foreign", type=int, default=200, help="foreign recordings of each kind")
    parser.add_argument("--engine", default="auto", help="as of amseg segment")
    options = parser.parse_args()
    for folder in options.presets:
        _calibrate(folder, options)


def _calibrate(folder: Path, options: argparse.Namespace) -> None:
    started = time.perf_counter()
    segmenter = from_pretrained(folder)
    names = options.familiar.split(",") if options.familiar else _familiar(segmenter)
    recordings = _Recordings(segmenter, names, options.scales)
    print(segmenter.compile_inference(options.engine, next(recordings.of(names, 0, 1))))
    familiar = [recordings.signs(one) for one in recordings.of(names, 0, options.recordings)]
    own = {PROCESSES[name] for name in names}
    foreign = {}
    rng = np.random.default_rng(FIRST_SEED)
    for number, (kind, change) in enumerate(CHANGES.items(), 1):
        if any(kind in MEANINGLESS.get(process, ()) for process in own):
            continue
        made = recordings.of(names, 1000 * number, options.foreign)
        foreign[kind] = [recordings.signs(change(one, rng)) for one in made]
    for kind in sorted(set(PROCESSES.values()) - own):
        others = [name for name, process in PROCESSES.items() if process == kind]
        made = recordings.of(others, 50_000, options.foreign)
        foreign[kind] = [recordings.signs(one) for one in made]
    sizes = [FACILITIES[name].pixel_size_um for name in names]
    known = [size for size in sizes if size is not None]
    if options.scales:
        known += PIXEL_SIZES_UM
    about = (
        f"{len(familiar)} simulated recordings of {', '.join(names)}"
        f"{' at all pixel sizes' if options.scales else ''}; {options.foreign} of each foreign kind"
    )
    path = write_knowledge(
        folder,
        make_knowledge(
            familiar,
            foreign,
            weights_digest(folder),
            (min(known), max(known)) if known else None,
            about,
        ),
    )
    seconds = time.perf_counter() - started
    print(f"{path}: {about}; {path.stat().st_size >> 10} KiB, {seconds:.0f} s")


def _familiar(segmenter: Segmenter) -> list[str]:
    """The facilities that a preset was trained on last."""
    info = segmenter.info
    own = [name for name in FACILITIES if info.name.rpartition("-")[2] == name]
    if own and own != ["esrf"]:
        return own
    found = [name for word, name in NAMED.items() if word in info.trained_on]
    if not found:
        sys.exit(f"{info.name}: says of no facility that is simulated; give --familiar")
    return found


class _Recordings:
    """Simulated recordings, and their signs as a network sees them."""

    def __init__(self, segmenter: Segmenter, names: Sequence[str], scales: bool) -> None:
        self.segmenter, self.scales = segmenter, scales
        self.frames = FRAMES_WITH_MOTION if segmenter.channels.has_motion else FRAMES
        self.names = names

    def of(self, names: Sequence[str], first: int, count: int) -> Iterator[np.ndarray]:
        """Render recordings of facilities in turn, `(frames, height, width)` each."""
        for number in range(count):
            name, seed = names[number % len(names)], FIRST_SEED + first + number
            if self.scales and PROCESSES[name] == "lpbf":
                made = draw_recording(seed, self.frames, shares={name: 1.0})
            else:
                made = record(name, self.frames, seed)
            yield np.stack([made.grey(index) for index in range(self.frames)])

    def signs(self, frames: np.ndarray) -> list[dict[str, float]]:
        """Label a recording, and measure its last frame."""
        found = self.segmenter.segment(frames)
        names, levels = found.class_names, found.grey_range
        return [measure_signs(frames[-1], found.labels[-1], names, levels)]


if __name__ == "__main__":
    main()
