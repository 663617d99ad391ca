"""Evaluate a network on a data set, into one output folder.

report.html             all of it, to be read; needs no other file
classes.csv             scores of every class
frames.csv              scores of every frame
quantity_errors.csv     errors of keyhole area and depth and of pore area in every frame, with
                        quantity_errors_by_material.csv and .png; where there is keyhole or pore
confusion.csv, .png     pixels by labelled class (rows) and predicted class (columns)
worst/NN_NAME.png       the worst frames beside their labels
evaluation.json         all numbers, data set, network and settings; written last
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from PIL import Image

from amseg_keras.atomic import complete_or_absent
from amseg_keras.classes import IGNORE
from amseg_keras.datasets import Dataset, LabelledFrame
from amseg_keras.evaluation import Evaluation, SegmentedFrames, evaluate
from amseg_keras.evaluation.evaluate import ComparedFrame, Progress
from amseg_keras.outputs import OutputFiles, OutputFolder, RunIdentity, input_place
from amseg_keras.preprocess import GreyRange
from amseg_keras.quantify import Scale, measure
from amseg_keras.quantify.classes import MEASURED, check_class_names
from amseg_keras.quantify.study import error_statistics, frame_errors
from amseg_keras.read.names import safe_name
from amseg_keras.segment import Segmenter
from amseg_keras.versions import versions

if TYPE_CHECKING:
    from amseg_keras.report.evaluation_report import WorstFrame

TABLES = ("quantity_errors.csv", "quantity_errors_by_material.csv")
PICTURE = "quantity_errors.png"
_UNKNOWN = "material not given"


class QuantityErrors:
    """Errors of the quantities: every frame is measured with true and with predicted labels.

    Args:
        data: Data set, whose pixel size gives errors in um.

    Attributes:
        why_not: Reason why nothing is measured: a class name that resembles a known one; or None.
    """

    def __init__(self, data: Dataset, class_names: Sequence[str]) -> None:
        self._data = data
        self._class_names = class_names
        self._absent = [name for name in MEASURED if name not in class_names]
        self._parts: list[pd.DataFrame] = []
        self.why_not: str | None = None
        try:
            check_class_names(class_names, self._absent)
        except ValueError as error:
            self.why_not = str(error)

    def add(self, frame: LabelledFrame, compared: ComparedFrame) -> None:
        """Measure a frame without its unlabelled pixels."""
        unlabelled = compared.truth == IGNORE
        if unlabelled.all() or self.why_not is not None:
            return
        scale = Scale(frame.pixel_size_um or self._data.pixel_size_um)
        labels = (np.where(unlabelled, IGNORE, compared.found), compared.truth)
        predicted, truth = (
            measure([one], self._class_names, scale, absent=self._absent).frames.assign(
                frame=frame.frame
            )
            for one in labels
        )
        material = frame.material or _UNKNOWN
        self._parts.append(frame_errors(predicted, truth, material, frame.sequence))

    @property
    def table(self) -> pd.DataFrame | None:
        """Row for each frame and quantity, see `frame_errors`; None without rows."""
        parts = [part for part in self._parts if len(part)]
        return pd.concat(parts, ignore_index=True) if parts else None

    def write(self, folder: Path, title: str) -> list[str]:
        """Write the table, its statistics and the paper's Figure 6b-d, and delete old ones.

        Returns:
            Names of the files; empty if no frame has a keyhole or a pore.
        """
        for name in (*TABLES, PICTURE):
            (folder / name).unlink(missing_ok=True)
        if (table := self.table) is None:
            return []
        # matplotlib takes half a second to import, which the other commands need not wait for.
        from amseg_keras.report.experiment.look import save_figure
        from amseg_keras.report.study import error_figure

        for name, content in zip(TABLES, (table, error_statistics(table)), strict=True):
            with complete_or_absent(folder / name) as temporary:
                content.to_csv(temporary, index=False, float_format="%.6g")
        save_figure(error_figure(table, title=title), folder / Path(PICTURE).stem, ["png"])
        return [*TABLES, PICTURE]


RECORD = "evaluation.json"
WORST = "worst"
FILES = ("report.html", "classes.csv", "frames.csv", "confusion.csv", "confusion.png")

OUTPUTS = OutputFiles(
    "amseg evaluate",
    RECORD,
    (*FILES, "quantity_errors*.csv", "quantity_errors*.png", f"{WORST}/[0-9][0-9]*_*.png"),
    {"classes.csv": ("iou", "f1", "precision", "recall", "truth_pixels")},
)


@dataclass(frozen=True)
class EvaluateSettings:
    """Settings of an evaluation.

    Attributes:
        split: "train", "validation" or "test"; None for all labelled frames.
        worst: Number of worst frames that are drawn.
        device: Device as Keras names it, "cpu:0"; written to the record.
        overwrite: Replace the result of another run.
    """

    split: str | None = "test"
    worst: int = 6
    device: str | None = None
    overwrite: bool = False


def run_evaluation(
    segmenter: Segmenter,
    weights_sha256: str,
    data: Dataset,
    folder: Path | None,
    settings: EvaluateSettings,
    progress: Progress = lambda done, total: None,
) -> Evaluation:
    """Evaluate a network on a data set and write all files of the folder.

    The same evaluation is done again, because labels may have been corrected.

    Args:
        weights_sha256: Digest of its weights, by which an earlier run is recognised.
        folder: Output folder; None writes nothing.
        progress: Function of the number of frames that are done, and of all frames.

    Raises:
        OutputTakenError: The folder holds another result and `settings.overwrite` is off.
        ReadError: As for `evaluate`.
    """
    if folder is None:
        return evaluate(segmenter, data, settings.split, progress=progress)
    identity = RunIdentity(
        str(data.folder),
        input_place(data.folder, folder),
        settings={
            "split": settings.split or "all",
            "model": segmenter.info.name,
            "weights_sha256": weights_sha256,
        },
    )
    with OutputFolder(folder, OUTPUTS, settings.overwrite) as out:
        out.check(identity, redo=True)
        started = time.perf_counter()
        errors = QuantityErrors(data, segmenter.class_names)
        evaluation = evaluate(segmenter, data, settings.split, progress=progress, each=errors.add)
        made_with = {
            "weights_sha256": weights_sha256,
            "grey_levels": asdict(segmenter.scaling),
            "device": settings.device,
            **({"quantities_not_measured": errors.why_not} if errors.why_not else {}),
            "versions": versions(),
            "times": {
                "finished": datetime.now(UTC).isoformat(timespec="seconds"),
                "evaluate_s": round(time.perf_counter() - started, 3),
            },
        }
        out.begin(identity, redo=True)
        pictures = _write_pictures(folder, evaluation, segmenter, settings.worst)
        _write_tables(folder, evaluation)
        title = f"{segmenter.info.name} on {data.folder.resolve().name}"
        measured = errors.write(folder, title)
        _write_report(folder, evaluation, pictures, made_with)
        worst = [f"{WORST}/{path.name}" for path in _pictures_in(folder)]
        names = [*FILES, *measured, *worst, RECORD]
        out.finish(evaluation.as_json() | made_with | {"outputs": names})
        return evaluation


def _pictures_in(folder: Path) -> list[Path]:
    """List the pictures of worst frames, without other files of their folder."""
    return sorted((folder / WORST).glob("[0-9][0-9]*_*.png"))


def _write_pictures(
    folder: Path, evaluation: Evaluation, segmenter: Segmenter, count: int
) -> list[WorstFrame]:
    """Segment the worst frames once more and draw them."""
    # matplotlib takes half a second to import, which the other commands need not wait for.
    from amseg_keras.report.evaluation_report import WorstFrame, compare_frame, draw_confusion

    draw_confusion(evaluation.confusion, evaluation.class_names, folder / "confusion.png")
    for old in _pictures_in(folder):
        old.unlink()
    segmented = SegmentedFrames(segmenter, evaluation.data, evaluation.split)
    grey_range = GreyRange(0, segmenter.scaling.top, segmenter.scaling.top)
    pictures = []
    for place, counts in enumerate(evaluation.worst(count), 1):
        compared = segmented.read(counts.frame)
        picture = compare_frame(
            compared.image, compared.truth, compared.found, evaluation.class_names, grey_range
        )
        stem = safe_name(PurePosixPath(counts.frame.image).stem)
        path = folder / WORST / f"{place:02}_{stem}.png"
        path.parent.mkdir(exist_ok=True)
        with complete_or_absent(path) as temporary:
            Image.fromarray(picture).save(temporary, optimize=True)
        pictures.append(WorstFrame(counts, path.read_bytes()))
    return pictures


def _write_tables(folder: Path, evaluation: Evaluation) -> None:
    names = list(evaluation.class_names)
    confusion = pd.DataFrame(evaluation.confusion, names, names).rename_axis("truth")
    for name, table, index in (
        ("classes.csv", evaluation.classes, True),
        ("frames.csv", evaluation.frames, False),
        ("confusion.csv", confusion, True),
    ):
        with complete_or_absent(folder / name) as temporary:
            table.to_csv(temporary, index=index, float_format="%.6g")


def _write_report(
    folder: Path, evaluation: Evaluation, pictures: list[WorstFrame], made_with: dict[str, Any]
) -> None:
    from amseg_keras.report.evaluation_report import evaluation_report

    grey_levels = made_with["grey_levels"]
    versions = ", ".join(f"{name} {version}" for name, version in made_with["versions"].items())
    about = {
        "weights (SHA-256)": made_with["weights_sha256"],
        "grey levels": ", ".join(f"{key} {value}" for key, value in grey_levels.items()),
        "versions": versions,
        "device": made_with["device"] or "not given",
        "date": made_with["times"]["finished"],
    }
    confusion = (folder / "confusion.png").read_bytes()
    errors = folder / PICTURE
    quantities = errors.read_bytes() if errors.exists() else None
    with complete_or_absent(folder / "report.html") as temporary:
        text = evaluation_report(evaluation, confusion, pictures, about, quantities)
        temporary.write_text(text, encoding="utf-8")
