"""Write the tables of `benchmarks/README.md`: `python docs/make_benchmarks.py`.

Of `benchmarks/recorded`, where the benchmarks write with `--record`, of the presets' cards, and of
what the runs in `benchmarks/simulated_study*` left. With `--check`
nothing is written, and it fails where the page has other tables.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from huggingface_hub import ModelCard
from tables import fill, table

ROOT = Path(__file__).parents[1]
BENCHMARKS = ROOT / "benchmarks"
VARIANTS = 4
"""Networks that `benchmarks/movies` compares."""

BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}


def recorded(name: str) -> dict[str, Any]:
    """Read what a benchmark wrote with `--record`."""
    return json.loads((BENCHMARKS / "recorded" / f"{name}.json").read_text("utf-8"))


def with_conditions(made: str, *records: dict[str, Any]) -> str:
    """A table and below it what the records were made on."""
    versions: dict[str, str] = {}
    for record in records:
        versions |= {k: v for k, v in record["versions"].items() if k != "backend"}
    hardware = " and ".join(sorted({record["hardware"] for record in records}))
    software = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"{made}\n\n{hardware}; {software}."


def rates(record: dict[str, Any], part: str) -> pd.Series:
    """Frames per second by what was measured."""
    rows = [row for row in record["rows"] if row["part"] == part]
    return pd.Series({row["what"]: row["frames"] / row["seconds"] for row in rows}, dtype=float)


def by_backend(part: str, head: str, digits: int, milliseconds: bool) -> str:
    """A part of `data_throughput.py` on the three backends."""
    records = {name: recorded(f"data_{name}") for name in BACKENDS}
    columns = pd.DataFrame({name: rates(record, part) for name, record in records.items()})
    columns = 1000 / columns if milliseconds else columns
    rows = [[what, *(f"{v:.{digits}f}" for v in row)] for what, row in columns.iterrows()]
    return with_conditions(table([head, *BACKENDS.values()], rows), *records.values())


def simulator() -> str:
    """The simulator alone, which needs no backend."""
    record = recorded("data_tensorflow")
    rows = [
        [what, f"{rate:.0f}", f"{1000 / rate:.1f}"]
        for what, rate in rates(record, "simulator").items()
    ]
    head = ["frames of 256 x 512", "frames/s", "ms per frame"]
    return with_conditions(table(head, rows), record)


def scores(preset: str, which: str) -> dict[str, float]:
    """Results of a preset's card on the frames whose name has `which` in it, by class."""
    results = ModelCard.load(ROOT / "hub" / preset / "README.md").data.eval_results
    return {
        one.metric_name.removeprefix("IoU, "): one.metric_value
        for one in results
        if which in one.dataset_name
    }


def pretraining() -> str:
    """The presets that were trained on simulated frames alone."""
    rows = []
    for name, steps in (
        ("amsegnet-esrf", "from random weights, ESRF and APS"),
        ("amsegnet-dls", "`amsegnet-movie`, on with Diamond"),
    ):
        found = scores(name, "Simulated")
        cells = [f"{found[c]:.3f}" if c in found else "" for c in ("mean IoU", "keyhole", "pore")]
        rows.append([f"`{name}`", steps, *cells])
    return table(["", "what is trained", "mean IoU", "keyhole", "pore"], rows)


def small_network() -> str:
    """The search of the small network."""
    rows = []
    for row in pd.read_csv(BENCHMARKS / "recorded" / "small_network.csv").itertuples():
        keyhole = "" if pd.isna(row.aps_keyhole_iou) else f"{row.aps_keyhole_iou:.2f}"
        cells = [f"{row.gmac:.2f}", f"{row.parameters:,}", f"{row.steps:,}", f"{row.mean_iou:.3f}"]
        rows.append([f"{row.block}, {row.width}", *cells, keyhole])
    head = ["block, width", "GMAC", "parameters", "steps", "mean IoU", "APS keyhole"]
    return table(head, rows)


def movies() -> str:
    """Networks of frames and of movies, with two simulators, of one budget."""
    record = recorded("movies")
    rows = []
    for row in record["rows"]:
        found, real = row["simulated"], row.get("real", {})
        cells = [
            _score(found[facility][name])
            for facility in ("esrf", "aps")
            for name in ("keyhole", "pore", "keyhole_single")
        ]
        rows.append(
            [row["network"], row["simulator"], *cells, _score(real.get("aps", {}).get("keyhole"))]
        )
    head = ["network", "simulator"]
    head += [
        f"{facility} {what}"
        for facility in ("ESRF", "APS")
        for what in ("keyhole", "pore", "keyhole, frame alone")
    ]
    budget = record["budget"]
    made = table([*head, "real APS keyhole"], rows)
    height, width = budget["crop"]
    said = (
        f"IoU after {budget['steps']:,} steps of {budget['batch_size']} crops of "
        f"{height} x {width} ({budget['samples']:,} simulated frames, seed {budget['seed']}), on "
        f"{budget['sequences_scored']} unseen recordings of each facility."
    )
    if len(rows) < VARIANTS:
        said += f" {len(rows)} of {VARIANTS} networks: the run was recorded before its end."
    return with_conditions(f"{made}\n\n{said}", record)


