"""Records of runs, `recorded/*.json`; `python docs/make_benchmarks.py` makes tables from them."""

import argparse
from pathlib import Path
from typing import Any

from amseg_keras.backend import hardware
from amseg_keras.outputs import write_json
from amseg_keras.versions import versions


def record_option(parser: argparse.ArgumentParser) -> None:
    """`--record`."""
    parser.add_argument("--record", type=Path, help="a JSON file to write what was measured into")


def keep_record(path: Path | None, measured: dict[str, Any]) -> None:
    """Write what was measured, and on what, if there is a file to write it into."""
    if path is not None:
        write_json(path, {**measured, "hardware": hardware(), "versions": versions()})
