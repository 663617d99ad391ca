"""The keyhole of the 25 APS frames, from their published labels."""

import numpy as np
import pytest
from PIL import Image

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.quantify import Scale, measure


@pytest.fixture(scope="module")
def found(real_data):
    folder = real_data / "aps_ti64_labels"
    if not folder.is_dir():
        pytest.skip(f"no labels of the APS frames in {folder}")
    labels = (np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png")))
    return measure(labels, CLASS_NAMES, Scale(2.0, 50_000.0))


def test_the_keyhole_is_in_every_frame_and_150_um_deep_or_so(found):
    assert found.summary["keyhole_frames"] == found.summary["frames"] == 25
    assert 140 < found.summary["median_keyhole_depth_um"] < 190
    assert found.frames["keyhole_depth_um"].between(120, 220).all()


def test_its_depth_is_that_of_the_lowest_pixel_below_the_row_of_the_surface(found, real_data):
    # The plate is level within two rows, so that they can be counted.
    paths = sorted((real_data / "aps_ti64_labels").glob("*.png"))
    for path, depth in zip(paths, found.frames["keyhole_depth_px"], strict=True):
        labels = np.asarray(Image.open(path))
        rows = np.flatnonzero((labels == CLASS_NAMES.index("keyhole")).any(axis=1))
        plate = np.median((labels == CLASS_NAMES.index("substrate")).argmax(axis=0))
        assert depth == pytest.approx(rows[-1] + 1 - plate, abs=1.5)


def test_the_laser_goes_to_the_right_and_the_front_wall_leans(found):
    assert found.scan_direction == 1
    assert found.frames["front_wall_angle_deg"].between(60, 90).all()


def test_there_are_no_pores(found):
    assert len(found.pores) == 0
    assert (found.frames["porosity"] == 0).all()
