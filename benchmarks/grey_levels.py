"""Do versions of one recording give a network the same input?

    python benchmarks/grey_levels.py
    python benchmarks/grey_levels.py --labels amsegnet-movie --labels amsegnet-esrf-lite \\
        --record benchmarks/recorded/grey_levels.json

Recordings are simulated without noise of the camera's depth, and each is written as beamlines and
papers have it: raw counts, corrected by the flat field, clipped, in 8, 12 and 16 bits, divided by
its background. The table says how far the input of a version is from that of the corrected one, for
each stretch, and how much of the input separates pores and keyhole from the specimen around them.
`thick` specimens absorb three times as much, so that the gas is far brighter.

With `--labels`: the share of the pixels that a preset gives the same class in a version as in the
corrected recording.
"""

from __future__ import annotations

import argparse
from collections import defaultdict

import numpy as np
from recorded import keep_record, record_option
from scipy.ndimage import binary_dilation

from amseg_keras import from_pretrained
from amseg_keras.classes import CLASS_NAMES
from amseg_keras.preprocess import BackgroundPolicy, GreyScaling, motion
from amseg_keras.simulate import record

METHODS = ("percentile", "specimen")
FRAMES = 24
SHAPE = (160, 320)
DARK = 90.0
FULL = 3200.0


def recording(facility: str, seed: int, thick: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Transmission with noise, labels, and the beam of a recording."""
    made = record(facility, FRAMES, seed, shape=SHAPE)
    rendered = [made.shot.render(made.first + number) for number in range(FRAMES)]
    seen = np.stack([one[0] for one in rendered]).astype(float)
    labels = np.stack([one[1] for one in rendered])
    seen = np.clip(seen, 0.02, None) ** (3 if thick else 1)
    rng = np.random.default_rng(seed)
    seen += rng.normal(0, 0.006, seen.shape) * np.sqrt(seen)
    rows, columns = np.mgrid[-1 : 1 : SHAPE[0] * 1j, -1 : 1 : SHAPE[1] * 1j]
    beam = np.exp(-((rows - 0.2) ** 2) / 2.5 - (columns + 0.1) ** 2 / 4)
    return seen, labels, beam


def versions(seen: np.ndarray, beam: np.ndarray) -> dict[str, np.ndarray]:
    """The recording as others would have it."""
    counts = seen * beam * FULL + DARK
    corrected = (counts - DARK) / (beam * FULL)
    low, high = np.percentile(corrected, [0.1, 99.9])
    unit = np.clip((corrected - low) / (high - low), 0, 1)
    backgrounds = BackgroundPolicy("recording").of_stack(corrected)
    behind = [backgrounds.of(number) for number in range(FRAMES)]
    specimen = np.median(corrected[:, SHAPE[0] // 2 :])
    return {
        "corrected": corrected.astype(np.float32),
        "16 bit": np.rint(unit * 65535).astype(np.uint16),
        "12 bit": np.rint(unit * 4095).astype(np.uint16),
        "8 bit": np.rint(unit * 255).astype(np.uint8),
        "clipped at 1.5 specimen": np.minimum(corrected, 1.5 * specimen).astype(np.float32),
        "clipped by 1 %": np.clip(corrected, *np.percentile(corrected, [1, 99])),
        "raw": np.rint(counts).astype(np.uint16),
        "divided": (corrected / np.stack(behind)).astype(np.float32),
    }


def contrast(scaled: np.ndarray, labels: np.ndarray) -> float:
    """Mean difference between pores and keyhole and the specimen around them."""
    found = []
    for frame, of_frame in zip(scaled, labels, strict=True):
        inside = np.isin(of_frame, [CLASS_NAMES.index("keyhole"), CLASS_NAMES.index("pore")])
        around = binary_dilation(inside, iterations=4) & (
            of_frame == CLASS_NAMES.index("substrate")
        )
        if inside.any() and around.any():
            found.append(abs(frame[inside].mean() - frame[around].mean()))
    return float(np.mean(found)) if found else float("nan")


def motion_of(stack: np.ndarray) -> np.ndarray:
    """Motion channel of every frame, 0 to 1."""
    backgrounds = BackgroundPolicy("recording").of_stack(stack)
    return np.stack(
        [0.5 + 0.5 * motion(frame, backgrounds.of(at)) for at, frame in enumerate(stack)]
    )


def agreement(preset: str, recordings: int) -> dict[str, dict[str, float]]:
    """Share of pixels with the class that the corrected recording gets, by specimen and version."""
    segmenter = from_pretrained(preset)
    shares: dict[str, dict[str, list[float]]] = {"thin": {}, "thick": {}}
    for facility in ("esrf", "aps"):
        for kind, of_version in shares.items():
            for seed in range(recordings):
                seen, _, beam = recording(facility, seed, kind == "thick")
                found = {
                    name: segmenter.segment(stack).labels
                    for name, stack in versions(seen, beam).items()
                }
                for name, labels in found.items():
                    same = float((labels == found["corrected"]).mean())
                    of_version.setdefault(name, []).append(same)
    return {
        kind: {name: round(float(np.mean(one)), 4) for name, one in of_version.items()}
        for kind, of_version in shares.items()
    }


def main() -> None:
    """Simulate, measure and print the table."""
    parser = argparse.ArgumentParser(description="Compare grey levels of versions of recordings.")
    parser.add_argument("--recordings", type=int, default=6, help="of each facility and thickness")
    parser.add_argument("--labels", action="append", default=[], help="a preset to ask for labels")
    record_option(parser)
    options = parser.parse_args()
    if options.labels:
        found = {preset: agreement(preset, options.recordings) for preset in options.labels}
        for preset, shares in found.items():
            print(preset, shares)
        keep_record(options.record, {"agreement": found, "recordings": 4 * options.recordings})
        return
    compare(options.recordings)


def compare(recordings: int) -> None:
    """Compare the input of all versions, and print the table."""
    rows: dict[tuple[str, str, str], list[tuple[float, float]]] = defaultdict(list)
    for facility in ("esrf", "aps"):
        for thick in (False, True):
            for seed in range(recordings):
                seen, labels, beam = recording(facility, seed, thick)
                stacks = versions(seen, beam)
                for method in (*METHODS, "motion"):
                    made = {}
                    for name, stack in stacks.items():
                        if method == "motion":
                            made[name] = motion_of(stack)
                        else:
                            levels = GreyScaling(method).measure(stack)
                            made[name] = np.stack([levels.apply(frame) for frame in stack])
                    for name, scaled in made.items():
                        far = float(np.abs(scaled - made["corrected"]).mean())
                        kind = "thick" if thick else "thin"
                        rows[kind, method, name].append((far, contrast(scaled, labels)))
    print("| specimen | input | version | mean difference | contrast |\n|---|---|---|---|---|")
    for (kind, method, name), found in rows.items():
        far, seen_by = np.nanmean(np.array(found), axis=0)
        print(f"| {kind} | {method} | {name} | {far:.4f} | {seen_by:.3f} |")


if __name__ == "__main__":
    main()
