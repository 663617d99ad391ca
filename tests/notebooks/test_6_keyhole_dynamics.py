"""Notebook 6: keyholes and pores over time, and many experiments."""

import pandas as pd
import pytest

pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

from notebooks.running import execute, notebook

EXPERIMENTS = 6


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What a run on a few short recordings leaves behind."""
    folder = tmp_path_factory.mktemp("dynamics")
    execute(notebook(6), folder, FRAMES=16, EXPERIMENTS=EXPERIMENTS, SHAPE=(128, 384))
    return folder / "results" / "dynamics"


def test_every_experiment_has_a_row(results):
    table = pd.read_csv(results / "experiments.csv")
    assert len(table) == EXPERIMENTS
    assert {"power_W", "speed_mm_s", "area_delta_avg", "has_pores"} <= set(table)


def test_the_network_is_compared_with_the_truth(results):
    assert set(pd.read_csv(results / "correlations.csv")) >= {"network", "true labels"}
    errors = pd.read_csv(results / "errors.csv")
    depth = errors[errors["quantity"] == "keyhole_depth"]["relative_error_percent"]
    assert depth.abs().median() < 20
