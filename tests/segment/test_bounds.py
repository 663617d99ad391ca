"""Label maps between which the truth lies."""

import numpy as np

from amseg_keras.preprocess import GreyScaling
from amseg_keras.preprocess.inputs import Channels, Inputs
from amseg_keras.segment.bounds import bounded_frames, find_bounds, labels_at

NAMES = ("background", "substrate", "keyhole", "melt pool")


def test_the_smaller_map_lies_within_the_larger_one():
    probabilities = np.random.default_rng(0).dirichlet([0.3] * 4, (40, 50))
    least, most = (labels_at(probabilities, NAMES, limit) for limit in (0.95, 0.05))
    assert ((least == 2) <= (most == 2)).all()
    assert 0 < (least == 2).sum() < (probabilities.argmax(axis=-1) == 2).sum() < (most == 2).sum()


def test_liquid_is_metal_and_not_what_metal_is_compared_with():
    probabilities = np.array([[[0.02, 0.02, 0.0, 0.96], [0.5, 0.1, 0.0, 0.4]]])
    assert labels_at(probabilities, NAMES, 0.95).tolist() == [[3, 0]]
    assert labels_at(probabilities, NAMES, 0.05).tolist() == [[3, 3]]


def test_the_smaller_map_holds_only_liquid_that_is_sure():
    probabilities = np.array([[[0.02, 0.38, 0.0, 0.6]]])
    assert labels_at(probabilities, NAMES, 0.95).tolist() == [[1]]
    assert labels_at(probabilities, NAMES, 0.05).tolist() == [[3]]


def test_bounds_belong_to_the_labels_and_know_where_the_grey_levels_step():
    stack = np.full((2, 64, 96), 900.0)
    stack[:, 30:] = 400
    stack[:, 30:45, 40:50] = 650
    inputs = Inputs(stack, Channels(), GreyScaling().measure(stack))

    def probabilities(scaled):
        grey = scaled[..., 0]
        void = np.clip(1 - np.abs(grey - 0.5) * 4, 0.01, 0.9)
        gas, metal = np.where(grey > 0.5, 1 - void, 0), np.where(grey > 0.5, 0, 1 - void)
        return np.stack((gas, metal, void, np.zeros_like(void)), axis=-1)

    labels = np.where(np.arange(64)[:, None] < 27, 0, 1) + np.zeros((64, 96), int)
    found = find_bounds(inputs, probabilities, NAMES, 1.0, {1: labels.astype(np.uint8)})
    assert list(found) == [1]
    assert found[1].belongs_to(labels.astype(np.uint8))
    assert found[1].edge == (0.0, 3.0)
    assert (found[1].most == 2).sum() >= 150 > (found[1].least == 2).sum()


def test_moved_frames_are_computed_together_unless_they_are_large():
    given = []

    def probabilities(scaled):
        given.append(scaled.shape)
        return np.full((*scaled.shape[:3], len(NAMES)), 0.25, np.float32)

    for height, width in ((32, 48), (1024, 1600)):
        stack = np.random.default_rng(0).integers(0, 255, (1, height, width), np.uint8)
        inputs = Inputs(stack, Channels(), GreyScaling().measure(stack))
        find_bounds(inputs, probabilities, NAMES, 1.0, {0: np.zeros((height, width), np.uint8)})
    assert given == [(3, 32, 48, 1), *[(1, 1024, 1600, 1)] * 3]


def test_a_long_recording_has_few_frames_with_bounds():
    assert len(bounded_frames(10_000)) == 8
    assert bounded_frames(3) == (0,)
