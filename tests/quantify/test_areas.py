"""Areas of the classes."""

import numpy as np

from amseg_keras.quantify import Scale, class_areas
from amseg_keras.runs.watch.results import measure_live

LABELS = np.array([[[0, 1, 1], [2, 2, 2]], [[255] * 3] * 2, [[0, 0, 255], [0, 1, 2]]], np.uint8)


def test_areas_count_pixels_of_every_class():
    table = class_areas(LABELS, ["gas", "powder", "plate"])
    assert table.columns.tolist() == ["frame", "gas_area_px", "powder_area_px", "plate_area_px"]
    assert table.iloc[0].tolist() == [0, 1, 2, 3]


def test_areas_in_um2_are_pixels_times_pixel_size_squared():
    table = class_areas(LABELS, ["gas", "powder", "plate"], pixel_size_um=4.31)
    np.testing.assert_allclose(table["plate_area_um2"], table["plate_area_px"] * 4.31**2)


def test_unreadable_frames_have_no_row_and_ignored_pixels_no_class():
    table = class_areas(LABELS, ["gas", "powder", "plate"])
    assert table["frame"].tolist() == [0, 2]
    assert table.iloc[1, 1:].sum() == 5


def test_no_frames_give_an_empty_table_with_its_columns():
    table = class_areas([], ["gas"])
    assert len(table) == 0
    assert table.columns.tolist() == ["frame", "gas_area_px"]


def test_a_live_row_has_the_areas_of_the_table_of_classes():
    labels = np.random.default_rng(0).integers(0, 3, (20, 30)).astype(np.uint8)
    labels[0] = 255
    names = ["background", "substrate", "keyhole"]
    row = measure_live(labels, names, Scale(2.0))
    table = class_areas(labels[None], names, 2.0).drop(columns="frame").iloc[0]
    assert {name: row[f"labelled_{name}"] for name in table.index} == dict(table)
