"""`amseg quantify`: label maps in, tables, a figure and a record out."""

import json

import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner
from segmented_runs import write_run

from amseg_keras.command import main

LABELS = np.zeros((12, 64, 96), np.uint8)
LABELS[:, 20:] = 2
for number, frame in enumerate(LABELS):
    frame[20:40, 10 + 3 * number : 20 + 3 * number] = 3
LABELS[6:, 46:54, 20:28] = 4


def run(*arguments):
    return CliRunner().invoke(main, ["quantify", *map(str, arguments)])


@pytest.fixture
def scan(tmp_path):
    return write_run(tmp_path / "scan", LABELS)


def test_the_results_of_a_segmentation_lie_in_its_folder(scan):
    result = run(scan)
    assert result.exit_code == 0, result.output
    assert "keyhole in 12 of 12 frames, median depth 40 um, 1 pore formed" in result.output
    record = json.loads((scan / "quantities" / "quantities.json").read_text())
    assert sorted(path.name for path in (scan / "quantities").iterdir()) == sorted(
        record["outputs"]
    )
    assert record["trained_on"] == "simulated frames"
    assert record["scan_direction"] == 1
    frames = pd.read_csv(scan / "quantities" / "frames.csv")
    assert (frames["keyhole_area_um2"] == 800).all()
    assert frames["time_s"].to_list() == pytest.approx(np.arange(12) / 1000)


def test_pieces_of_keyhole_that_are_left_out_are_said(tmp_path):
    labels = LABELS.copy()
    labels[:, 44:50, 80:88] = 3  # stands still while the keyhole moves
    scan = write_run(tmp_path / "scan", labels)
    assert "12 pieces of keyhole left out (--all-keyholes keeps them)" in run(scan).output
    assert "left out" not in run(scan, "--all-keyholes").output


def test_parquet_holds_the_same_table_as_csv(scan):
    assert run(scan).exit_code == 0
    for name in ("frames", "pores", "tracks", "events"):
        csv = pd.read_csv(scan / "quantities" / f"{name}.csv")
        parquet = pd.read_parquet(scan / "quantities" / f"{name}.parquet")
        pd.testing.assert_frame_equal(csv, parquet, check_dtype=False, rtol=1e-5)


def test_what_the_user_says_of_scale_direction_and_process_goes_first(scan):
    result = run(
        scan, "--pixel-size", 4, "--frame-rate", 500, "--scan-direction", "left",
        "--parameter", "power_W=250", "--parameter", "material=Ti6Al4V",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    record = json.loads((scan / "quantities" / "quantities.json").read_text())
    assert record["scale"] == {"pixel_size_um": 4, "frame_rate_hz": 500}
    assert (record["scan_direction"], record["scan_direction_from"]) == (-1, "user")
    assert record["parameters"] == {"power_W": 250, "material": "Ti6Al4V"}
    assert record["summary"]["median_keyhole_depth_um"] == 80


def test_bare_label_maps_need_a_place_for_the_results(tmp_path):
    tifffile.imwrite(tmp_path / "shot.tif", LABELS)
    result = run(tmp_path / "shot.tif")
    assert result.exit_code == 2
    assert "need -o OUT" in result.output
    result = run(tmp_path / "shot.tif", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "all results are in pixels" in result.output
    frames = pd.read_csv(tmp_path / "out" / "shot" / "frames.csv")
    assert "keyhole_depth_um" not in frames
    assert (frames["keyhole_depth_px"] == 20).all()


def test_mended_labels_are_measured_anew(scan):
    assert run(scan).exit_code == 0
    tifffile.imwrite(scan / "labels.tif", np.where(LABELS == 4, 2, LABELS))
    assert run(scan).exit_code == 0
    assert pd.read_csv(scan / "quantities" / "pores.csv").empty


def test_the_results_of_other_labels_are_not_overwritten(tmp_path):
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        tifffile.imwrite(tmp_path / place / "shot.tif", LABELS)
    assert run(tmp_path / "a" / "shot.tif", "-o", tmp_path / "out").exit_code == 0
    again = tmp_path / "b" / "shot.tif", "-o", tmp_path / "out"
    result = run(*again)
    assert result.exit_code == 1
    assert "holds the result of another run" in result.output
    assert run(*again, "--overwrite").exit_code == 0


def test_frames_instead_of_labels_are_named_and_leave_nothing_behind(tmp_path):
    tifffile.imwrite(tmp_path / "scan.tif", np.full((2, 16, 16), 900, np.uint16))
    result = run(tmp_path / "scan.tif", "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "scan.tif: frame 0 holds the value 900" in result.output
    assert list((tmp_path / "out").rglob("*.csv")) == []


@pytest.mark.parametrize("wrong", ["power_W", "=200", "power_W="])
def test_a_parameter_without_name_or_value_is_wrong_use(scan, wrong):
    result = run(scan, "--parameter", wrong)
    assert result.exit_code == 2
    assert "is not like power_W=200" in result.output
