"""Notebook 5: transfer and training from scratch on castings."""

import pandas as pd
import pytest

pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

from notebooks.running import execute, notebook


def test_measures_the_porosity_of_labels_and_of_both_trainings(start, tmp_path):
    execute(
        notebook(5),
        tmp_path,
        MODEL=str(start),
        EPOCHS=1,
        SEQUENCES=3,
        SLICES=2,
        SHAPE="64x96",
    )
    results = tmp_path / "results" / "hpdc"
    porosity = pd.read_csv(results / "porosity.csv", index_col="of")
    assert list(porosity.index) == ["labels", "transferred", "from scratch"]
    assert porosity.loc["labels", "porosity (%)"] > 0
    transfer = pd.read_csv(results / "tuned" / "transfer.csv")
    assert {"fine-tuned", "from scratch"} <= set(transfer)
