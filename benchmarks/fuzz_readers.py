"""Give damaged files of every kind to their readers, and count what happens.

    python benchmarks/fuzz_readers.py --files 10000 --write

Each file is a small sound one with a few changes: bits turned, numbers replaced, parts cut, copied
or left out. A reader must read it or raise the package's own error. It may not raise anything else,
take longer than 10 s, or end its process. Results go to benchmarks/fuzz_readers.md.
"""

from __future__ import annotations

import argparse
import copy
import json
import multiprocessing
import os
import random
import shutil
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from fuzzing.readers import READERS, consume
from fuzzing.seeds import write_seeds

LIMIT_S = 10.0
MEMORY_BYTES = 8 << 30
SHARE = {"preset": 20, "video": 4}
"""Readers that get a part of the files: a network is built for each preset, which takes long."""

OUTCOMES = ("read", "clean error", "fault", "hang", "crash")
RESULT = Path(__file__).with_suffix(".md")


@dataclass
class Tally:
    """What happened to the files of one reader."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    @property
    def tried(self) -> int:
        """Number of files."""
        return sum(self.counts.values())

    @property
    def bad(self) -> int:
        """Number of files that did what none may do."""
        return sum(self.counts[name] for name in ("fault", "hang", "crash"))


def mutate(data: bytes, chance: random.Random, *, is_json: bool = False) -> bytes:
    """Change a few places of a file; of JSON, half of the time, values in place of bytes."""
    if is_json and chance.random() < 0.5:
        return _mutate_json(json.loads(data), chance)
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 8))):
        if not changed:
            break
        # Half of the changes are in the first kilobyte, where headers are.
        most = min(len(changed), 1024) if chance.random() < 0.5 else len(changed)
        at = chance.randrange(most)
        chance.choice(_CHANGES)(changed, at, chance)
    return bytes(changed)


def _mutate_json(document: Any, chance: random.Random) -> bytes:
    """Replace, leave out or nest one value of a document."""
    parent, key = None, None
    node = document
    while isinstance(node, dict | list) and node and (parent is None or chance.random() < 0.8):
        parent = node
        key = chance.choice(list(node) if isinstance(node, dict) else range(len(node)))
        node = parent[key]
    if parent is None:
        return b"{}"
    change = chance.randrange(4)
    if change == 0:
        del parent[key]
    elif change == 1:
        parent[key] = [node]
    else:
        parent[key] = copy.deepcopy(chance.choice(_VALUES))
    text = json.dumps(document)
    return text.replace('"DIGITS"', "9" * 900_000).encode()


_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 1e308, float("nan"), 1 << 62, "", "7", "=1+1", "../x", "DIGITS"),
    *([], {}, [[]], ["a"], {"a": 1}, [1e308] * 6, "\ud800", "x" * 5000),
)


def _flip(data: bytearray, at: int, chance: random.Random) -> None:
    data[at] ^= 1 << chance.randrange(8)


def _replace(data: bytearray, at: int, chance: random.Random) -> None:
    data[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))


def _number(data: bytearray, at: int, chance: random.Random) -> None:
    size = chance.choice((2, 4, 8))
    value = chance.choice((0, 1, (1 << 8 * size - 1) - 1, 1 << 8 * size - 1, (1 << 8 * size) - 1))
    data[at : at + size] = value.to_bytes(size, chance.choice(("little", "big")))


def _digits(data: bytearray, at: int, chance: random.Random) -> None:
    """Replace a number that is written as text, or insert one."""
    end = at
    while end < len(data) and chr(data[end]).isdigit():
        end += 1
    texts = (b"0", b"-1", b"4294967296", b"2147483648", b"1e999", b"NaN", b"9" * 40, b"[]", b'""')
    data[at:end] = chance.choice(texts)


def _cut(data: bytearray, at: int, chance: random.Random) -> None:
    del data[at:]


def _leave_out(data: bytearray, at: int, chance: random.Random) -> None:
    del data[at : at + chance.choice((1, 2, 4, 16, 64))]


def _copy(data: bytearray, at: int, chance: random.Random) -> None:
    start, length = chance.randrange(len(data)), chance.choice((1, 4, 16, 128))
    data[at:at] = data[start : start + length]


_CHANGES: tuple[Callable[[bytearray, int, random.Random], None], ...] = (
    *(_flip, _replace, _number, _digits, _cut, _leave_out, _copy),
)


def fuzz(reader: str, files: int, seed: int = 0) -> Tally:
    """Try damaged files with one reader.

    Args:
        reader: One of `READERS`.
        files: How many.
        seed: Seed of the changes.
    """
    chance = random.Random(f"{reader} {seed}")
    tally = Tally()
    with tempfile.TemporaryDirectory() as scratch:
        seeds = write_seeds(reader, Path(scratch) / "seeds")
        place = Path(scratch) / "tried"
        worker = _Worker()
        try:
            for whole in seeds:
                outcome, said = worker.try_reading(reader, whole)
                if outcome != "read":
                    raise RuntimeError(f"the sound file {whole.name} ends in: {outcome} {said}")
            for _ in range(files):
                whole = chance.choice(seeds)
                _copy_damaged(whole, place, chance)
                outcome, said = worker.try_reading(reader, place / whole.name)
                tally.counts[outcome] += 1
                if outcome in ("fault", "hang", "crash") and len(tally.examples) < 20:
                    tally.examples.append(f"{whole.name}: {outcome}: {said}")
                    _keep(place, reader, tally)
        finally:
            worker.end()
    return tally


def _copy_damaged(whole: Path, place: Path, chance: random.Random) -> None:
    """Copy a file with changes, or a folder with changes in one of its files."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    target = place / whole.name
    if whole.is_dir():
        shutil.copytree(whole, target)
        target = chance.choice(sorted(path for path in target.rglob("*") if path.is_file()))
        data = target.read_bytes()
    else:
        data = whole.read_bytes()
    target.write_bytes(mutate(data, chance, is_json=target.suffix == ".json"))


