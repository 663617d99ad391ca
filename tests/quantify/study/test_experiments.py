"""The table of many experiments."""

import numpy as np
import pandas as pd
import pytest

from amseg_keras.quantify.scale import column_with_unit
from amseg_keras.quantify.study import (
    experiments_table,
    keyhole_frames,
    study_experiments,
)


def measured(pores, **more):
    quantities = ("area_delta_avg", "area_delta_max", "depth_delta_avg", "depth_delta_max")
    sizes = {"median_keyhole_depth_px": 30.0, "median_keyhole_area_px": 500.0}
    return {"pores_from_keyhole": pores} | dict.fromkeys(quantities, 0.2) | sizes | more


def test_a_row_for_each_experiment_with_its_parameters():
    table = experiments_table(
        {"b": measured(0), "a": measured(3)}, {"a": {"power_W": 300.0, "material": "Al"}}
    )
    assert table["experiment"].tolist() == ["b", "a"]
    assert table["has_pores"].tolist() == [False, True]
    assert table["power_W"].tolist() == pytest.approx([np.nan, 300.0], nan_ok=True)
    assert table["material"].isna().tolist() == [True, False]


def test_pores_that_did_not_come_from_the_keyhole_do_not_count():
    table = experiments_table({"a": measured(0, pores_formed=4)})
    assert table["has_pores"].tolist() == [False]


def test_a_parameter_does_not_replace_what_was_measured():
    table = experiments_table({"a": measured(0, scan_direction=1)}, {"a": {"scan_direction": -1}})
    assert table["scan_direction"].tolist() == [1]
    assert table["given_scan_direction"].tolist() == [-1]


def test_no_experiment_is_an_error():
    with pytest.raises(ValueError, match="no experiment"):
        experiments_table({})


def test_frames_without_keyhole_are_left_out_and_the_others_know_their_experiment():
    table = experiments_table({"a": measured(1), "b": measured(0)})
    frames = {
        "a": pd.DataFrame({"frame": [0, 1, 2], "keyhole_area_px": [0, 70, 80]}),
        "b": pd.DataFrame({"frame": [0, 1], "keyhole_area_px": [60, 0]}),
    }
    found = keyhole_frames(frames, table)
    assert found["keyhole_area_px"].tolist() == [70, 80, 60]
    assert found["has_pores"].tolist() == [True, True, False]
    assert found["experiment"].tolist() == ["a", "a", "b"]


def test_micrometres_are_taken_where_any_experiment_has_them():
    table = pd.DataFrame({"depth_px": [30.0, 40.0], "depth_um": [np.nan, 160.0]})
    assert column_with_unit(table, "depth") == "depth_um"
    assert column_with_unit(table.assign(depth_um=np.nan), "depth") == "depth_px"
    with pytest.raises(ValueError, match="width_um"):
        column_with_unit(table, "width")


def test_a_study_says_which_experiments_are_in_no_map():
    shallow = measured(0) | {"area_delta_avg": np.nan, "area_delta_max": np.nan}
    table = experiments_table({"a": measured(1), "b": measured(0), "c": shallow})
    notes = study_experiments(table).notes
    assert notes[0].startswith("1 of 3 experiments have no fluctuation")
    assert any("1 with and 1 without" in note for note in notes)


def test_a_study_of_a_column_that_is_not_there_names_those_that_are():
    with pytest.raises(ValueError, match=r"power is no column of numbers; .*area_delta_avg"):
        study_experiments(experiments_table({"a": measured(1)}), [("power", "area_delta_avg")])
