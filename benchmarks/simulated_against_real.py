"""How alike simulated and real frames are, in numbers and figures.

    python benchmarks/simulated_against_real.py --real ../shared/data -o FOLDER

For each real recording, the same numbers are measured in it, in simulated recordings of its own
conditions (reference) and in those that networks are trained on (domain-randomised). Writes
`comparison.md`, `comparison.json`, `frames.png` and `curves.png`. Exit status 1 where the median of
the reference misses the real value by more than the tolerance.
"""

import argparse
import json
import math
import sys
from pathlib import Path

from similarity.figures import Compared, draw_curves, draw_frames
from similarity.kinds import KINDS, Kind, Target
from similarity.measures import Measured, quantile
from similarity.recordings import LabelledStack, simulated

from amseg_keras.simulate import FACILITIES, REFERENCES, Facility

REFERENCE_SEED, RANDOMISED_SEED = 1000, 2000
"""First seeds; the others follow. The figure shows these first ones, whatever they look like."""


def compare(kind: Kind, real: Path, seeds: tuple[int, int]) -> Compared:
    """Measure one kind.

    Args:
        kind: What to read, simulate and measure.
        real: Folder of the real files.
        seeds: How many simulated recordings of the reference and of the randomised ranges.
    """
    recording = kind.real(real)
    reference, shown = simulate(kind, REFERENCES[kind.name], REFERENCE_SEED, seeds[0])
    randomised, wild = simulate(kind, FACILITIES[kind.facility], RANDOMISED_SEED, seeds[1])
    pictures = (recording, shown, wild)
    return Compared(kind, pictures, kind.measured(recording), reference, randomised)


def simulate(
    kind: Kind, facility: Facility, first: int, count: int
) -> tuple[list[Measured], LabelledStack]:
    """What was measured with each seed, and the recording of the first."""
    shown = simulated(facility, kind.process, kind.frames, first)
    measured = [kind.measured(shown)]
    for seed in range(first + 1, first + count):
        measured.append(kind.measured(simulated(facility, kind.process, kind.frames, seed)))
    return measured, shown


def row_of(target: Target, one: Compared) -> dict[str, object]:
    """One number, simulated and real."""
    reference = [found.numbers[target.name] for found in one.reference]
    randomised = [found.numbers[target.name] for found in one.randomised]
    real = one.real.numbers[target.name]
    low, median, high = (known(reference, percent) for percent in (16, 50, 84))
    lowest, middle, highest = (known(randomised, percent) for percent in (5, 50, 95))
    return {
        "name": target.name,
        "unit": target.unit,
        "real": real,
        "published": target.published,
        "reference": {"median": median, "16 %": low, "84 %": high},
        "recordings_with_it": sum(not math.isnan(value) for value in reference),
        "tolerance": target.tolerance,
        # What no simulated frame shows is a miss.
        "within": median is not None and abs(median - real) <= target.tolerance,
        "randomised": {"5 %": lowest, "50 %": middle, "95 %": highest},
        "real_in_randomised": (
            lowest is not None and highest is not None and lowest <= real <= highest
        ),
    }


def as_table(rows: list[dict], recordings: int) -> list[str]:
    """Lines of a Markdown table."""
    lines = [
        "| | real | published | reference, median (16 to 84 %) | tolerance | within "
        "| randomised, 5 / 50 / 95 % | real in it |",
        "|---|---:|---:|---:|---:|---|---:|---|",
    ]
    for row in rows:
        unit = f" ({row['unit']})" if row["unit"] else ""
        found, wide = row["reference"], row["randomised"]
        few = row["recordings_with_it"]
        count = "" if few == recordings else f", in {few} of {recordings}"
        lines.append(
            f"| {row['name']}{unit} | {number(row['real'])} | {row['published']} "
            f"| {number(found['median'])} ({number(found['16 %'])} to {number(found['84 %'])})"
            f"{count} | {row['tolerance']:g} | {'yes' if row['within'] else '**MISS**'} "
            f"| {' / '.join(number(value) for value in wide.values())} "
            f"| {'yes' if row['real_in_randomised'] else '**no**'} |"
        )
    return lines


def number(value: float | None) -> str:
    """Three digits or so."""
    if value is None:
        return "none"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) >= 1 else f"{value:.2f}"


def known(values: list, percent: float) -> float | None:
    """A percentile of what is not NaN; None, which JSON knows, where all is."""
    found = float(quantile(values, percent))
    return None if math.isnan(found) else found


def summed_up(document: dict[str, list[dict]]) -> tuple[list[str], int]:
    """Lines that say what was missed, and how much of it there is."""
    every = [(kind, row) for kind, rows in document.items() for row in rows]
    missed = [f"{kind}: {row['name']}" for kind, row in every if not row["within"]]
    outside = [f"{kind}: {row['name']}" for kind, row in every if not row["real_in_randomised"]]
    lines = [
        f"Of {len(every)} numbers of the reference, {len(missed)} miss the real value by more than "
        "the tolerance:",
        *(f"- {name}" for name in missed),
        "",
        f"Of {len(every)} real values, {len(outside)} lie outside the randomised 5 to 95 %:",
        *(f"- {name}" for name in outside),
    ]
    return lines, len(missed)


def main() -> int:
    """Compare all kinds, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--real", type=Path, default=Path("../shared/data"))
    parser.add_argument("-o", "--output", type=Path, default=Path("simulated_against_real"))
    parser.add_argument("--reference", type=int, default=12, help="recordings of each kind")
    parser.add_argument("--randomised", type=int, default=40, help="recordings of each kind")
    parser.add_argument("--only", choices=[kind.name for kind in KINDS], nargs="+")
    options = parser.parse_args()
    if not options.real.is_dir():
        parser.error(f"{options.real}: no such folder; give the one of the real files with --real")
    options.output.mkdir(parents=True, exist_ok=True)
    compared, lines, document = [], [], {}
    for kind in KINDS:
        if options.only and kind.name not in options.only:
            continue
        one = compare(kind, options.real, (options.reference, options.randomised))
        compared.append(one)
        document[kind.name] = [row_of(target, one) for target in kind.targets]
        part = [f"## {kind.title}", "", *as_table(document[kind.name], options.reference), ""]
        print("\n".join(part), flush=True)
        lines += part
    summary, missed = summed_up(document)
    print("\n".join(summary))
    (options.output / "comparison.md").write_text("\n".join([*lines, *summary, ""]), "utf-8")
    (options.output / "comparison.json").write_text(json.dumps(document, indent=1), "utf-8")
    draw_frames(compared, options.output / "frames.png")
    draw_curves(compared, options.output / "curves.png")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
