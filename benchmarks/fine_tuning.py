"""What fine-tuning on a few real frames reaches, measured on later frames of the same recordings.

    python benchmarks/fine_tuning.py --real ../shared/data -o FOLDER
    python benchmarks/fine_tuning.py --real ../shared/data -o FOLDER --only hpdc --from-scratch

aps   25 raw frames, Ti-6Al-4V bare plate: 1 to 15 to train on, 16 and 17 to stop by, 18 to 25 for
      the test
hpdc  14 slices of a die casting: 1 to 9 to train on, 10 to stop by, 11 to 14 for the test

Writes `fine_tuning.json` and, of each recording, the run, a data set, and the test frames with what
was found in them. The frames belong to others and are not part of this project. A run that was
interrupted goes on.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image
from recorded import keep_record, record_option

import amseg_keras
from amseg_keras.classes import CLASS_NAMES
from amseg_keras.command.training_options import duration, training_display
from amseg_keras.datasets import Dataset, LabelledFrame, open_dataset
from amseg_keras.datasets.dataset import write_frame
from amseg_keras.datasets.public import make_dataset
from amseg_keras.evaluation import evaluate
from amseg_keras.read import open_stack
from amseg_keras.report.overlay import overlay, with_legend


@dataclass(frozen=True)
class Recording:
    """A real recording, and which of its frames are for what; the first frame is 1."""

    make: Callable[[Path, Path], Dataset]
    last_training: int
    last_validation: int

    def split_of(self, number: int) -> str:
        """Class ids of the frame with a number."""
        if number <= self.last_training:
            return "train"
        return "validation" if number <= self.last_validation else "test"


def make_aps(real: Path, folder: Path) -> Dataset:
    """The frames with the labels that came with them: background, substrate and keyhole.

    The data set names all five classes, so that the tuned network keeps powder and pores.
    """
    frames = []
    with (
        open_stack(real / "aps_ti64_frames") as images,
        open_stack(real / "aps_ti64_labels") as labels,
    ):
        for number, (image, label) in enumerate(zip(images, labels, strict=True), start=1):
            about = LabelledFrame("", None, "aps_ti64", number, facility="aps", material="Ti6Al4V")
            frames.append(write_frame(folder, image, label, about))
    return Dataset(folder, CLASS_NAMES, tuple(frames), 2.0, "real frames of APS")


def make_hpdc(real: Path, folder: Path) -> Dataset:
    """The frames of the authors' video with their own labels, read off its colours."""
    return make_dataset("hpdc-video", real / "hpdc_video_clip.mp4", folder)


RECORDINGS = {"aps": Recording(make_aps, 15, 17), "hpdc": Recording(make_hpdc, 9, 10)}


def split(recording: Recording, data: Dataset) -> Dataset:
    """The data set with its frames numbered from 1 and split."""
    ordered = sorted(data.frames, key=lambda frame: frame.frame)
    frames = tuple(
        replace(frame, split=recording.split_of(number))
        for number, frame in enumerate(ordered, start=1)
    )
    return replace(data, frames=frames)


def data_set(name: str, real: Path, out: Path) -> Dataset:
    """The data set of a recording, made if it is not there."""
    folder = out / name / "data"
    if not (folder / "dataset.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        split(RECORDINGS[name], RECORDINGS[name].make(real, folder)).save()
    return open_dataset(folder)


def measure(name: str, real: Path, out: Path, model: str, from_scratch: bool) -> dict:
    """Fine-tune on one recording and measure on its test frames."""
    data = data_set(name, real, out)
    with training_display() as show:
        run = amseg_keras.fine_tune(
            data,
            out / name / "run",
            model,
            from_scratch=from_scratch,
            resume=True,
            progress=show,
            expected=lambda seconds: print(f"{name}: about {duration(seconds)}"),
        )
    found = evaluate(run.tuned.preset, data, "test")
    draw(data, run.tuned.preset, out / name / "test.png")
    result = {
        "start_from": model,
        "minutes": round(run.tuned.seconds / 60, 1),
        "best_epoch": int(run.tuned.best["epoch"]) + 1,
        "epochs": len(run.tuned.history),
        "test": {"mean_iou": round(found.mean_iou, 4), **iou(found.classes["iou"])},
    }
    if run.comparison is not None:
        result["from_scratch"] = iou(run.comparison["from scratch"])
    return result


def iou(values) -> dict[str, float]:
    """Rounded, by class."""
    return {str(name): round(float(value), 4) for name, value in values.dropna().items()}


def draw(data: Dataset, preset: Path, path: Path) -> None:
    """All test frames, each with what was found (left) beside what is labelled (right)."""
    # The whole recording at once: grey levels are stretched over all of it.
    stack = np.stack([data.image(frame) for frame in data.frames])
    found = amseg_keras.from_pretrained(preset).segment(stack)
    rows = []
    for frame, image, labels in zip(data.frames, stack, found.labels, strict=True):
        if frame.split == "test":
            pair = [labels, data.labels(frame)]
            drawn = [overlay(image, ids, data.class_names, found.grey_range) for ids in pair]
            rows.append(np.concatenate(drawn, axis=1))
    Image.fromarray(with_legend(np.concatenate(rows), data.class_names)).save(path)


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--real", type=Path, required=True, help="folder of the real frames")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--model", default="amsegnet-esrf")
    parser.add_argument("--only", choices=list(RECORDINGS))
    parser.add_argument("--from-scratch", action="store_true")
    record_option(parser)
    parser.add_argument("--data-only", action="store_true", help="make the data sets and stop")
    arguments = parser.parse_args()
    names = [arguments.only] if arguments.only else list(RECORDINGS)
    if arguments.data_only:
        for name in names:
            print(data_set(name, arguments.real, arguments.out).folder)
        return
    path = arguments.out / "fine_tuning.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    for name in names:
        results[name] = measure(
            name, arguments.real, arguments.out, arguments.model, arguments.from_scratch
        )
        path.write_text(json.dumps(results, indent=2) + "\n")
    keep_record(arguments.record, {"recordings": results})
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
