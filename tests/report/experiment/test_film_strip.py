"""Which frames of a recording are shown, and which part of them."""

import numpy as np
import pandas as pd
import pytest
from drawn_experiment import FRAMES, SHAPE, SURFACE, UNREADABLE, draw_labels, quantities
from hypothesis import given
from hypothesis import strategies as st

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.preprocess import GreyRange
from amseg_keras.report.colours import class_colours
from amseg_keras.report.experiment.film_strip import (
    Pictures,
    draw_strip,
    strip_frames,
    windows_around_keyhole,
)

LABELS_ALONE = Pictures(None, CLASS_NAMES, GreyRange(0, 1, 1))


@given(readable=st.sets(st.integers(0, 99), min_size=1), count=st.integers(1, 12))
def test_chosen_frames_are_readable_and_rise(readable, count):
    chosen = strip_frames(sorted(readable), 100, count)
    assert set(chosen) <= readable
    assert chosen == sorted(set(chosen))
    assert 1 <= len(chosen) <= count


@given(frames=st.integers(1, 500), count=st.integers(1, 12))
def test_chosen_frames_are_those_in_the_middle_of_equal_parts(frames, count):
    count = min(count, frames)
    for part, frame in enumerate(strip_frames(range(frames), frames, count)):
        begin, end = part * frames / count, (part + 1) * frames / count
        assert begin - 1 < frame < end
        assert abs(frame + 0.5 - (begin + end) / 2) < 1


def test_of_a_short_recording_every_frame_is_shown():
    assert strip_frames(range(3), 3) == [0, 1, 2]


def test_the_strip_shows_the_labels_of_its_frames():
    labels = draw_labels()
    strip = draw_strip(LABELS_ALONE, iter(labels), [3, 20])
    assert [one.frame for one in strip] == [3, 20]
    for one in strip:
        np.testing.assert_array_equal(one.picture, class_colours(CLASS_NAMES)[labels[one.frame]])


def test_labels_behind_the_last_frame_of_the_strip_are_not_read():
    def labels():
        yield from draw_labels()[:5]
        raise AssertionError

    assert len(draw_strip(LABELS_ALONE, labels(), [1, 4])) == 2


def test_windows_are_of_one_size_and_hold_the_keyhole():
    labels = draw_labels()
    chosen = [frame for frame in range(FRAMES - 2) if frame != UNREADABLE]
    windows = windows_around_keyhole(quantities().frames, chosen, SHAPE)
    assert len({(window.height, window.width) for window in windows}) == 1
    for frame, window in zip(chosen, windows, strict=True):
        cut = window.cut(labels[frame])
        assert cut.shape == (window.height, window.width)
        assert (cut == 3).sum() == (labels[frame] == 3).sum()


def test_the_surface_is_at_the_same_height_in_all_windows():
    tall = pd.DataFrame(
        {
            "frame": [0, 1, 2],
            "surface_slope": [0.0, 0.1, 0.0],
            "surface_y_px": [150.0, 160.0, np.nan],
            "keyhole_depth_px": [40.0, 30.0, np.nan],
            "keyhole_x_px": [200.0, 239.5, np.nan],
            "keyhole_tip_x_px": [190.0, 229.5, np.nan],
        }
    )
    first, second, third = windows_around_keyhole(tall, [0, 1, 2], (400, 480))
    assert first.height == 80
    # In the middle of the frame, the columns 239 and 240, the tilt does not matter; 5 left it does.
    assert 150 - first.top == pytest.approx(159.5 - second.top, abs=0.51)
    assert first.left + first.width / 2 == pytest.approx(195, abs=1)
    # Without a keyhole the nearest frame decides.
    assert third == second


def test_without_a_keyhole_or_a_surface_the_whole_frame_is_shown():
    for name in ("keyhole_depth_px", "surface_y_px"):
        frames = quantities().frames.assign(**{name: 0.0 if "depth" in name else np.nan})
        (window,) = windows_around_keyhole(frames, [5], SHAPE)
        assert (window.top, window.left, window.height, window.width) == (0, 0, *SHAPE)


def test_a_window_stays_inside_a_frame_that_is_smaller():
    frames = quantities().frames.assign(keyhole_depth_px=500.0, surface_y_px=float(SURFACE))
    (window,) = windows_around_keyhole(frames, [5], SHAPE)
    assert (window.height, window.width) == SHAPE