def _keep(place: Path, reader: str, tally: Tally) -> None:
    """Keep a file that did harm, where the environment says so, to look into it."""
    folder = os.environ.get("AMSEG_FUZZ_KEEP")
    if folder:
        shutil.copytree(place, Path(folder) / f"{reader}-{len(tally.examples)}", dirs_exist_ok=True)


class _Worker:
    """A process that reads, which may be ended."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self._connection.recv()  # imported

    def try_reading(self, reader: str, path: Path) -> tuple[str, str]:
        started = time.monotonic()
        self._connection.send((reader, path))
        try:
            if self._connection.poll(LIMIT_S):
                outcome: tuple[str, str] = self._connection.recv()
                return outcome
            outcome = "hang", f"after {time.monotonic() - started:.0f} s"
        except (EOFError, ConnectionError):
            self._process.join()
            outcome = "crash", f"exit code {self._process.exitcode}"
        self.end()
        self._start()
        return outcome

    def end(self) -> None:
        self._connection.close()
        self._process.kill()
        self._process.join()


def _serve(connection: Connection) -> None:
    import resource
    import warnings

    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    connection.send("ready")
    while True:
        try:
            reader, path = connection.recv()
        except EOFError:
            return
        try:
            outcome = consume(reader, path), ""
        except BaseException:
            outcome = "fault", traceback.format_exc().strip()
        connection.send(outcome)


def table(tallies: dict[str, Tally]) -> str:
    """Counts of all readers as a table."""
    lines = ["| reader | tried | " + " | ".join(OUTCOMES) + " |", "|---|" + 6 * "--:|"]
    for reader, tally in tallies.items():
        counts = " | ".join(f"{tally.counts[name]:,}" for name in OUTCOMES)
        lines.append(f"| {reader} | {tally.tried:,} | {counts} |")
    return "\n".join(lines)


def main() -> None:
    """Fuzz the readers that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("readers", nargs="*", help=f"of {', '.join(READERS)}; default all")
    parser.add_argument("--files", type=int, default=10_000, help="damaged files of each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    arguments = parser.parse_args()
    tallies = {}
    for reader in arguments.readers or READERS:
        tallies[reader] = tally = fuzz(
            reader, arguments.files // SHARE.get(reader, 1), arguments.seed
        )
        print(reader, dict(tally.counts), *tally.examples, sep="\n  ", flush=True)
        if arguments.write:
            _write(tallies, arguments.files)
    print(table(tallies))


def _write(tallies: dict[str, Tally], files: int) -> None:
    command = f"python benchmarks/fuzz_readers.py --files {files} --write"
    RESULT.write_text(
        "# Damaged files\n\nSmall sound files with a few changes each: bits turned, numbers "
        "replaced, parts cut, copied or left out.\nA clean error is the package's own; a hang "
        f"is more than {LIMIT_S:g} s. Made by `{command}`.\n\n{table(tallies)}\n",
        "utf-8",
    )


if __name__ == "__main__":
    main()
