"""Repair of pixels that hold no grey level, and of swapped black and white."""

import json

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from amseg_keras.command import main
from amseg_keras.preprocess import Repair
from amseg_keras.preprocess.repair import dead_pixels, fill
from amseg_keras.read import open_stack


def ramp(dtype="uint16", size=(24, 32)):
    rows, columns = np.mgrid[: size[0], : size[1]]
    return (500 + 3 * rows + 2 * columns).astype(dtype)


@settings(deadline=None)
@given(st.sets(st.tuples(st.integers(0, 23), st.integers(0, 31)), min_size=1, max_size=40))
def test_filled_pixels_are_medians_of_good_neighbours(places):
    bad = np.zeros((24, 32), bool)
    bad[tuple(np.transpose(sorted(places)))] = True
    frame = ramp("float32")
    filled = fill(frame, bad)
    np.testing.assert_array_equal(filled[~bad], frame[~bad])
    for row, column in places:
        radius = 1
        while True:
            window = (
                slice(max(row - radius, 0), row + radius + 1),
                slice(max(column - radius, 0), column + radius + 1),
            )
            good = frame[window][~bad[window]]
            if len(good) >= 3:
                break
            radius *= 2
        assert filled[row, column] == pytest.approx(np.median(good))


@pytest.mark.parametrize(
    ("dtype", "value"),
    [("uint16", 65535), ("uint32", 2**32 - 1), ("uint32", 2**32 - 2), ("int32", -1)],
)
def test_dead_pixels_and_whole_gaps_of_a_detector_are_found(dtype, value):
    frame = ramp(dtype)
    expected = np.zeros(frame.shape, bool)
    expected[3, 4] = expected[10:13] = True
    frame[expected] = value
    np.testing.assert_array_equal(dead_pixels(frame), expected)


def test_a_saturated_region_is_not_dead():
    rows, columns = np.mgrid[:40, :40]
    frame = np.minimum(90000 - 60 * ((rows - 20) ** 2 + (columns - 20) ** 2), 65535)
    assert not dead_pixels(np.clip(frame, 0, None).astype(np.uint16)).any()


def test_counts_are_kept_where_nothing_is_wrong():
    frames = ramp()[None]
    repaired = Repair().apply(frames)
    np.testing.assert_array_equal(repaired[0], frames[0])
    assert repaired.measured["repaired_px"] == 0


def prepare(*arguments):
    result = CliRunner().invoke(main, ["prepare", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.output


def test_prepare_repairs_nan_on_request_and_says_how_many(tmp_path):
    frames = np.stack([ramp("float32")] * 3)
    frames[1, 5, 5:8] = np.nan
    frames[2, 0, 0] = np.inf
    np.save(tmp_path / "a.npy", frames)
    said = prepare(
        tmp_path / "a.npy", "--repair", "--stretch", "none", "--dtype", "float32", "-o", tmp_path
    )
    assert "4 pixels in 2 frames were NaN" in said
    with open_stack(tmp_path / "a" / "frames.tif") as stack:
        assert np.isfinite(np.stack(list(stack))).all()
        assert abs(float(stack[1][5, 6]) - float(ramp()[5, 6])) <= 4
    record = json.loads((tmp_path / "a" / "prepare.json").read_text())
    assert record["measured"]["repair"]["repaired_px"] == 4


def test_prepare_turns_frames_over_whose_file_says_that_0_is_white(tmp_path):
    frames = np.stack([ramp("uint16")] * 6)
    tifffile.imwrite(tmp_path / "a.tif", 65535 - frames, photometric="miniswhite", metadata=None)
    with open_stack(tmp_path / "a.tif") as stack:
        assert "amseg prepare --repair" in stack.notes[0]
    said = prepare(
        tmp_path / "a.tif", "--repair", "--stretch", "none", "--dtype", "uint16", "-o", tmp_path
    )
    assert "turned over" in said
    with open_stack(tmp_path / "a" / "frames.tif") as stack:
        np.testing.assert_array_equal(np.stack(list(stack)), frames)


def test_a_stack_says_how_many_pixels_may_be_dead(tmp_path):
    frames = np.stack([ramp("uint16")] * 3)
    frames[0, 4, 4:6] = 65535
    np.save(tmp_path / "a.npy", frames)
    with open_stack(tmp_path / "a.npy") as stack:
        assert stack.notes == (
            "2 pixels of frame 0 are 65535, dead or saturated; to replace the dead ones: "
            "amseg prepare --repair",
        )
