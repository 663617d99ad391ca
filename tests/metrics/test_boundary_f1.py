"""The boundary metric against SciPy's morphology and cases counted by hand."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from amseg_keras.metrics import BoundaryF1, BoundaryMatches, boundary_matches


def square(top, left, size=6, shape=(16, 20)):
    mask = np.zeros(shape, bool)
    mask[top : top + size, left : left + size] = True
    return mask


def counted(truth_ids, found_ids, **options):
    """A metric that has seen one batch."""
    metric = BoundaryF1(class_id=1, **options)
    metric.update_state(truth_ids, np.eye(3, dtype="float32")[found_ids])
    return metric


def score(metric):
    return float(keras.ops.convert_to_numpy(metric.result()))


def smooth_ids(seed, shape=(3, 14, 17)):
    """Label maps of three classes in patches."""
    noise = np.random.default_rng(seed).normal(size=shape)
    return np.digitize(ndimage.gaussian_filter(noise, (0, 1.5, 1.5)), [-0.08, 0.1])


def test_the_boundary_of_a_square_is_its_outermost_pixels():
    assert boundary_matches(square(4, 4), square(4, 4), tolerance=0) == (20, 20, 20, 20)


def test_the_edge_of_the_frame_is_no_boundary():
    mask = np.ones((8, 8), bool)
    assert boundary_matches(mask, mask) == (0, 0, 0, 0)


def test_the_edge_of_ignored_pixels_is_no_boundary():
    mask = square(4, 4)
    seen = ndimage.binary_dilation(mask, iterations=2)
    seen &= ~(ndimage.binary_dilation(mask) & ~mask)
    assert boundary_matches(mask, mask, seen=seen) == (0, 0, 0, 0)


def test_a_diagonal_neighbour_makes_no_boundary():
    truth = np.ones((1, 3, 3), int)
    truth[0, 0, 0] = 0
    # (0, 1) and (1, 0), not (1, 1)
    np.testing.assert_array_equal(counted(truth, truth).counts(), [2, 2, 2, 2])


@pytest.mark.parametrize(("tolerance", "matched"), [(0, 10), (1, 20), (2, 20)])
def test_a_square_that_is_one_pixel_off_matches_within_one_pixel(tolerance, matched):
    truth, found = square(4, 4)[None].astype(int), square(4, 5)[None].astype(int)
    metric = counted(truth, found, tolerance=tolerance)
    np.testing.assert_array_equal(metric.counts(), [20, matched, 20, matched])
    assert score(metric) == pytest.approx(matched / 20)


def test_distances_are_those_of_the_chessboard():
    truth, found = np.zeros((2, 1, 9, 9), int)
    truth[0, 3, 3] = found[0, 5, 5] = 1
    assert score(counted(truth, found, tolerance=2)) == 1
    assert score(counted(truth, found, tolerance=1)) == 0


def test_f1_is_of_precision_and_recall():
    truth = square(4, 2)[None].astype(int)
    found = truth | square(4, 12)[None]
    # all of the truth is found; half of what was found is right
    assert score(counted(truth, found)) == pytest.approx(2 * 1 * 0.5 / 1.5)


def test_a_boundary_that_is_in_one_map_alone_scores_0():
    nothing = np.zeros((1, 16, 20), int)
    one = square(4, 4)[None].astype(int)
    assert score(counted(one, nothing)) == 0
    assert score(counted(nothing, one)) == 0


def test_no_boundary_at_all_is_nan():
    nothing = np.zeros((1, 16, 20), int)
    assert np.isnan(score(counted(nothing, nothing)))


def test_a_negative_tolerance_is_refused():
    with pytest.raises(ValueError, match="tolerance"):
        BoundaryF1(1, tolerance=-1)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10**6), tolerance=st.integers(0, 3))
def test_counts_are_those_of_morphology_and_distances(seed, tolerance):
    truth, found = smooth_ids(seed), smooth_ids(seed + 1)
    truth[np.random.default_rng(seed).random(truth.shape) < 0.05] = 255
    frames = [
        boundary_matches(t == 1, f == 1, tolerance, t != 255)
        for t, f in zip(truth, found, strict=True)
    ]
    expected = np.sum(frames, axis=0)
    np.testing.assert_array_equal(counted(truth, found, tolerance=tolerance).counts(), expected)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10**6), tolerance=st.integers(0, 3))
def test_matches_are_the_boundary_pixels_within_the_distance(seed, tolerance):
    truth, found = (smooth_ids(s)[0] == 1 for s in (seed, seed + 1))

    def boundary(mask):
        padded = np.pad(mask, 1, constant_values=True)
        cross = ndimage.generate_binary_structure(2, 1)
        return mask & ~ndimage.binary_erosion(padded, cross, border_value=1)[1:-1, 1:-1]

    def near(own, other):
        if not other.any():
            return 0
        distance = ndimage.distance_transform_cdt(~other, metric="chessboard")
        return int((own & (distance <= tolerance)).sum())

    own, other = boundary(truth), boundary(found)
    expected = BoundaryMatches(own.sum(), near(own, other), other.sum(), near(other, own))
    assert boundary_matches(truth, found, tolerance) == expected
