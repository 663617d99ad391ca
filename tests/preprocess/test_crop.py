"""Cropping: boxes and windows never reach out of the frame."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from stacks import Counting, noisy

from amseg_keras.preprocess import Box, Crop, FollowLaser, LaserPath, find_laser
from amseg_keras.read import open_stack


@given(data=st.data())
def test_a_box_inside_cuts_what_numpy_cuts(data):
    frame = np.arange(9 * 13).reshape(9, 13)
    x, y = data.draw(st.integers(0, 12)), data.draw(st.integers(0, 8))
    width, height = data.draw(st.integers(1, 13 - x)), data.draw(st.integers(1, 9 - y))
    cut = Box(x, y, width, height).cut(frame)
    assert cut.shape == (height, width)
    assert cut[0, 0] == frame[y, x]
    assert cut[-1, -1] == frame[y + height - 1, x + width - 1]


@given(x=st.integers(0, 20), width=st.integers(1, 20))
def test_a_box_is_refused_exactly_if_it_reaches_out(x, width):
    box = Box(x, 0, width, 4)
    if x + width <= 16:
        assert Crop(box).apply(noisy(2)).shape == (2, 4, width)
    else:
        with pytest.raises(ValueError, match="reaches out of the frames, which are 16 wide"):
            Crop(box).apply(noisy(2))


@pytest.mark.parametrize("numbers", [(-1, 0, 4, 4), (0, 0, 0, 4)])
def test_an_empty_or_negative_box_is_refused(numbers):
    with pytest.raises(ValueError, match="is not possible"):
        Box(*numbers)


@given(
    column=st.floats(-100, 200),
    speed=st.floats(-20, 20),
    width=st.integers(1, 50),
    index=st.integers(0, 29),
)
def test_a_window_stays_in_the_frame_and_around_the_laser(column, speed, width, index):
    frames = np.broadcast_to(np.arange(50.0), (30, 6, 50))
    window = FollowLaser(width, 3, LaserPath(column, speed)).apply(frames)
    left = window.positions(index)["left_px"]
    assert 0 <= left <= 50 - width
    np.testing.assert_array_equal(window[index][0], np.arange(left, left + width))
    if 0 < left < 50 - width:
        assert abs(left + width / 2 - (column + speed * index)) <= 0.5 + 1e-9


def test_a_window_larger_than_the_frames_is_refused():
    with pytest.raises(ValueError, match="reaches out"):
        FollowLaser(17, 3, LaserPath(0, 0)).apply(noisy(2))


def test_a_speed_to_the_left_is_negative():
    assert LaserPath.from_speed(100, -500, 40e3, 4.31).at(10) == pytest.approx(
        100 - 10 * 500e3 / 40e3 / 4.31
    )


def movie(frames=40, speed=5.0, seed=0):
    """A keyhole from column 30 on, two frames of bright spatter elsewhere."""
    rng = np.random.default_rng(seed)
    stack = rng.normal(1000, 15, (frames, 60, 300))
    for index, frame in enumerate(stack):
        at = round(30 + speed * index)
        frame[20:45, max(at - 6, 0) : at + 6] *= 1.2
    stack[7, 2:14, 250:270] *= 2
    stack[20, 2:14, 10:30] *= 2
    return stack


@pytest.mark.parametrize("depth", [1.0, 1e-3], ids=["counts", "ratios"])
def test_the_laser_is_found_in_spite_of_spatter(depth):
    found = find_laser(movie() * depth)
    assert found.path.px_per_frame == pytest.approx(5, abs=0.1)
    assert found.path.at(20) == pytest.approx(130, abs=3)
    assert found.row == pytest.approx(32, abs=3)


def test_the_laser_is_found_to_the_left():
    assert find_laser(movie()[:, :, ::-1]).path.px_per_frame == pytest.approx(-5, abs=0.1)


def test_frames_before_the_laser_take_no_part():
    quiet = np.random.default_rng(1).normal(1000, 15, (20, 60, 300))
    found = find_laser(np.concatenate([quiet, movie(30)]))
    assert found.path.at(30) == pytest.approx(80, abs=4)
    assert found.frames_used <= 32


def test_unreadable_frames_take_no_part():
    found = find_laser(Counting(movie(), broken=(0, 3, 4, 39)))
    assert found.path.at(20) == pytest.approx(130, abs=3)


def test_where_nothing_moves_the_laser_is_not_invented():
    with pytest.raises(ValueError, match="in 0 of 30 frames anything brightened"):
        find_laser(np.random.default_rng(0).normal(1000, 15, (30, 60, 300)))


def test_flashes_here_and_there_are_no_path():
    rng = np.random.default_rng(0)
    stack = rng.normal(1000, 15, (40, 60, 300))
    for frame in stack:
        at = rng.integers(0, 280)
        frame[20:40, at : at + 20] *= 1.3
    with pytest.raises(ValueError, match="from a straight path"):
        find_laser(stack)


def test_the_window_follows_the_real_keyhole(real_data):
    labels = [
        np.asarray(Image.open(path)) for path in sorted((real_data / "aps_ti64_labels").iterdir())
    ]
    with open_stack(real_data / "aps_ti64_frames") as stack:
        path = find_laser(stack).path
        window = FollowLaser(256, 256).apply(stack)
        for index, label in enumerate(labels):
            rows, columns = np.nonzero(label == 3)
            assert abs(path.at(index) - np.median(columns)) < 12
            box = window.positions(index)
            assert box["left_px"] < columns.min() < columns.max() < box["left_px"] + 256
            assert box["top_px"] < rows.min() < rows.max() < box["top_px"] + 256
