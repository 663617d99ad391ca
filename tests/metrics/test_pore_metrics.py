"""The pore-wise metrics against scikit-image's components and cases counted by hand."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.measure import label

from amseg_keras.metrics import PorePrecision, PoreRecall, pore_matches
from amseg_keras.metrics.shapewise import label_components


def ids(*rows):
    """A label map from a drawing: `#` is a pore, `?` is to be ignored."""
    drawn = np.array([[{"#": 1, "?": 255}.get(pixel, 0) for pixel in row] for row in rows])
    # All of one size, since JAX compiles for each.
    return np.pad(drawn, [(0, 4 - drawn.shape[0]), (0, 10 - drawn.shape[1])])[None]


def counted(kind, truth, found, **options):
    metric = kind(class_id=1, **options)
    metric.update_state(truth, np.eye(2, dtype="float32")[found])
    return metric


def counts(truth, found, **options):
    """As of `pore_matches`: true, found, and found, right."""
    return (
        *counted(PoreRecall, truth, found, **options).counts(),
        *counted(PorePrecision, truth, found, **options).counts(),
    )


def share(metric):
    return float(keras.ops.convert_to_numpy(metric.result()))


def spiral(size=21):
    """A path of one pixel's width from the corner to the middle."""
    mask = np.zeros((size, size), bool)
    row, column, step = 0, 0, (0, 1)
    mask[0, 0] = True
    for length in [size - 1, *(n for n in range(size - 1, 1, -2) for _ in range(2))]:
        for _ in range(length):
            row, column = row + step[0], column + step[1]
            mask[row, column] = True
        step = (step[1], -step[0])
    return mask


def random_masks(seed, shape=(12, 12, 15)):
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=shape), (0, 0.6, 0.6))
    return noise > rng.uniform(0, 0.4)


def test_a_pore_is_found_if_half_of_it_is_called_pore():
    truth = ids("####.##", ".......")
    assert counts(truth, ids("##.....", ".......")) == (2, 1, 1, 1)
    assert counts(truth, ids("#.....#", ".......")) == (2, 1, 2, 2)


def test_a_found_pore_is_right_if_half_of_it_is_on_true_pores():
    found = ids("######", "......")
    assert counts(ids("###...", "......"), found) == (1, 1, 1, 1)
    assert counts(ids("##....", "......"), found) == (1, 1, 1, 0)


def test_one_found_pore_may_find_two_and_two_may_find_one():
    apart, joined = ids("##.##"), ids("#####")
    assert counts(apart, joined) == (2, 2, 1, 1)
    assert counts(joined, apart) == (1, 1, 2, 2)


def test_pores_that_touch_at_a_corner_are_one():
    assert counts(ids("#..", ".#.", "..#"), ids("###", "...", "...")) == (1, 0, 1, 0)


@pytest.mark.parametrize(
    ("min_overlap", "found"), [(0.1, 1), (0.3, 1), (0.3001, 0), (0.5, 0), (1.0, 0)]
)
def test_min_overlap_is_the_share_that_is_enough(min_overlap, found):
    truth, called = ids("##########"), ids("###.......")
    assert counts(truth, called, min_overlap=min_overlap)[1] == found


def test_ignored_pixels_are_neither_found_nor_missed():
    truth = ids("##??..", "......")
    found = ids("######", "......")
    # of the found pore, two seen pixels are right and two are not
    assert counts(truth, found) == (1, 1, 2, 1)


def test_components_do_not_reach_from_a_frame_into_the_next():
    last, first = np.zeros((2, 1, 4, 10), int)
    last[0, -1, -1] = first[0, 0, 0] = 1
    truth = np.concatenate([last, first])
    assert counts(truth, truth) == (2, 2, 2, 2)


def test_small_and_large_pores_count_alike():
    truth = ids("######.#", "######..", "######..")
    metric = counted(PoreRecall, truth, ids("######..", "######..", "######.."))
    assert share(metric) == 0.5


def test_precision_is_the_share_of_right_ones_over_all_batches():
    metric = PorePrecision(class_id=1)
    for truth, found in ((ids("#.#.#"), ids("#.#.#")), (ids("....."), ids("..#.."))):
        metric.update_state(truth, np.eye(2)[found])
    assert share(metric) == 0.75


def test_without_pores_precision_and_recall_are_nan():
    nothing, one = ids("....."), ids("..#..")
    assert np.isnan(share(counted(PoreRecall, nothing, one)))
    assert np.isnan(share(counted(PorePrecision, one, nothing)))
    assert share(counted(PoreRecall, one, nothing)) == 0
    assert share(counted(PorePrecision, nothing, one)) == 0


@pytest.mark.parametrize("kind", [PorePrecision, PoreRecall])
@pytest.mark.parametrize("min_overlap", [0, 1.1])
def test_an_overlap_that_is_no_share_is_refused(kind, min_overlap):
    with pytest.raises(ValueError, match="min_overlap"):
        kind(1, min_overlap=min_overlap)


@pytest.mark.parametrize("flip", [False, True])
def test_a_spiral_is_one_component(flip):
    mask = spiral()[::-1, ::-1] if flip else spiral()
    labels = keras.ops.convert_to_numpy(label_components(mask[None]))
    assert label(mask, connectivity=2).max() == 1
    assert set(np.unique(labels)) == {0, np.flatnonzero(mask).max() + 1}


def test_components_of_a_whole_frame_and_of_none():
    masks = np.stack([np.ones((4, 5), bool), np.zeros((4, 5), bool)])
    labels = keras.ops.convert_to_numpy(label_components(masks))
    assert (labels[0] == 20).all()
    assert (labels[1] == 0).all()


def test_frames_with_more_pixels_than_float32_can_number_are_refused():
    with pytest.raises(ValueError, match="up to 2\\^24"):
        label_components(np.broadcast_to(False, (1, 4097, 4096)))


@settings(deadline=None, max_examples=5)
@given(seed=st.integers(0, 10**6))
def test_components_are_those_of_scikit_image(seed):
    masks = random_masks(seed)
    labels = keras.ops.convert_to_numpy(label_components(masks)).reshape(masks.shape)
    for own, mask in zip(labels, masks, strict=True):
        pairs = set(zip(own.ravel(), label(mask, connectivity=2).ravel(), strict=True))
        assert len(pairs) == len(np.unique(own)) == label(mask, connectivity=2).max() + 1


@settings(deadline=None, max_examples=5)
@given(seed=st.integers(0, 10**6), min_overlap=st.sampled_from([0.1, 0.25, 0.5, 0.9, 1.0]))
def test_counts_are_those_of_the_numpy_function(seed, min_overlap):
    truth, found = random_masks(seed).astype(int), random_masks(seed + 1).astype(int)
    truth[np.random.default_rng(seed).random(truth.shape) < 0.05] = 255
    seen = truth != 255
    frames = [
        pore_matches((t == 1) & s, (f == 1) & s, min_overlap)
        for t, f, s in zip(truth, found, seen, strict=True)
    ]
    expected = tuple(np.sum(frames, axis=0))
    assert counts(truth, found, min_overlap=min_overlap) == expected
