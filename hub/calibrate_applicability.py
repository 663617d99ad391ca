"""Write `applicability.json` of presets: what they know, what is foreign, and how sure they are.

    python hub/calibrate_applicability.py hub/amsegnet-movie --scales --real DATA
    python hub/calibrate_applicability.py hub/amsegnet-esrf-lite --real DATA

Recordings are simulated, of the facilities that a preset was trained on, and labelled by it. Real
recordings of DATA join them. Foreign ones are made of both, and others are simulated. The simulated
truth gives the temperature of the confidence, with a table in the model card, and the reach of the
90 % intervals. The last lines say how a calibration without a real recording judges that recording.
To be run again whenever the weights change; a run takes some minutes of one core.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from real_recordings import RealRecording, real_recordings

from amseg_keras import from_pretrained
from amseg_keras.applicability import (
    fit_temperature,
    measure_signs,
    read_knowledge,
    write_knowledge,
)
from amseg_keras.applicability.calibrate import (
    FALSE_ALARMS,
    FAMILIAR,
    Samples,
    interval_factor,
    make_knowledge,
)
from amseg_keras.applicability.check import signs_of
from amseg_keras.applicability.foreign import CHANGES, MEANINGLESS, PROCESSES, reduced
from amseg_keras.applicability.signs import change, of_scaled
from amseg_keras.classes import CLASS_NAMES, IGNORE, MELT_POOL
from amseg_keras.preprocess import Inputs
from amseg_keras.preprocess.inputs import labels_of_shape
from amseg_keras.pretrained.preset import weights_digest
from amseg_keras.quantify import measure
from amseg_keras.quantify.intervals import BOUNDED, HIGH, LOW
from amseg_keras.segment import Segmenter
from amseg_keras.segment.bounds import find_bounds
from amseg_keras.simulate.facilities import FACILITIES
from amseg_keras.simulate.recording import record
from amseg_keras.simulate.sequence import OWN_SCALE, PIXEL_SIZES_UM, scaled

FIRST_SEED = 500_000
"""Seeds from here on: trainings and benchmarks have others."""

NAMED = {"ESRF": "esrf", "APS": "aps", "Diamond": "dls", "casting": "hpdc"}
"""Words of `trained_on` by the facility that they mean."""

LENGTH = 60
"""Frames of a simulated recording, which are rendered only where they are used."""

SHAPES = ((256, 512), (192, 384), (160, 320), (128, 400), (240, 240), (96, 256))
"""Height and width of frames: a few, since engines are made ready for each."""

WHOLE = 0.15
"""Share of recordings of the size that frames of their facility have."""

BEHIND = 8
"""Frames of which the background of a frame is made."""

NEAR = 4
"""Frames this near to the frame are not in its background."""

PIXELS = 400
"""Pixels of a frame in which confidence is compared with the truth."""

LATEST = 60
"""Frames whose pixels fit the temperature at which intervals are found."""

BOUNDED_ONE_IN = 3
"""Recordings of which one is measured with intervals: its frame goes through the network again."""

LEAST_ERRORS = 20
"""Measured values that a factor on intervals is made of at least."""

HEADING = "## How sure it is"

OF_MOTION = ("unsteady",)
"""Foreign kinds that a network notices only if it sees what moves."""

OF_SCALE = ("larger", "smaller")
"""Foreign kinds that are made of recordings at the pixel size of their facility."""

OF_FRAMES = ("noise", "other_object")
"""Foreign kinds that are not made of the grey levels of a recording: its scale says nothing."""

RESAMPLED = (1.5, 2.0, 3.0)
"""Factors by which some recordings are reduced, to be enlarged again for the network."""

RESAMPLED_ONE_IN = 6
"""Recordings of which one is reduced."""

REAL_FOREIGN = 4
"""Recordings of each foreign kind that are made of a real one."""

Signs = list[dict[str, float]]


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
    parser.add_argument("--recordings", type=int, default=560, help="familiar recordings")
    parser.add_argument("--foreign", type=int, default=160, help="foreign recordings of each kind")
    parser.add_argument("--engine", default="openvino", help="as of amseg segment")
    parser.add_argument("--real", type=Path, help="folder of real recordings")
    parser.add_argument(
        "--false-alarms",
        type=float,
        default=FALSE_ALARMS,
        help="share of the simulated familiar recordings that may be called foreign",
    )
    parser.add_argument("--signs", type=Path, help="keep the measured signs in this JSON file")
    options = parser.parse_args()
    for folder in options.presets:
        _calibrate(folder, options)


def _calibrate(folder: Path, options: argparse.Namespace) -> None:
    started = time.perf_counter()
    segmenter = from_pretrained(folder)
    names = options.familiar.split(",") if options.familiar else _familiar(segmenter)
    print(segmenter.compile_inference(options.engine))
    measured = Measured(segmenter)
    measured.all(names, options)
    sizes = [FACILITIES[name].pixel_size_um for name in names]
    known = [size for size in sizes if size is not None]
    if options.scales:
        known += PIXEL_SIZES_UM
    about = (
        f"{options.recordings} simulated recordings of {', '.join(names)}"
        f"{' at all pixel sizes' if options.scales else ''}; {options.foreign} of each foreign kind"
    )
    if options.signs is not None:
        kept = {name: getattr(measured, name) for name in ("familiar", "foreign", "real")}
        options.signs.write_text(json.dumps(kept), "utf-8")
    path = write_knowledge(
        folder,
        make_knowledge(
            Samples.of(measured.familiar, measured.foreign, measured.real),
            weights_digest(folder),
            (min(known), max(known)) if known else None,
            about,
            np.concatenate(measured.probabilities),
            np.concatenate(measured.truth),
            measured.factors(),
            print,
            options.false_alarms,
        ),
    )
    _write_card(folder)
    seconds = time.perf_counter() - started
    print(
        f"{path}: {about}; {path.stat().st_size >> 10} KiB, {seconds:.0f} s, "
        f"{time.process_time():.0f} s of CPU"
    )


class Measured:
    """Measurements of simulated recordings, which are rendered once for everything.

    Args:
        segmenter: The network.

    Attributes:
        familiar: Signs of familiar recordings.
        foreign: Signs of foreign recordings by kind; most are made of the familiar ones.
        real: Signs of recordings that are made of each real one, by their kind.
        probabilities: Probabilities of the classes in some pixels of each familiar recording.
        truth: True classes of these pixels.
        errors: For each quantity the errors of measured values and the reach of their intervals.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter = segmenter
        self.familiar: list[Signs] = []
        self.foreign: dict[str, list[Signs]] = {}
        self.real: dict[str, dict[str, list[Signs]]] = {}
        self.probabilities: list[np.ndarray] = []
        self.truth: list[np.ndarray] = []
        self.errors: dict[str, list[tuple[float, float]]] = {}

    def all(self, names: Sequence[str], options: argparse.Namespace) -> None:
        """Simulate and measure everything."""
        rng = np.random.default_rng(FIRST_SEED)
        own = {PROCESSES[name] for name in names}
        has_motion = self.segmenter.channels.has_motion
        melts = MELT_POOL in self.segmenter.class_names
        kinds = [
            kind
            for kind in CHANGES
            if not any(kind in MEANINGLESS.get(process, ()) for process in own)
            and (has_motion or kind not in OF_MOTION)
        ]
        self.foreign = {kind: [] for kind in kinds}
        for number in range(options.recordings):
            of = names[number % len(names)]
            drawn = _draw(of, FIRST_SEED + number, options.scales, has_motion, melts)
            factor = 1.0
            if number % RESAMPLED_ONE_IN == RESAMPLED_ONE_IN - 1:
                factor = float(rng.choice(RESAMPLED))
                drawn = replace(drawn, frames=reduced(drawn.frames, factor), at_own=False)
                for moves in (False, True)[: 1 + has_motion]:
                    seen = _seen(self.segmenter, drawn.frames, moves, factor)
                    self.familiar.append([seen.signs])
            for moves in (False, True)[: 1 + has_motion] if factor == 1 else ():
                seen = _seen(self.segmenter, drawn.frames, moves)
                self.familiar.append([seen.signs])
                self._certainty(seen, drawn, rng)
                if number % BOUNDED_ONE_IN == 0:
                    self._intervals(seen, drawn)
            # Each kind is made of recordings spread over all, and of any recording two or so.
            for place, kind in enumerate(kinds):
                there = self.foreign[kind]
                due = (number + 1) * options.foreign // options.recordings
                if len(there) >= due and (number + place) % 7:
                    continue
                if factor > 1 and kind in OF_FRAMES:
                    continue
                if len(there) >= options.foreign or (kind in OF_SCALE and not drawn.at_own):
                    continue
                moves = has_motion and (kind in OF_MOTION or bool(len(there) % 2))
                changed = CHANGES[kind](drawn.frames if moves else drawn.frames[-1:], rng)
                there.append([_seen(self.segmenter, changed, moves, factor).signs])
        for process in sorted(set(PROCESSES.values()) - own):
            others = [name for name, its in PROCESSES.items() if its == process]
            self.foreign[process] = []
            for number in range(options.foreign):
                name = others[number % len(others)]
                seed = FIRST_SEED + 50_000 + number
                frames = _draw(name, seed, False, has_motion).frames
                seen = _seen(self.segmenter, frames, has_motion and bool(number % 2))
                self.foreign[process].append([seen.signs])
        if options.real is not None:
            for recording in real_recordings(options.real):
                print(recording.name, flush=True)
                self.real[recording.name] = self._of_real(recording, own, kinds, rng)

    def _of_real(
        self,
        recording: RealRecording,
        own: set[str],
        kinds: Sequence[str],
        rng: np.random.Generator,
    ) -> dict[str, list[Signs]]:
        """Measure a real recording, and foreign ones that are made of it."""
        factor = recording.factor
        if recording.process not in own:
            return {
                recording.process: [self._judged(one, factor) for one in recording.variants(rng)]
            }
        found = {FAMILIAR: [self._judged(one, factor) for one in recording.variants(rng)]}
        for kind in kinds:
            if factor != 1 and kind in (*OF_SCALE, *OF_FRAMES):
                continue
            if len(recording.frames) == 1 and kind in OF_MOTION:
                continue
            found[kind] = [
                self._judged(CHANGES[kind](one, rng), factor)
                for one in recording.variants(rng, REAL_FOREIGN)
            ]
        return found

    def _judged(self, frames: np.ndarray, factor: float) -> Signs:
        """Signs of a recording as `amseg segment` measures them."""
        inputs = self.segmenter.inputs(frames, scale=factor)

        def labels_of(index: int) -> np.ndarray:
            return next(self.segmenter.iter_labels(inputs, start=index, batch_size=1)).labels

        background_of = None if inputs.backgrounds is None else inputs.backgrounds.of
        names, levels = self.segmenter.class_names, inputs.grey_range
        return list(signs_of(frames, labels_of, names, levels, factor, background_of).values())

    def factors(self) -> dict[str, float]:
        """Factor on the interval of each quantity that was measured often enough.

        It is at least 1: real frames differ more from the training than simulated ones do. A frame
        without a surface has no depth, and does not count.
        """
        known = {
            name: np.array([pair for pair in pairs if np.isfinite(pair).all()])
            for name, pairs in self.errors.items()
        }
        return {
            name: max(interval_factor(*pairs.T), 1.0)
            for name, pairs in known.items()
            if len(pairs) >= LEAST_ERRORS
        }

    def _certainty(self, seen: _Seen, drawn: _Drawn, rng: np.random.Generator) -> None:
        """Keep some pixels whose class is known."""
        chosen = rng.choice(drawn.truth.size, min(PIXELS, drawn.truth.size), replace=False)
        truth = _own_ids(self.segmenter)[drawn.truth.ravel()[chosen]]
        known = (truth != IGNORE) & ~drawn.liquid.ravel()[chosen]
        flat = seen.probabilities.reshape(-1, seen.probabilities.shape[-1])
        self.probabilities.append(flat[chosen][known])
        self.truth.append(truth[known])

    def _intervals(self, seen: _Seen, drawn: _Drawn) -> None:
        """Keep how far measured values are from the true ones, and how far intervals reach."""
        names = self.segmenter.class_names
        labels = seen.probabilities.argmax(axis=-1).astype(np.uint8)
        last = len(seen.inputs.frames) - 1
        temperature = self._temperature()
        bounds = find_bounds(
            seen.inputs, self.segmenter.probabilities, names, temperature, {last: labels}
        )
        if last not in bounds:
            return
        found = measure(labels[None], names, bounds={0: bounds[last]}).frames
        known = (*CLASS_NAMES, MELT_POOL) if MELT_POOL in names else CLASS_NAMES
        true = measure(drawn.truth[None], known).frames
        if found.empty or true.empty:
            return
        for column in (name for name in BOUNDED if name in found):
            value, truth = float(found[column].iloc[0]), float(true[column].iloc[0])
            # A keyhole that is missed is an error of detection, which no interval can tell.
            if not (value > 0 and truth > 0 and np.isfinite(value + truth)):
                continue
            end = HIGH if truth > value else LOW
            reach = abs(float(found[end + column].iloc[0]) - value)
            name = column.removesuffix("_px")
            self.errors.setdefault(name, []).append((abs(truth - value), max(reach, 1e-3)))

    def _temperature(self) -> float:
        """Temperature that fits the pixels so far; most of them come before most intervals."""
        return fit_temperature(
            np.concatenate(self.probabilities[-LATEST:]), np.concatenate(self.truth[-LATEST:])
        )


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


