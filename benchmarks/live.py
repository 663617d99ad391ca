"""How fast `amseg watch` follows a recording that grows: frames a second, and the wait for a row.

    python benchmarks/live.py --rate 400 --frames 4000 --record benchmarks/recorded/live.json

One process writes frames of 256 x 512, uint16, to an HDF5 file in SWMR mode, at a fixed rate.
`amseg watch` segments and measures them, and this process looks at `live.csv` every 2 ms. The wait
of a frame is the time from its flush to its row. Writer and watch share the cores.
"""

from __future__ import annotations

import argparse
import multiprocessing
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from recorded import keep_record, record_option

from amseg_keras.simulate import record

DRAWN = 64
"""Simulated frames that the writer has, and writes again and again, there and back."""
FIRST = 16
"""Frames before the recording goes on at its rate: the watch has started when they have rows."""
PATIENCE_S = 60.0


def write(path: Path, frames: np.ndarray, count: int, rate_hz: float, go: Any, times: Any) -> None:
    """Write a growing file, and keep the time of each flush, s of the clock of `time.time`."""
    order = [*range(len(frames)), *range(len(frames) - 2, 0, -1)]
    with h5py.File(path, "w", libver="latest") as file:
        stack = file.create_dataset(
            "frames", (0, *frames.shape[1:]), frames.dtype,
            maxshape=(None, *frames.shape[1:]), chunks=(1, *frames.shape[1:]),
        )  # fmt: skip
        file.swmr_mode = True
        began = 0.0
        for number in range(count):
            if number == FIRST:
                go.wait()
                began = time.time()
            if number > FIRST:
                due = began + (number - FIRST) / rate_hz
                time.sleep(max(0.0, due - time.time()))
            stack.resize(number + 1, axis=0)
            stack[number] = frames[order[number % len(order)]]
            stack.flush()
            times[number] = time.time()


def follow(path: Path, count: int, go: Any, watch: subprocess.Popen[bytes]) -> np.ndarray:
    """Read `live.csv` while it grows; return the time of each row, NaN for rows that never came."""
    seen = np.full(count, np.nan)
    rows, last = 0, time.time()
    text, position = b"", 0
    while rows < count and time.time() - last < PATIENCE_S and watch.poll() is None:
        time.sleep(0.002)
        if not path.exists():
            continue
        with path.open("rb") as file:
            file.seek(position)
            text = file.read()
        position += len(text)
        now = time.time()
        # The first line is the head.
        more = text.count(b"\n") - (1 if position == len(text) and text else 0)
        seen[rows : rows + more] = now
        rows += more
        last = now if more else last
        if rows >= FIRST:
            go.set()
    return seen


def measure(options: argparse.Namespace, rate_hz: float) -> dict[str, Any]:
    """Let `amseg watch` follow one recording, and compare the times."""
    movie = record("esrf", DRAWN, 7)
    frames = np.stack([movie.grey(index) for index in range(DRAWN)]).astype(np.uint16)
    with tempfile.TemporaryDirectory() as folder:
        scans, out = Path(folder) / "scans", Path(folder) / "results"
        scans.mkdir()
        command = [
            *("amseg", "watch", str(scans), "-o", str(out), "--model", options.preset),
            *("--engine", options.engine, "--settle", "0.03", "--until-idle", "20"),
            *("--complete-after", "10"),
        ]
        go, times = multiprocessing.Event(), multiprocessing.Array("d", options.frames)
        writing = multiprocessing.Process(
            target=write,
            args=(scans / "scan.h5", frames, options.frames, rate_hz, go, times),
        )
        writing.start()
        watch = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        seen = follow(out / "scan" / "live.csv", options.frames, go, watch)
        writing.kill() if np.isnan(seen).any() else writing.join()
        watch.terminate()
        _, said = watch.communicate()
    if np.isnan(seen).any():
        sys.exit(f"{int(np.isnan(seen).sum())} frames have no row; the watch said: {said.decode()}")
    written = np.array(times[:])[FIRST:]
    waits = seen[FIRST:] - written
    half = len(waits) // 2
    return {
        "preset": options.preset,
        "engine": options.engine,
        "frames": options.frames,
        "asked_hz": rate_hz,
        "written_hz": round((len(written) - 1) / float(written[-1] - written[0]), 1),
        "rows_hz": round((len(written) - 1) / float(seen[-1] - written[0]), 1),
        "wait_ms": {
            "median": round(1000 * float(np.median(waits))),
            "95 %": round(1000 * float(np.quantile(waits, 0.95))),
            "first half, median": round(1000 * float(np.median(waits[:half]))),
            "second half, median": round(1000 * float(np.median(waits[half:]))),
        },
    }


def main() -> None:
    """Read the command line, measure at each rate, print and record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", default="amsegnet-movie")
    parser.add_argument("--engine", default="openvino-bf16")
    parser.add_argument("--frames", type=int, default=4000)
    parser.add_argument("--rate", type=float, action="append", dest="rates", help="frames a second")
    record_option(parser)
    options = parser.parse_args()
    found = []
    for rate in options.rates or [400.0]:
        found.append(measure(options, rate))
        print(found[-1])
    keep_record(options.record, {"measured": found})


if __name__ == "__main__":
    main()
