"""Times of all cases in turn, and the table of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from amseg_keras.comparison.speed.cases import PREDICT, Case, frames_of, network
from amseg_keras.comparison.speed.peak import Peak
from amseg_keras.models.cost import macs

_BASELINE = ("amsegnet", PREDICT)


def measure_speed(
    cases: Sequence[Case],
    peaks: Sequence[Peak],
    shapes: Sequence[tuple[int, int]],
    batch_sizes: Sequence[int],
    rounds: int,
    progress: Callable[[int, int], None] = lambda done, all_rounds: None,
) -> pd.DataFrame:
    """Time all cases in turn, round after round, after one round that does not count.

    What else the machine does falls on all cases of a round alike: compare within rounds, as
    `summarise_speed` does.

    Args:
        cases: Networks on engines.
        peaks: Matrix products that are timed in each round too.
        shapes: Heights and widths of frames, multiples of 16.
        batch_sizes: Frames given to an engine at once.
        rounds: How often.
        progress: Told the rounds that are done and all.

    Returns:
        A row for each round, case, shape and batch size: `round`, `network`, `engine`,
        `precision`, `height`, `width`, `batch`, `seconds` (for a frame), and a column
        `peak_<precision>` (1e9 operations a second, of this round).
    """
    rows = []
    frames = {shape: frames_of(shape, max(batch_sizes)) for shape in shapes}
    for number in range(-1, rounds):
        found = {f"peak_{p.precision}": p.giga_operations_per_second() for p in peaks}
        for shape in shapes:
            for batch in batch_sizes:
                for case in cases:
                    began = time.perf_counter()
                    case.run(frames[shape][:batch])
                    seconds = (time.perf_counter() - began) / batch
                    where = {"height": shape[0], "width": shape[1], "batch": batch}
                    row = {"round": number, "network": case.network, "engine": case.engine}
                    row["precision"] = case.precision
                    if number >= 0:
                        rows.append(row | where | {"seconds": seconds} | found)
        progress(number + 2, rounds + 1)
    return pd.DataFrame(rows)


def summarise_speed(times: pd.DataFrame) -> pd.DataFrame:
    """Medians over the rounds, and what they say of the machine.

    Args:
        times: From `measure_speed`.

    Returns:
        A row for each network, engine, shape and batch size: `ms_per_frame`; `faster`, how many
        times faster than `predict` of AM-SegNet on the same frames, the median of the ratios
        within rounds, NaN where that was not timed; `gmac_per_second`, of the network as it is
        drawn, whatever was rewritten; `of_peak`, the same as a share of the matrix product of that
        precision, NaN where there is none.

    Example:
        >>> times = pd.DataFrame(
        ...     [(0, "amsegnet", "predict", "float32", 256, 512, 1, 0.4, 200.0),
        ...      (0, "amsegnet", "openvino", "float32", 256, 512, 1, 0.2, 200.0)],
        ...     columns=["round", "network", "engine", "precision", "height", "width", "batch",
        ...              "seconds", "peak_float32"],
        ... )
        >>> summarise_speed(times)[["engine", "ms_per_frame", "faster"]].values.tolist()
        [['predict', 400.0, 1.0], ['openvino', 200.0, 2.0]]
    """
    where = ["height", "width", "batch"]
    is_base = (times["network"] == _BASELINE[0]) & (times["engine"] == _BASELINE[1])
    base = times[is_base].set_index(["round", *where])["seconds"].rename("base")
    joined = times.join(base, on=["round", *where])
    joined["faster"] = joined["base"] / joined["seconds"]
    groups = joined.groupby(["network", "engine", "precision", *where], sort=False)
    table = groups[["seconds", "faster"]].median().reset_index()
    table["ms_per_frame"] = 1e3 * table["seconds"]
    costs = _costs(table)
    table["gmac_per_second"] = costs / table["seconds"]
    peaks = table["precision"].map(lambda precision: _peak(times, precision))
    table["of_peak"] = 2 * table["gmac_per_second"] / peaks
    return table.drop(columns="seconds")


def _costs(table: pd.DataFrame) -> pd.Series:
    """GMAC of a frame of each row."""
    models: Mapping[str, object] = {name: network(name) for name in table["network"].unique()}
    known: dict[tuple[str, int, int], float] = {}
    for name, height, width in zip(table["network"], table["height"], table["width"], strict=True):
        key = (name, height, width)
        if key not in known:
            known[key] = macs(models[name], (height, width)) / 1e9
    keys = zip(table["network"], table["height"], table["width"], strict=True)
    return pd.Series([known[key] for key in keys], table.index)


def _peak(times: pd.DataFrame, precision: str) -> float:
    column = f"peak_{precision}"
    return float(times[column].max()) if column in times else float("nan")
