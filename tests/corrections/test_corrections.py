"""Correcting label maps: shapes, undo, thresholds, and what is kept on disk."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amseg_keras.corrections import (
    Corrections,
    LabelStack,
    Thresholds,
    brush,
    piece,
    polygon,
    region,
)
from amseg_keras.datasets import open_dataset
from amseg_keras.read import ReadError

NAMES = ("background", "substrate", "pore")
SHAPE = (30, 40)


@pytest.fixture
def found():
    """Three label maps: gas over a plate with a pore of 24 pixels and a speck of one."""
    labels = np.zeros((3, *SHAPE), np.uint8)
    labels[:, 10:] = 1
    labels[:, 15:19, 20:26] = 2
    labels[:, 25, 5] = 2
    return labels


@pytest.fixture
def stack(found):
    return LabelStack(found, NAMES)


POINT = st.tuples(st.floats(-50, 80), st.floats(-50, 80))


@given(points=st.lists(POINT, min_size=1, max_size=4), radius=st.floats(0, 30))
def test_a_stroke_may_leave_the_frame(points, radius):
    mask = brush(SHAPE, points, radius)
    rows, columns = np.indices(SHAPE)
    row, column = points[0]
    at_first = np.hypot(rows - row, columns - column) <= radius
    assert (mask | ~at_first).all()


def test_a_stroke_of_a_small_brush_has_no_gaps():
    mask = brush(SHAPE, [(2, 3), (27, 36)], radius=1)
    assert (piece(mask.astype(np.uint8), (2, 3)) == mask).all()


def test_a_polygon_may_leave_the_frame():
    assert polygon(SHAPE, [(-9, -9), (-9, 99), (99, 99), (99, -9)]).all()


def test_pieces_that_touch_at_a_corner_are_one():
    labels = np.eye(5, dtype=np.uint8)
    assert (piece(labels, (0, 0)) == labels.astype(bool)).all()


@pytest.mark.parametrize("level", [140, 60])
def test_a_click_finds_the_bright_or_dark_thing_around_it(level):
    rng = np.random.default_rng(0)
    frame = rng.normal(100, 4, (120, 120))
    truth = brush(frame.shape, [(60, 55)], 9)
    frame[truth] += level - 100
    assert (region(frame, (58, 52)) ^ truth).sum() < 0.05 * truth.sum()


def test_a_click_on_nothing_paints_a_small_disc():
    frame = np.random.default_rng(0).normal(100, 4, (120, 120))
    assert 9 <= region(frame, (60, 60)).sum() <= 25


def test_the_labels_that_were_found_are_never_written_to(stack, found):
    before = found.copy()
    stack.paint(0, np.ones(SHAPE, bool), "pore")
    assert (found == before).all()
    assert (stack.found(0) == before[0]).all()
    with pytest.raises(ValueError, match="read-only"):
        stack[0][0, 0] = 1


def test_every_step_of_a_frame_can_be_undone_and_done_again(stack, found):
    stack.fill(0, (16, 22), "substrate")
    stack.paint(0, brush(SHAPE, [(12, 8)], 2), "pore")
    stack.paint(1, brush(SHAPE, [(12, 8)], 2), "pore")
    last = stack[0].copy()
    assert stack.undo(0)
    assert stack.undo(0)
    assert not stack.undo(0)
    assert (stack[0] == found[0]).all()
    assert stack.corrected == (1,)
    assert stack.redo(0)
    assert stack.redo(0)
    assert not stack.redo(0)
    assert (stack[0] == last).all()


def test_a_new_step_forgets_what_was_undone(stack):
    stack.fill(0, (16, 22), "substrate")
    stack.undo(0)
    stack.fill(0, (25, 5), "substrate")
    assert not stack.can_redo(0)


def test_a_frame_that_is_painted_back_is_not_corrected(stack):
    stack.remove_piece(2, (25, 5))
    stack.paint(2, brush(SHAPE, [(25, 5)], 0.5), "pore")
    assert stack.corrected == ()
    assert stack.revision == 2


def test_a_removed_piece_gets_the_class_around_it(stack, found):
    assert stack.remove_piece(0, (16, 22)) == "substrate"
    assert (stack[0][15:19, 20:26] == 1).all()
    assert (stack[0] != found[0]).sum() == 24


def test_a_missed_pore_is_added_by_a_click(stack):
    grey = np.full(SHAPE, 100.0)
    grey[20:24, 10:16] = 150
    assert stack.add_piece(0, grey, (22, 12), "pore")
    assert (stack[0][20:24, 10:16] == 2).all()


def test_a_class_that_is_not_there_is_refused(stack):
    with pytest.raises(ValueError, match="no class is called 'crack'; there are background"):
        stack.fill(0, (0, 0), "crack")
    with pytest.raises(ValueError, match="no class is called 7"):
        stack.replace(0, np.full(SHAPE, 7, np.uint8))


def test_a_point_outside_the_frame_is_refused(stack):
    with pytest.raises(ValueError, match="row 30, column 3 is outside the frame of 30 x 40"):
        stack.fill(0, (30, 3), "pore")


def test_small_pieces_are_taken_out(found):
    kept = Thresholds(smallest_px=2, classes=("pore",)).apply(found[0], NAMES)
    assert kept[25, 5] == 1
    assert (kept == 2).sum() == 24


def test_uncertain_pieces_are_taken_out(found):
    sure = np.full(SHAPE, 0.9)
    sure[15:19, 20:26] = 0.5
    kept = Thresholds(least_confidence=0.6, classes=("pore",)).apply(found[0], NAMES, sure)
    assert (kept == 2).sum() == 1
    with pytest.raises(ValueError, match="needs the confidence"):
        Thresholds(least_confidence=0.6).apply(found[0], NAMES)


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(0, 4096, (3, *SHAPE), "uint16")


def test_corrected_frames_are_a_data_set(stack, frames, tmp_path):
    stack.remove_piece(1, (25, 5))
    Corrections(tmp_path / "mine", NAMES, 2.0).keep_all("shot 7", frames, stack)
    data = open_dataset(tmp_path / "mine")
    assert (data.class_names, data.pixel_size_um) == (NAMES, 2.0)
    assert [(one.sequence, one.frame, one.label is not None) for one in data.frames] == [
        ("shot_7", 0, False),
        ("shot_7", 1, True),
        ("shot_7", 2, False),
    ]
    assert (data.image(data.frames[1]) == frames[1]).all()
    assert (data.labels(data.frames[1]) == stack[1]).all()


def test_kept_corrections_are_put_back_into_another_stack(stack, found, frames, tmp_path):
    stack.remove_piece(1, (25, 5))
    Corrections(tmp_path, NAMES).keep_all("shot", frames, stack)
    again = LabelStack(found, NAMES)
    assert Corrections(tmp_path, NAMES).put_into(again, "shot") == (1,)
    assert (again[1] == stack[1]).all()
    again.undo(1)
    assert again.corrected == ()


def test_a_correction_that_is_undone_is_taken_out(stack, frames, tmp_path):
    kept = Corrections(tmp_path, NAMES)
    stack.remove_piece(1, (25, 5))
    kept.keep_all("shot", frames, stack)
    stack.undo(1)
    kept.keep_all("shot", frames, stack)
    assert kept.numbers("shot") == ()
    assert not (tmp_path / "labels" / "shot_00001.png").exists()


def test_recordings_are_sequences_of_their_own(stack, frames, tmp_path):
    stack.remove_piece(1, (25, 5))
    kept = Corrections(tmp_path, NAMES)
    for name in ("b", "a"):
        kept.keep_all(name, frames, stack)
    assert kept.recordings == ("a", "b")


def test_a_recording_is_forgotten_with_its_files(stack, frames, tmp_path):
    stack.remove_piece(1, (25, 5))
    kept = Corrections(tmp_path, NAMES)
    for name in ("b", "a"):
        kept.keep_all(name, frames, stack)
    kept.forget("a")
    assert Corrections(tmp_path, NAMES).recordings == ("b",)
    assert not list(tmp_path.rglob("a_0*"))


def test_a_folder_with_other_classes_is_refused(stack, frames, tmp_path):
    stack.remove_piece(1, (25, 5))
    Corrections(tmp_path, NAMES).keep_all("shot", frames, stack)
    with pytest.raises(ReadError, match="give another folder"):
        Corrections(tmp_path, ("gas", "melt"))
