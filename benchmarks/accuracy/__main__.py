"""How accurate presets are on frames that no training has seen.

    python benchmarks/accuracy amsegnet-esrf-lite amsegnet-movie -o OUT --real ../shared/data \\
        --record benchmarks/recorded/accuracy.json
    python benchmarks/accuracy runs/round2/preset --name "round 2" -o OUT

Each preset is scored on unseen simulated recordings of ESRF and APS, and on the real recordings
and published frames that `--real` (or `AMSEG_TEST_DATA`) holds, without fine-tuning. The scores of
a preset go to OUT/NAME.json too, for its card. Pictures of every real set go to OUT/pictures: the
real frames belong to others. `--record` keeps the rows of other presets that the file has.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from phantoms import score_phantoms
from pictures import draw_pictures
from real import score_real
from recorded import keep_record, record_option
from simulated import score_simulated

from amseg_keras import Segmenter, from_pretrained
from amseg_keras.outputs import write_json


def main() -> None:
    """Read the command line and score each preset."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("presets", nargs="+", metavar="PRESET")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--real", type=Path, default=os.environ.get("AMSEG_TEST_DATA"))
    parser.add_argument("--name", help="name of the row, if there is one preset")
    parser.add_argument("--sequences", type=int, default=24, help="unseen recordings to score on")
    record_option(parser)
    options = parser.parse_args()
    if options.name and len(options.presets) > 1:
        parser.error("--name is for one preset")
    rows = rows_of(options.record)
    for preset in options.presets:
        segmenter = from_pretrained(preset)
        name = options.name or segmenter.info.name
        rows[name] = {"preset": name} | scores(segmenter, name, options)
        print(rows[name], flush=True)
        write_json(options.out / f"{name}.json", rows[name])
        keep_record(options.record, {"rows": list(rows.values())})


def rows_of(record: Path | None) -> dict[str, dict[str, Any]]:
    """Read the rows of an earlier run, by the name of their preset."""
    if record is None or not record.exists():
        return {}
    return {row["preset"]: row for row in json.loads(record.read_text("utf-8"))["rows"]}


def scores(segmenter: Segmenter, name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Measure a preset, and draw what it finds in real frames."""
    found: dict[str, Any] = {
        "channels": list(segmenter.channels.names),
        "simulated": score_simulated(segmenter, options.out / "scored", options.sequences),
        "phantoms": score_phantoms(segmenter),
    }
    if options.real is not None:
        found["real"] = score_real(segmenter, Path(options.real))
        draw_pictures(segmenter, Path(options.real), options.out / "pictures" / name)
    return found


if __name__ == "__main__":
    main()
