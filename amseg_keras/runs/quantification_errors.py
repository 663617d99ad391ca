"""What wrong pixels mean for the quantities: measured beside an evaluation, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from amseg_keras.atomic import complete_or_absent
from amseg_keras.classes import IGNORE
from amseg_keras.datasets import Dataset, LabelledFrame
from amseg_keras.evaluation.evaluate import ComparedFrame
from amseg_keras.quantify import Scale, measure
from amseg_keras.quantify.classes import MEASURED, check_class_names
from amseg_keras.quantify.study import error_statistics, frame_errors

TABLES = ("quantity_errors.csv", "quantity_errors_by_material.csv")
PICTURE = "quantity_errors.png"
_UNKNOWN = "material not given"


class QuantityErrors:
    """Measures every frame of an evaluation twice: as it is labelled, and as it was found.

    Args:
        data: The data set: its pixel size gives errors in um.
        class_names: The network's.
    """

    def __init__(self, data: Dataset, class_names: Sequence[str]) -> None:
        self._data = data
        self._class_names = class_names
        self._absent = [name for name in MEASURED if name not in class_names]
        self._parts: list[pd.DataFrame] = []
        self.why_not: str | None = None
        """Why nothing is measured: a class name that is nearly a known one; None otherwise."""
        try:
            check_class_names(class_names, self._absent)
        except ValueError as error:
            self.why_not = str(error)

    def add(self, frame: LabelledFrame, compared: ComparedFrame) -> None:
        """Measure a frame; pixels without a label count in neither."""
        unlabelled = compared.truth == IGNORE
        if unlabelled.all() or self.why_not is not None:
            return
        scale = Scale(frame.pixel_size_um or self._data.pixel_size_um)
        labels = (np.where(unlabelled, IGNORE, compared.found), compared.truth)
        found, truth = (
            measure([one], self._class_names, scale, absent=self._absent).frames.assign(
                frame=frame.frame
            )
            for one in labels
        )
        self._parts.append(frame_errors(found, truth, frame.material or _UNKNOWN, frame.sequence))

    @property
    def table(self) -> pd.DataFrame | None:
        """A row for each frame and quantity, see `frame_errors`; None if there is none."""
        parts = [part for part in self._parts if len(part)]
        return pd.concat(parts, ignore_index=True) if parts else None

    def write(self, folder: Path, title: str) -> list[str]:
        """Write the table, its statistics and the paper's Figure 6b-d; what is old goes.

        Args:
            folder: Of the evaluation.
            title: Over the figure.

        Returns:
            Names of the files; none where no frame has a keyhole or a pore.
        """
        for name in (*TABLES, PICTURE):
            (folder / name).unlink(missing_ok=True)
        if (table := self.table) is None:
            return []
        # matplotlib takes half a second to import, which the other commands need not wait for.
        from amseg_keras.report.figure_files import save_figure
        from amseg_keras.report.study import error_figure

        for name, content in zip(TABLES, (table, error_statistics(table)), strict=True):
            with complete_or_absent(folder / name) as temporary:
                content.to_csv(temporary, index=False, float_format="%.6g")
        save_figure(error_figure(table, title=title), folder / Path(PICTURE).stem, ["png"])
        return [*TABLES, PICTURE]
