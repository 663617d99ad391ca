"""Measure waits: until a command has started, for one frame, from file to file.

Beside each wait stands its limit, measured in the same rounds: what the wait cannot be shorter
than with the same engine on the same machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from amseg_keras.engines.engine import THREADS, Engine, need
from amseg_keras.outputs import write_json
from amseg_keras.read import open_stack
from amseg_keras.runs.segment import RunSettings, run_stack
from amseg_keras.segment import Segmenter, from_pretrained

_SAMPLE = "sample:esrf-lpbf"
_FEWEST = 8
"""Frames that are labelled one at a time."""


GOALS = {
    ("amseg segment one.png", "CPU-s"): "1.5 CPU-s",
    ("amseg segment one.png", "MB"): "300 MB",
    ("from_pretrained to first labels", "s"): "1 s",
    ("one frame at a time", "ms"): "1.7 times faster than on one core",
    ("file to file, none drawn", "CPU-ms a frame"): "ratio 1.15",
    ("file to file, every frame drawn", "CPU-ms a frame"): "ratio 1.15",
}
"""Goal of each wait, by its name and unit, on two idle cores."""


@dataclass(frozen=True)
class Used:
    """Time and memory of a process."""

    seconds: float
    cpu_seconds: float
    megabytes: float


def run_process(words: Sequence[str]) -> Used:
    """Run a process and measure it.

    Raises:
        RuntimeError: It failed, or the system does not tell what a process took.

    Example:
        >>> used = run_process([sys.executable, "-c", "pass"])
        >>> 0 < used.cpu_seconds < 60 and used.megabytes > 1
        True
    """
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, *words], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: failed, or the system does not tell what it took")
    seconds, cpu_seconds, memory = map(float, done.stdout.split())
    per_megabyte = 1 << (10 if sys.platform == "linux" else 20)
    return Used(seconds, cpu_seconds, memory / per_megabyte)


_MEASURE = """
import resource, subprocess, sys, time
began = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
seconds = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.exit(code)
"""
"""A small process between: a child begins with the memory of the one that starts it."""


def measure_waits(
    presets: Sequence[str],
    engine: str,
    frames: int = 960,
    rounds: int = 3,
    progress: Callable[[int, int], None] = lambda done, all_rounds: None,
) -> pd.DataFrame:
    """Measure every wait and its limit in turn, round after round.

    Args:
        engine: Engine that needs no Keras: `"openvino"` or `"onnxruntime"`.
        frames: Frames of the stack that goes from file to file.
        progress: Function of the number of rounds that are done, and of all rounds.

    Returns:
        A row for each round, preset and wait: `round`, `preset`, `engine`, `wait`, `unit`,
        `measured`, `limit`, `limit_is`.

    Raises:
        EngineMissingError: The package of the engine is not installed.
        RuntimeError: A process failed.
    """
    need(engine)
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        stack = _write_frames(folder, frames)
        works = [_Work(name, engine, folder, stack) for name in presets]
        for number in range(rounds):
            for work in works:
                about = {"round": number, "preset": work.preset, "engine": engine}
                rows += [about | row for row in work.waits(number)]
            progress(number + 1, rounds)
    return pd.DataFrame(rows)


def summarise_waits(waits: pd.DataFrame) -> pd.DataFrame:
    """Take medians over the rounds; `ratio` is the median of the ratios within rounds.

    Args:
        waits: Table from `measure_waits`.

    Example:
        >>> row = dict(preset="a", engine="openvino", wait="start", unit="s", limit_is="imports")
        >>> rows = [row | {"round": n, "measured": 2.0 + n, "limit": 1.0 + n} for n in range(3)]
        >>> summarise_waits(pd.DataFrame(rows))[["measured", "limit", "ratio"]].values.tolist()
        [[3.0, 2.0, 1.5]]
    """
    ratios = waits.assign(ratio=waits["measured"] / waits["limit"])
    said = ["preset", "engine", "wait", "unit", "limit_is"]
    return ratios.groupby(said, sort=False)[["measured", "limit", "ratio"]].median().reset_index()


def waits_markdown(table: pd.DataFrame) -> str:
    """Write the summary as a Markdown table.

    Args:
        table: Table from `summarise_waits`.
    """
    heads = ("preset", "engine", "wait", "measured", "goal", "limit", "ratio", "the limit is")
    lines = [f"| {' | '.join(heads)} |", "|---|---|---|---:|---|---:|---:|---|"]
    for row in table.itertuples():
        measured, limit = (f"{value:.3g} {row.unit}" for value in (row.measured, row.limit))
        goal = GOALS.get((str(row.wait), str(row.unit)), "")
        cells = (row.preset, row.engine, row.wait, measured, goal, limit, f"{row.ratio:.2f}")
        lines.append(f"| {' | '.join(map(str, cells))} | {row.limit_is} |")
    return "\n".join(lines)


class _Work:
    """Everything that is measured of one preset."""

    def __init__(self, preset: str, engine: str, folder: Path, stack: Path) -> None:
        self.preset, self._engine, self._folder, self._stack = preset, engine, folder, stack
        self._segmenter = _ready(from_pretrained(preset), engine)
        self._inputs = self._some_inputs()
        with _one_thread():
            self._alone_on_one_core = _warm(_ready(from_pretrained(preset), engine), self._inputs)
        self._alone = _warm(_ready(from_pretrained(preset), engine), self._inputs)

    def waits(self, number: int) -> Iterator[dict[str, object]]:
        yield from self._start(number)
        yield from self._one_at_a_time()
        for overlay in (False, True):
            yield from self._file_to_file(number, overlay)

    def _some_inputs(self) -> np.ndarray:
        with open_stack(self._stack) as stack:
            inputs = self._segmenter.inputs(stack)
            return np.stack([inputs.make(index) for index in range(_FEWEST)])

    def _start(self, number: int) -> Iterator[dict[str, object]]:
        imports = run_process([sys.executable, "-c", f"import numpy, h5py, {self._engine}"])
        limit_is = f"a process that imports NumPy, h5py and {self._engine}"
        out = str(self._folder / f"{self.preset}-{number}-one")
        one = str(self._folder / "one.png")
        command = ["-m", "amseg_keras", "segment", one, "-o", out, "-m", self.preset]
        start = run_process([sys.executable, *command, "--engine", self._engine])
        code = (
            "import amseg_keras, numpy as np; from PIL import Image; "
            f"s = amseg_keras.from_pretrained({self.preset!r}); "
            f"s.segment(np.asarray(Image.open({one!r})))"
        )
        label = run_process([sys.executable, "-c", code])
        for wait, unit, measured, limit in (
            ("amseg segment one.png", "CPU-s", start.cpu_seconds, imports.cpu_seconds),
            ("amseg segment one.png", "MB", start.megabytes, imports.megabytes),
            ("from_pretrained to first labels", "s", label.seconds, imports.seconds),
            ("from_pretrained to first labels", "CPU-s", label.cpu_seconds, imports.cpu_seconds),
        ):
            yield _row(wait, unit, measured, limit, limit_is)

    def _one_at_a_time(self) -> Iterator[dict[str, object]]:
        def alone(engine: Engine) -> float:
            return _milliseconds(
                lambda: [engine.labels(frame[None]) for frame in self._inputs], len(self._inputs)
            )[0]

        at_once, _ = self._inference()
        limit_is = "a frame where several are at work"
        yield _row("one frame at a time", "ms", alone(self._alone), at_once, limit_is)
        slow = alone(self._alone_on_one_core)
        yield _row("one frame at a time, on one core", "ms", slow, at_once, limit_is)

    def _inference(self) -> tuple[float, float]:
        engine = self._segmenter.compile_inference(self._engine).engine
        engine.labels(self._inputs)
        return _milliseconds(lambda: engine.labels(self._inputs), len(self._inputs))

    def _file_to_file(self, number: int, overlay: bool) -> Iterator[dict[str, object]]:
        settings = RunSettings(drawn=None if overlay else 0)
        folder = self._folder / f"{self.preset}-{number}-{overlay}"
        limits = self._inference()
        with open_stack(self._stack) as stack:
            count = len(stack)
            taken = _milliseconds(
                lambda: run_stack(stack, self._segmenter, "digest", folder, settings), count
            )
        wait = "file to file, every frame drawn" if overlay else "file to file, none drawn"
        for unit, measured, limit in zip(
            ("ms a frame", "CPU-ms a frame"), taken, limits, strict=True
        ):
            yield _row(wait, unit, measured, limit, "the inference alone")


def _row(wait: str, unit: str, measured: float, limit: float, limit_is: str) -> dict[str, object]:
    return {"wait": wait, "unit": unit, "measured": measured, "limit": limit, "limit_is": limit_is}


def _ready(segmenter: Segmenter, engine: str) -> Segmenter:
    segmenter.compile_inference(engine)
    return segmenter


def _warm(segmenter: Segmenter, inputs: np.ndarray) -> Engine:
    """Return the engine of a segmenter after a single frame."""
    engine = segmenter.compile_inference(segmenter.engine).engine
    engine.labels(inputs[:1])
    return engine


@contextmanager
def _one_thread() -> Iterator[None]:
    before = os.environ.get(THREADS)
    os.environ[THREADS] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[THREADS]
        else:
            os.environ[THREADS] = before


def _milliseconds(work: Callable[[], object], count: int) -> tuple[float, float]:
    """Measure milliseconds of the clock, and of all cores, for each frame."""
    began, used = time.perf_counter(), time.process_time()
    work()
    taken = time.perf_counter() - began, time.process_time() - used
    return 1e3 * taken[0] / count, 1e3 * taken[1] / count


def _write_frames(folder: Path, count: int) -> Path:
    """Write a stack of different frames, and one of them as a picture."""
    rng = np.random.default_rng(0)
    with open_stack(_SAMPLE) as sample:
        own = np.stack([sample[index] for index in range(len(sample))]).astype(np.int16)
    frames = np.concatenate([own] * -(-count // len(own)))[:count]
    noisy = np.clip(frames + rng.integers(-3, 4, frames.shape), 0, 255).astype(np.uint8)
    np.save(folder / "stack.npy", noisy)
    Image.fromarray(noisy[0]).save(folder / "one.png")
    return folder / "stack.npy"


def write_waits(folder: Path, waits: pd.DataFrame, conditions: dict[str, object]) -> str:
    """Write `waits.csv` (every round), `waits.json` (conditions) and `waits.md`.

    Args:
        folder: Output folder, made if it is missing.
        waits: Table from `measure_waits`.
        conditions: Hardware, versions and what else the machine did.

    Returns:
        The Markdown.
    """
    folder.mkdir(parents=True, exist_ok=True)
    waits.to_csv(folder / "waits.csv", index=False, float_format="%.6g")
    write_json(folder / "waits.json", conditions)
    notes = [f"- {name}: {value}" for name, value in conditions.items()]
    table = waits_markdown(summarise_waits(waits))
    text = "\n".join(["# Waits", "", table, "", *notes, ""])
    (folder / "waits.md").write_text(text, "utf-8")
    return text
