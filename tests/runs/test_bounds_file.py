"""`bounds.npz` of a run."""

import numpy as np
import pytest

from amseg_keras.quantify.intervals import FrameBounds
from amseg_keras.read import ReadError
from amseg_keras.runs.segment_outputs import read_bounds, write_bounds


def test_what_is_written_is_read_back(tmp_path):
    maps = np.arange(48, dtype=np.uint8).reshape(2, 4, 6)
    factors = {"keyhole_depth": 1.5}
    bounds = {
        2: FrameBounds(maps[0], maps[1], None, (20, 4), factors),
        7: FrameBounds(maps[1], maps[0], (0.1, -2.0), (24, 0), factors),
    }
    write_bounds(tmp_path, bounds)
    found = read_bounds(tmp_path)
    assert list(found) == [2, 7]
    assert (found[2].edge, found[7].edge) == (None, (0.1, -2.0))
    assert found[7].class_pixels == (24, 0)
    assert found[2].factors == factors
    np.testing.assert_array_equal(found[2].most, maps[1])


def test_a_run_without_bounds_has_none(tmp_path):
    assert read_bounds(tmp_path) == {}


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"no archive"])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / "bounds.npz").write_bytes(content)
    with pytest.raises(ReadError, match=r"bounds\.npz.*delete it"):
        read_bounds(tmp_path)