@dataclass(frozen=True)
class _Drawn:
    """Rendered frames of a recording, those behind the last one first.

    Attributes:
        frames: uint8 or uint16 `(frames, height, width)`.
        truth: Class ids of the last frame, as of `CLASS_NAMES`, and the melt pool where the preset
            has it.
        liquid: Where it is liquid, and the truth does not say whether it can be seen.
        at_own: Whether the recording has the pixel size of its facility.
    """

    frames: np.ndarray
    truth: np.ndarray
    liquid: np.ndarray
    at_own: bool


def _draw(name: str, seed: int, scales: bool, has_motion: bool, melts: bool = False) -> _Drawn:
    """Render the frames behind a frame, and the frame itself as the last one."""
    rng = np.random.default_rng((seed, 2))
    place, at_own = FACILITIES[name], True
    if scales and PROCESSES[name] == "lpbf" and rng.random() >= OWN_SCALE:
        place, at_own = scaled(place, float(rng.choice(PIXEL_SIZES_UM))), False
    shape = SHAPES[int(rng.integers(len(SHAPES)))]
    made = record(place, LENGTH, seed, shape=place.shape if rng.random() < WHOLE else shape)
    target = int(rng.integers(LENGTH))
    far = [at for at in range(LENGTH) if abs(at - target) > NEAR]
    behind = [far[at] for at in np.linspace(0, len(far) - 1, BEHIND).astype(int)]
    earlier = [made.grey(at) for at in behind] if has_motion else []
    frame, truth = made[target]
    liquid = made.liquid(target)
    if melts:
        truth, liquid = made.labels(target, motion=has_motion, melt_pool=True), None
    return _Drawn(
        np.stack([*earlier, frame]),
        truth,
        np.zeros(truth.shape, bool) if liquid is None else liquid.astype(bool),
        at_own,
    )