def movies_real() -> str:
    """The same networks on the other real recordings."""
    record = recorded("movies")
    rows = []
    for row in record["rows"]:
        wall, figures = row["real"]["wall"], row["real"]["figures"]
        cells = [f"{wall['in_half']} of {wall['pores']}", f"{wall['elsewhere']:.1f}"]
        cells += [f"{wall['away']:.0%}", *map(_score, figures.values())]
        rows.append([row["network"], row["simulator"], *cells])
    head = ["network", "simulator", "wall: pores", "elsewhere, a frame", "keyhole away"]
    return table([*head, *record["rows"][0]["real"]["figures"]], rows)


def accuracy() -> str:
    """Presets on unseen simulated recordings."""
    record = recorded("accuracy")
    rows = []
    for row in record["rows"]:
        found = row["simulated"]
        cells = [
            _score(found[facility][name])
            for facility in ("esrf", "aps")
            for name in ("keyhole", "pore", "keyhole_single", "pore_single")
        ]
        rows.append([row["preset"], ", ".join(row["channels"]), *cells])
    head = [
        f"{facility} {what}"
        for facility in ("ESRF", "APS")
        for what in ("keyhole", "pore", "keyhole, frame alone", "pore, frame alone")
    ]
    return with_conditions(table(["preset", "channels", *head], rows), record)


def accuracy_real() -> str:
    """The same presets on real recordings and published frames."""
    rows = []
    for row in recorded("accuracy")["rows"]:
        real = row["real"]
        wall, figures = real["wall"], real["figures"]
        cells = [_score(real[name]["keyhole"]) for name in ("aps", "aps_single")]
        cells += [f"{wall[name]} of {wall['pores']}" for name in ("in_half", "in_most")]
        enlarged = real.get("wall_enlarged")
        cells.append(f"{enlarged['in_most']} of {wall['pores']}" if enlarged else "not measured")
        cells += [f"{wall['elsewhere']:.1f}", f"{wall['away']:.0%}", f"{wall['keyhole']:.0%}"]
        mean = sum(figures.values()) / len(figures)
        rows.append([row["preset"], *cells, _score(mean), *map(_score, figures.values())])
    head = [
        "preset",
        "APS keyhole",
        "APS keyhole, frame alone",
        "wall: pores in half of the frames",
    ]
    head += [
        "wall: pores in 80 %",
        "the same, enlarged",
        "wall: elsewhere, a frame",
        "wall: keyhole away from the laser",
    ]
    head += ["wall: any keyhole", "figures: mean keyhole"]
    return table([*head, *recorded("accuracy")["rows"][0]["real"]["figures"]], rows)


def phantoms() -> str:
    """Keyholes of simulated movies with and without the rule of one keyhole a laser."""
    rows = []
    for row in recorded("accuracy")["rows"]:
        if found := row.get("phantoms"):
            cells = [_score(found[name]) for name in ("iou", "iou_with_rule")]
            cells += [f"{found[name]:.0%}" for name in ("phantoms", "phantoms_with_rule")]
            rows.append([row["preset"], *cells])
    head = ["preset", "keyhole IoU", "with the rule", "frames with a phantom", "with the rule"]
    return table(head, rows)


def agreement() -> str:
    """Pixels with the label that the corrected version of a recording gets."""
    found = recorded("grey_levels")["agreement"]
    kinds = [(preset, kind) for preset in found for kind in found[preset]]
    names = [name for name in next(iter(found.values()))["thin"] if name != "corrected"]
    rows = [[name, *(f"{found[one][kind][name]:.1%}" for one, kind in kinds)] for name in names]
    return table(["version", *(f"{one}, {kind}" for one, kind in kinds)], rows)


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def streams() -> str:
    """From file to file, beside the inference alone."""
    records = [recorded(f"stream_{name}") for name in ("auto", "openvino", "lite")]
    rows = []
    for one in records:
        alone, whole = one["seconds_of_inference"], one["seconds"]
        cells = [f"{one['frames'] / alone:.1f}", f"{one['frames'] / whole:.1f}"]
        cells += [f"{whole / alone:.2f}", f"{one['peak_mb'] / 1000:.1f}"]
        rows.append([one["network"], one["engine"], f"{one['frames']:,}", *cells])
    rates_head = ["inference alone, frames/s", "file to file, frames/s", "times as long", "GB"]
    return with_conditions(table(["network", "engine", "frames", *rates_head], rows), *records)


