"""One scene in all its presentations."""

from dataclasses import replace

import numpy as np
import pytest

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.simulate import FACILITIES, PRESENTATIONS, record
from amseg_keras.simulate.detector import Detector
from amseg_keras.simulate.presentation import (
    draw_presentation,
    named_presentation,
    present,
    present_labels,
)
from amseg_keras.simulate.ranges import PLAIN, PresentationRanges

BACKGROUND, POWDER, SUBSTRATE, KEYHOLE, PORE = range(len(CLASS_NAMES))
SHAPE = (120, 160)
CAMERA = Detector(np.ones(SHAPE, np.float32), 0.0, 0.0, 0.0, 0.75, 0.0, 8, flat=np.ones(SHAPE))


@pytest.fixture(scope="module")
def scene():
    bare = replace(
        FACILITIES["aps"].ranges,
        clipped=0.0,
        raw=0.0,
        standing=0.0,
        faint=0.0,
        plate_absorbance=(1.4, 1.4),
        vignette=(0.25, 0.25),
        keyhole_depth_um=(100.0, 150.0),
    )
    place = replace(FACILITIES["aps"], ranges=bare, presentations=PLAIN)
    return record(place, 60, 11, process="welding", shape=(200, 400))


def lit(scene):
    return scene.lit[len(scene.lit) // 2]


def levels(scene, name):
    """Median light of gas and plate, without the dark level."""
    shown = scene.presented(name)
    frame = shown.grey(lit(scene)).astype(float)
    labels = scene.labels(lit(scene))
    far = np.zeros(labels.shape, bool)
    surface = scene.shot.stage.surface
    far[: int(surface.min()) - 20] = True
    far[int(surface.max()) + 60 :] = True
    dark = shown.presentation.dark * (2**shown.presentation.bits - 1)
    return [np.median(frame[far & (labels == kind)]) - dark for kind in (BACKGROUND, SUBSTRATE)]


@pytest.mark.parametrize("name", PRESENTATIONS)
def test_every_presentation_shows_the_scene(scene, name):
    frame, labels = scene.presented(name)[lit(scene)]
    assert frame.shape == labels.shape == (200, 400)
    assert frame.dtype == (np.uint8 if name in ("8 bit", "jpeg", "video") else np.uint16)
    assert len(np.unique(frame)) > 30
    assert KEYHOLE in labels


def test_an_unknown_presentation_is_named(scene):
    with pytest.raises(ValueError, match="divided"):
        scene.presented("sliced")


def test_gas_of_a_raw_frame_is_as_bright_as_the_plate_lets_it(scene):
    gas, plate = levels(scene, "corrected")
    assert plate / gas == pytest.approx(scene.shot.stage.beam.through, rel=0.15)
    assert gas / plate > 3


def test_bits_do_not_change_the_levels(scene):
    eight, twelve, sixteen = (
        scene.presented(f"{bits} bit").grey(lit(scene)) / (2**bits - 1) for bits in (8, 12, 16)
    )
    assert np.abs(eight - sixteen).max() <= 0.51 / 255 + 1 / 65535
    assert np.abs(twelve - sixteen).max() <= 0.51 / 4095 + 1 / 65535


def test_raw_frames_keep_the_vignette(scene):
    raw, corrected = (
        scene.presented(name).grey(lit(scene)).astype(float) / full
        for name, full in (("raw", 4095), ("corrected", 65535))
    )
    gain = scene.presented("raw").presentation.gain
    ratio = (raw - 0.05) / (corrected - 0.02)
    flat = scene.shot.detector.flat
    assert np.corrcoef(ratio.ravel(), flat.ravel())[0, 1] > 0.9
    assert gain == scene.presented("corrected").presentation.gain


def test_clipped_gas_is_flat_and_the_plate_uses_the_grey_levels(scene):
    frame = scene.presented("clipped").grey(lit(scene)) / 65535
    surface = scene.shot.stage.surface
    assert np.ptp(frame[: int(surface.min()) - 20]) == 0
    assert frame[int(surface.max()) + 60 :].mean() > 0.5


def test_gas_and_plate_are_the_same_grey_in_divided_frames(scene):
    gas, plate = levels(scene, "divided")
    assert gas == pytest.approx(plate, rel=0.03)
    assert plate / 65535 == pytest.approx(0.5, abs=0.03)


def test_the_keyhole_is_brighter_than_the_plate_in_divided_frames(scene):
    shown = scene.presented("divided")
    frame, labels = shown[lit(scene)]
    assert np.median(frame[labels == KEYHOLE]) > 1.1 * np.median(frame[labels == SUBSTRATE])


def test_what_stands_still_shows_where_the_background_lies_off(scene):
    shown = scene.presented("divided")
    there = replace(shown, presentation=replace(shown.presentation, misplaced=(3.0, 1.5)))
    still = scene.labels(lit(scene)) == SUBSTRATE
    light = [one._light(one._number(lit(scene))) for one in (shown, there)]
    ratios = [
        light / one._background(one._number(lit(scene)))
        for light, one in zip(light, (shown, there), strict=True)
    ]
    assert ratios[1][still].std() > 1.5 * ratios[0][still].std()


def test_a_void_that_texture_hides_is_ignored_where_the_background_lies_off(scene):
    frame = scene.labels(lit(scene), motion=False)
    shown = scene.presented("divided")
    off = replace(shown, presentation=replace(shown.presentation, misplaced=(3.0, 0.0)))
    labels, moved = shown.labels(lit(scene)), off.labels(lit(scene))
    assert (moved[(labels == KEYHOLE) & (frame == 255)] == 255).all()
    assert (moved[(labels == KEYHOLE) & (frame == KEYHOLE)] == KEYHOLE).all()


def test_shading_is_as_strong_as_it_says():
    seen = np.full(SHAPE, 0.5, np.float32)
    shaded = present(seen, named_presentation("shaded", CAMERA), None, None)
    light = shaded.astype(float) / 65535 - 0.02
    assert np.log(light[0, 0] / light[-1, 0]) == pytest.approx(0.7, abs=0.01)


def test_a_border_is_constant_and_background():
    padded = replace(
        named_presentation("padded", CAMERA), border=(0.1, 0.0, 0.25, 0.0), border_level=1.0
    )
    seen = np.full(SHAPE, 0.5, np.float32)
    frame = present(seen, padded, None, None)
    assert (frame[:12] == 65535).all()
    assert (frame[:, :40] == 65535).all()
    assert (frame[12:, 40:] == round((0.5 * 0.8 + 0.02) * 65535)).all()
    labels = present_labels(np.full(SHAPE, SUBSTRATE, np.uint8), padded)
    assert (labels == BACKGROUND).sum() == 12 * 160 + 108 * 40


def test_resampling_takes_away_what_is_fine():
    noise = np.random.default_rng(0).normal(0.5, 0.05, SHAPE).astype(np.float32)
    fine = present(noise, named_presentation("corrected", CAMERA), None, None)
    coarse = present(noise, named_presentation("resampled", CAMERA), None, None)
    assert coarse.std() < 0.7 * fine.std()
    assert coarse.mean() == pytest.approx(fine.mean(), rel=0.01)


def test_a_quarter_of_the_recordings_is_divided():
    rng = np.random.default_rng(0)
    drawn = [draw_presentation(rng, CAMERA, PresentationRanges()) for _ in range(400)]
    divided = np.mean([one.background is not None for one in drawn])
    assert divided == pytest.approx(0.25, abs=0.06)
    for shown in (one.shading for one in drawn), (one.quality for one in drawn):
        assert 0.03 < np.mean([value != 0 for value in shown]) < 0.25


def test_a_mean_background_holds_a_keyhole_that_stands_still():
    # Keyholes that stand still fade in a frame divided by the mean of all, not by frames before.
    bare = replace(
        FACILITIES["aps"].ranges,
        clipped=0.0,
        raw=0.0,
        standing=1.0,
        faint=0.0,
        keyhole_sigmas=(4.0, 4.0),
        keyhole_depth_um=(150.0, 200.0),
    )
    place = replace(FACILITIES["aps"], ranges=bare, presentations=PLAIN)
    fainter = []
    for seed in range(4):
        recording = record(place, 60, seed, process="welding", shape=(200, 400))
        index = recording.lit[len(recording.lit) // 2] if recording.lit else 0
        mask = recording.labels(index) == KEYHOLE
        if mask.sum() < 50:
            continue
        levels = []
        for kind in ("mean", "before"):
            shown = replace(named_presentation("divided", recording.shot.detector), background=kind)
            divided = replace(recording, presentation=shown)
            low, high = divided._ratio_limits
            frame = divided.grey(index) / 65535
            levels.append((np.median(frame[mask]) - 0.5) * (high - low))
        fainter.append(levels[0] < levels[1])
    assert fainter
    assert np.mean(fainter) > 0.7
