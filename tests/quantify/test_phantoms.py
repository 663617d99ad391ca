"""Phantoms are taken away, keyholes are left."""

import numpy as np
import pandas as pd
import pytest

from amseg_keras.quantify import find_phantoms, measure

NAMES = ["background", "substrate", "keyhole"]
SHAPE = (60, 200)


def plate(frames):
    labels = np.ones((frames, *SHAPE), np.uint8)
    labels[:, :20] = 0
    return labels


def with_keyhole(labels, columns, rows=(20, 40), half=4):
    for frame, column in enumerate(columns):
        if column is not None:
            labels[frame, rows[0] : rows[1], int(column) - half : int(column) + half] = 2
    return labels


def cleaned(labels):
    phantoms = find_phantoms(labels, NAMES)
    return np.stack(
        [phantoms.removed_from(index, frame, NAMES) for index, frame in enumerate(labels)]
    )


def moving(frames=12, first=30, step=8):
    return [first + step * frame for frame in range(frames)]


def test_a_keyhole_that_moves_is_left_alone():
    labels = with_keyhole(plate(12), moving())
    np.testing.assert_array_equal(cleaned(labels), labels)


@pytest.mark.parametrize("half", [3, 20])
def test_a_piece_that_stands_still_beside_a_moving_keyhole_is_taken_away(half):
    alone = with_keyhole(plate(12), moving())
    both = with_keyhole(alone.copy(), [170] * 12, rows=(30, 55), half=half)
    np.testing.assert_array_equal(cleaned(both), alone)


def test_a_piece_that_moves_against_the_keyhole_is_taken_away():
    alone = with_keyhole(plate(12), moving(), half=6)
    against = [190 - 6 * frame if frame < 6 else None for frame in range(12)]
    np.testing.assert_array_equal(cleaned(with_keyhole(alone.copy(), against, half=2)), alone)


def test_a_phantom_before_the_laser_is_on_is_taken_away():
    columns = [None] * 5 + moving(12)
    alone = with_keyhole(plate(17), columns)
    before = with_keyhole(alone.copy(), [180, 180, None, 180, None], half=5)
    np.testing.assert_array_equal(cleaned(before), alone)


def test_a_laser_that_stands_still_keeps_its_keyhole():
    labels = with_keyhole(plate(10), [None, None] + [100] * 8)
    np.testing.assert_array_equal(cleaned(labels), labels)


def test_a_second_pass_back_is_left_alone():
    columns = moving(12) + [None] * 3 + moving(12)[::-1]
    labels = with_keyhole(plate(27), columns)
    np.testing.assert_array_equal(cleaned(labels), labels)


def test_a_keyhole_that_is_lost_for_a_few_frames_is_left_alone():
    columns = moving(16)
    columns[6] = columns[7] = None
    labels = with_keyhole(plate(16), columns)
    np.testing.assert_array_equal(cleaned(labels), labels)


def test_a_keyhole_broken_into_pieces_keeps_all_of_them():
    labels = with_keyhole(plate(12), moving())
    labels[:, 28:32] = np.where(labels[:, 28:32] == 2, 1, labels[:, 28:32])
    np.testing.assert_array_equal(cleaned(labels), labels)


def test_the_pixels_of_a_phantom_get_the_class_around_them():
    labels = with_keyhole(plate(12), moving())
    labels[:, 5:10, 180:190] = 2
    found = cleaned(labels)
    assert set(np.unique(found[:, 5:10, 180:190])) == {0}


def test_without_a_keyhole_class_there_are_no_phantoms():
    assert find_phantoms(plate(3), ["background", "pore"]).record()["pieces_removed"] == 0


def test_measured_keyholes_are_those_of_the_laser():
    alone = with_keyhole(plate(12), moving())
    both = with_keyhole(alone.copy(), [170] * 12, rows=(20, 55), half=20)
    expected = measure(alone, NAMES, absent=["pore"]).frames
    assert not measure(both, NAMES, absent=["pore"]).frames.equals(expected)
    found = measure(both, NAMES, absent=["pore"], phantoms=find_phantoms(both, NAMES))
    pd.testing.assert_frame_equal(found.frames, expected)
    assert found.summary["phantoms_removed"] == 12


def test_the_record_counts_what_is_taken_away():
    labels = with_keyhole(plate(12), moving())
    labels[3, 40:50, 150:160] = 2
    assert find_phantoms(labels, NAMES).record() == {
        "rule": "one keyhole a laser",
        "frames_changed": 1,
        "pieces_removed": 1,
    }