@dataclass(frozen=True)
class _Seen:
    """The last frame of a recording as the network sees it."""

    inputs: Inputs
    probabilities: np.ndarray
    signs: dict[str, float]


def _seen(segmenter: Segmenter, frames: np.ndarray, moves: bool, factor: float = 1.0) -> _Seen:
    """Label the last frame of a recording, and measure it.

    Args:
        segmenter: The network.
        frames: The frames behind it, and the frame.
        moves: Whether the others are its background; else the frame stands alone.
        factor: Factor by which frames are enlarged for the network.
    """
    used = frames if moves else frames[-1:]
    last = len(used) - 1
    levels = segmenter.scaling.measure(used[:: -max(last // 2, 1)])
    background = f"previous:{last},0" if moves else "none"
    inputs = segmenter.inputs(used, levels, background=background, scale=factor)
    behind = inputs.backgrounds.of(last) if moves and inputs.backgrounds is not None else None
    probabilities = segmenter.probabilities(inputs.make(last)[None])[0]
    labels = labels_of_shape(probabilities.argmax(axis=-1).astype(np.uint8), used.shape[1:])
    moved = change(used[-1], behind)
    signs = measure_signs(used[-1], labels, segmenter.class_names, levels, moved)
    signs = of_scaled(signs, factor)
    return _Seen(inputs, probabilities, signs)


def _own_ids(segmenter: Segmenter) -> np.ndarray:
    """The network's id of each simulated class id; 255 for classes that it does not have."""
    ids = np.full(256, IGNORE, np.int64)
    for number, name in enumerate((*CLASS_NAMES, MELT_POOL)):
        if name in segmenter.class_names:
            ids[number] = segmenter.class_names.index(name)
    return ids


def _write_card(folder: Path) -> None:
    """Put what was found into the model card, in place of what an earlier calibration found."""
    known = read_knowledge(folder)
    assert known is not None
    lines = [
        HEADING,
        "",
        f"Made by `hub/calibrate_applicability.py` on {known.about}.",
        f"Scores are divided by a temperature of {known.temperature:.2f} before they are called a",
        "confidence. On simulated recordings that the temperature was not fitted to:",
        "",
        "| mean confidence | right labels | share of the pixels |",
        "|---|---|---|",
        *(
            f"| {sure:.1%} | {right:.1%} | {share:.2%} |"
            for sure, right, share in known.reliability
        ),
        "",
        "Factor on the 90 % intervals, so that they cover the truth in 90 % of simulated frames: "
        + ", ".join(f"{name} {factor:.2f}" for name, factor in known.interval_factors.items())
        + ".",
        "",
        "",
    ]
    card = folder / "README.md"
    text = card.read_text("utf-8")
    start = text.find(HEADING)
    if start >= 0:
        end = text.find("\n## ", start + 1)
        text = text[:start] + (text[end + 1 :] if end >= 0 else "")
    place = text.find("## Limits")
    place = len(text) if place < 0 else place
    card.write_text(text[:place] + "\n".join(lines) + text[place:], "utf-8")


if __name__ == "__main__":
    main()
