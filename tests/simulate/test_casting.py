import cv2
import numpy as np
import pytest
from scipy import ndimage

from amseg_keras.classes import CLASS_NAMES, IGNORE
from amseg_keras.simulate.casting.shot import draw_casting
from amseg_keras.simulate.detector import expose
from amseg_keras.simulate.ranges.casting import HPDC, HPDC_REFERENCE

PORE = CLASS_NAMES.index("pore")


def shot(seed, ranges=HPDC, shape=(256, 512)):
    return draw_casting(np.random.default_rng(seed), shape, "AlSi10Mg", 1, ranges)


def test_a_seed_always_draws_the_same_shot():
    first, second = shot(1), shot(1)
    assert first.parameters == second.parameters
    assert first.frames == second.frames
    for one, other in zip(first.render(5), second.render(5), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_volume_is_as_thick_as_the_slices_that_are_wanted():
    drawn = draw_casting(np.random.default_rng(0), (128, 256), "AlSi10Mg", 300, HPDC)
    assert drawn.frames == 300
    assert (drawn.render(298)[0] != drawn.render(299)[0]).any()


def test_a_slice_does_not_depend_on_the_slices_rendered_before():
    drawn = shot(2)
    early = drawn.render(3)
    drawn.render(9)
    for one, other in zip(early, drawn.render(3), strict=True):
        np.testing.assert_array_equal(one, other)


def test_slices_have_the_types_and_classes_of_a_shot():
    intensity, labels = shot(3, shape=(128, 192)).render(4)
    assert intensity.dtype == np.float32
    assert labels.dtype == np.uint8
    assert intensity.shape == labels.shape == (128, 192)
    assert set(np.unique(labels)) <= {0, PORE, IGNORE}


def test_parameters_are_plain_and_count_the_pores():
    parameters = shot(4).parameters
    assert parameters["process"] == "casting"
    assert parameters["material"] == "AlSi10Mg"
    assert parameters["pores"] >= parameters["tiny_pores"] + parameters["round_pores"]
    assert all(type(value) in (int, float, str, bool) for value in parameters.values())


def test_the_last_slice_is_shown_past_the_end():
    drawn = shot(5)
    for one, other in zip(drawn.render(drawn.frames - 1), drawn.render(9999), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("seed", range(6))
def test_every_pore_is_darker_than_the_alloy_around_it(seed):
    drawn = shot(seed)
    intensity, labels = drawn.render(drawn.frames // 2)
    seen = cv2.GaussianBlur(intensity, (0, 0), drawn.detector.psf_px)
    parts, count = ndimage.label(labels == PORE)
    alloy = cv2.dilate((labels != 0).astype(np.uint8), np.ones((3, 3))) == 0
    brighter = 0
    for number, window in enumerate(ndimage.find_objects(parts), start=1):
        around = tuple(slice(max(part.start - 8, 0), part.stop + 8) for part in window)
        own, beside = parts[around] == number, alloy[around]
        if own.sum() >= 6 and beside.sum() >= 6:
            brighter += seen[around][own].mean() > np.median(seen[around][beside]) - 0.05
    assert count > 5
    # A pore in a texture of its own height may be hidden by it.
    assert brighter <= 0.05 * count


def test_pores_change_smoothly_from_slice_to_slice():
    fine = type(HPDC)(slice_px=(0.7, 0.8), round=(8.0, 12.0))
    for seed in range(3):
        drawn = shot(seed, fine)
        masks = [drawn.render(frame)[1] == PORE for frame in (4, 5, 9)]
        # Whatever is wider than what a wall can move: none appears or vanishes at once.
        wide = [cv2.erode(mask.astype(np.uint8), np.ones((9, 9))) > 0 for mask in masks]
        assert masks[1][wide[0]].mean() > 0.97
        assert masks[0][wide[1]].mean() > 0.97
        near, far = (
            (masks[0] & other).sum() / (masks[0] | other).sum() for other in (masks[1], masks[2])
        )
        assert near > far


def test_pores_appear_and_vanish_within_a_volume():
    drawn = shot(7, type(HPDC)(slice_px=(5.0, 6.0), slices=(40, 40)))
    first, last = (drawn.render(frame)[1] == PORE for frame in (0, 39))
    assert (first & last).sum() < 0.2 * min(first.sum(), last.sum())


def test_shrinkage_pores_change_with_the_slice_too():
    alone = type(HPDC)(
        slice_px=(5.0, 6.0),
        slices=(40, 40),
        tiny=(0.0, 0.0),
        round=(0.0, 0.0),
        clouds=(0.0, 0.0),
        shrinkage=(6.0, 8.0),
    )
    both = smaller = 0
    for seed in range(4):
        drawn = shot(seed, alone)
        first, last = (drawn.render(frame)[1] == PORE for frame in (5, 35))
        both += (first & last).sum()
        smaller += min(first.sum(), last.sum())
    # Pores that have nothing to do with each other share a tenth by chance, the same ones all.
    assert smaller > 1000
    assert both < 0.4 * smaller


def test_ranges_say_how_many_pores_a_slice_shows():
    for name, wanted in (("tiny", 80.0), ("round", 10.0), ("shrinkage", 6.0)):
        none = {kind: (0.0, 0.0) for kind in ("tiny", "round", "shrinkage", "clouds")}
        ranges = type(HPDC)(**{**none, name: (wanted, wanted)})
        seen = []
        for seed in range(14):
            drawn = shot(seed, ranges)
            height = 5 * drawn.slice_px
            cuts = [pore.cut(height, (256, 512)) for pore in drawn.shrinkage]
            winding = sum(cut is not None and cut.inside.sum() > 4 for cut in cuts)
            seen.append(winding + sum(len(pores.cuts(height, (256, 512))) for pores in drawn.round))
        assert np.mean(seen) == pytest.approx(wanted, rel=0.25), name


def test_faint_pores_are_left_out():
    drawn = shot(8, type(HPDC)(darkness=(0.05, 0.08)))
    _, labels = drawn.render(3)
    assert (labels == IGNORE).any()
    assert not (labels == PORE).any()


def test_reference_ranges_give_the_grey_levels_of_the_real_slices():
    # Measured on the 14 real slices: medians, which vary by 20 between slices.
    rng = np.random.default_rng(0)
    alloy, pore, share, texture = [], [], [], []
    for seed in range(12):
        drawn = shot(seed, HPDC_REFERENCE)
        intensity, labels = drawn.render(drawn.frames // 2)
        grey = expose(rng, intensity, drawn.detector).astype(np.float32)
        far = cv2.dilate((labels != 0).astype(np.uint8), np.ones((9, 9))) == 0
        weight = far.astype(np.float32)
        blurred = cv2.GaussianBlur(grey * weight, (0, 0), 8) / (
            cv2.GaussianBlur(weight, (0, 0), 8) + 1e-3
        )
        alloy.append(grey[far].mean())
        texture.append((grey - blurred)[far].std())
        pore.append(grey[labels == PORE].mean())
        share.append((labels == PORE).mean())
    assert np.median(alloy) == pytest.approx(218, abs=10)
    assert np.median(texture) == pytest.approx(6.3, abs=1.2)
    assert np.median(pore) == pytest.approx(81, abs=15)
    assert np.median(share) == pytest.approx(0.04, abs=0.02)