def workers() -> str:
    """One worker and two."""
    one = recorded("workers")
    seconds = [f"{one[f'seconds_of_{n}']:.1f}" for n in ("one_worker", "two_workers")]
    row = [one["network"], one["engine"], str(one["frames"]), *seconds, f"{one['ratio']:.2f}"]
    head = ["network", "engine", "frames", "one worker, s", "two workers, s", "times faster"]
    return with_conditions(table(head, [row]), one)


def fine_tuning() -> str:
    """Test frames of real recordings after fine-tuning on frames before them."""
    record = recorded("fine_tuning")
    classes = ("background", "substrate", "keyhole", "pore")
    names = {"aps": "APS, frames 18 to 25", "hpdc": "die casting, slices 11 to 14"}
    rows = []
    for key, result in record["recordings"].items():
        runs = {f"from `{result['start_from']}`": result["test"]}
        if "from_scratch" in result:
            runs["from random weights"] = result["from_scratch"]
        for start, iou in runs.items():
            cells = [f"{iou[c]:.3f}" if c in iou else "" for c in classes]
            rows.append([names[key], start, *cells])
    return with_conditions(table(["tested on", "network", *classes], rows), record)


def melt_pool() -> str:
    """The class melt pool on unseen simulated recordings."""
    record = recorded("melt_pool")
    rows = []
    for facility, found in record["simulated"].items():
        error = found["depth_error_median"]
        rows.append(
            [
                facility.upper(),
                _score(found["melt pool"]),
                "" if error is None else f"{error:.0%}",
                str(found["frames_with_a_seen_pool"]),
                *(
                    _score(found[name + suffix])
                    for name in ("keyhole", "pore")
                    for suffix in ("", " of amsegnet-movie")
                ),
            ]
        )
    head = ["recordings", "melt pool", "error of its depth", "frames with a visible pool"]
    head += ["keyhole", "of `amsegnet-movie`", "pore", "of `amsegnet-movie`"]
    return with_conditions(table(head, rows), record)


def quantification() -> str:
    """What measuring a recording takes."""
    one = recorded("quantification")
    height, width = one["shape"]
    row = [f"{one['frames']:,}", f"{height} x {width}", f"{one['pores']:,}", f"{one['tracks']:,}"]
    head = ["label maps", "pixels", "pores", "tracks", "seconds", "of one core"]
    cells = [f"{one['seconds']:.1f}", f"{one['seconds_of_one_core']:.1f}"]
    return with_conditions(table(head, [[*row, *cells]]), one)


def study() -> str:
    """Write the table of the simulated experiments: ranges of new plates, and default ranges."""
    runs = [_study(BENCHMARKS / name) for name in ("simulated_study", "simulated_study_default")]
    rows = [[what, *(run[what] for run in runs)] for what in runs[0]]
    return table(["", "new plates", "default ranges"], rows)


def _study(folder: Path) -> dict[str, str]:
    found = json.loads((folder / "correlation.json").read_text("utf-8"))
    lines = {one["x"]: one["line"] for one in found["planes"]}
    (pearson,) = (
        one["pearson"]
        for one in found["correlations"]
        if (one["quantity"], one["pores"]) == ("area_delta_avg", "has_pores")
    )
    fluctuation, size = lines["area_delta_avg"], lines["median_keyhole_depth_um"]
    return {
        "experiments": str(found["experiments"]["all"]),
        "with pores": str(found["experiments"]["with_pores"]),
        "dividing line of Figure 7c right, cross-validated": f"{fluctuation['accuracy']:.0%}",
        "naming the larger group right": f"{fluctuation['majority_accuracy']:.0%}",
        "dividing line of Figure 7d right, cross-validated": f"{size['accuracy']:.0%}",
        "correlation (Pearson) of mean area fluctuation with having pores": f"{pearson:.2f}",
    }


fill(
    BENCHMARKS / "README.md",
    {
        "feed": by_backend("feed", "frames per second", 0, milliseconds=False),
        "simulator": simulator(),
        "layers": by_backend("layers", "milliseconds per frame", 1, milliseconds=True),
        "pretraining": pretraining(),
        "small network": small_network(),
        "movies": movies(),
        "movies, real": movies_real(),
        "accuracy": accuracy(),
        "accuracy, real": accuracy_real(),
        "phantoms": phantoms(),
        "agreement": agreement(),
        "streams": streams(),
        "workers": workers(),
        "fine-tuning": fine_tuning(),
        "melt pool": melt_pool(),
        "quantification": quantification(),
        "study": study(),
    },
    "python docs/make_benchmarks.py",
)
