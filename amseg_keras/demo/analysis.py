"""A recording through the library, step by step, into the folders that the commands write."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amseg_keras.demo.networks import Network
from amseg_keras.demo.uploads import FOLDER as FRAMES
from amseg_keras.preprocess import GreyRange
from amseg_keras.quantify import Quantities, Scale
from amseg_keras.read import ReadError, StackSource
from amseg_keras.runs import RunSettings, run_stack
from amseg_keras.runs.explain import CONFIDENCE, HEAT, ExplainSettings, run_explanation
from amseg_keras.runs.labelled_experiment import find_experiments
from amseg_keras.runs.quantified_run import FOLDER
from amseg_keras.runs.quantify import QuantifySettings, quantify_experiment
from amseg_keras.runs.report import REPORT, report_run

Progress = Callable[[float], None]
"""Called with the number of frames that are done; may raise to stop."""

RESULTS = "results"

_TEXTS = (".html", ".json")
"""Endings of files that may say where on this server they lie."""

_PACKED = ("overlay.png", "overlay.mp4", REPORT)


@dataclass(frozen=True, eq=False)
class Analysis:
    """One recording on its way through the library.

    Attributes:
        home: Folder of the recording and of all that is made of it.
        recording: The frames.
        network: What segments them.
        scale: Pixel size and frame rate as the visitor set them; None for what is known.
    """

    home: Path
    recording: StackSource
    network: Network
    scale: Scale

    @property
    def folder(self) -> Path:
        """What `amseg segment` would have written; named as the recording."""
        return self.home / RESULTS / self.recording.name

    @property
    def labels(self) -> Path:
        """The label maps."""
        return self.folder / "labels.tif"

    @property
    def table(self) -> Path:
        """What was measured in each frame."""
        return self.folder / FOLDER / "frames.csv"

    def segment(self, progress: Progress) -> dict[str, Any]:
        """Label every frame.

        Returns:
            The record of the run.

        Raises:
            ReadError: No frame can be read.
        """
        settings = RunSettings(
            pixel_size_um=self.scale.pixel_size_um, frame_rate_hz=self.scale.frame_rate_hz
        )
        with self.recording.open() as stack:
            return run_stack(
                *(stack, self.network.segmenter, self.network.digest, self.folder, settings),
                progress,
            )

    def quantify(self) -> Quantities:
        """Measure what was labelled."""
        experiments, errors = find_experiments([str(self.folder)])
        if errors:
            raise ReadError(errors[0])
        settings = QuantifySettings(frame_rate_hz=self.scale.frame_rate_hz)
        return quantify_experiment(experiments[0], self.folder / FOLDER, settings)

    def explain(self, class_name: str, frame: int) -> tuple[Path, Path]:
        """Pictures of what speaks for a class in a frame, and of how sure its labels are."""
        index = self.network.segmenter.class_names.index(class_name)
        out = self.home / "explained" / f"{index}-{frame}"
        settings = ExplainSettings(class_name, frames=(frame,))
        with self.recording.open() as stack:
            run_explanation(stack, self.network.segmenter, self.network.digest, out, settings)
        heat, sure = (next((out / kind).glob("*.png")) for kind in (HEAT, CONFIDENCE))
        return heat, sure

    def pack(self) -> list[Path]:
        """Write the report; the files to be taken along, last all that there are as a ZIP."""
        report_run(self.folder)
        for path in self.folder.rglob("*"):
            if path.suffix in _TEXTS:
                path.write_text(self.without_folders(path.read_text("utf-8")), "utf-8")
        archive = self.home / f"{self.recording.name}.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            for path in sorted(self.folder.rglob("*")):
                packed.write(path, path.relative_to(self.folder.parent))
        paths = [self.labels, *(self.folder / name for name in _PACKED), self.table]
        paths += [self.table.with_name(name) for name in ("pores.csv", "tracks.csv")]
        return [*(path for path in paths if path.is_file()), archive]

    def without_folders(self, text: str) -> str:
        """A text that names files as the visitor knows them, not where they lie on this server."""
        return without_folders(text, self.home)


def without_folders(text: str, home: Path) -> str:
    """Take the path of a folder, and of those in it that the page made, out of a text."""
    for folder in (home / FRAMES, home / RESULTS, home):
        text = text.replace(f"{folder}{os.sep}", "").replace(str(folder), folder.name)
    return text


def grey_range_of(record: dict[str, Any]) -> GreyRange:
    """The grey levels that are shown black and white."""
    return GreyRange(**record["grey_range"])
