"""What differs from frame to frame: liquid, bead, drift, flicker, and what stands still."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage.registration import phase_cross_correlation

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.simulate import FACILITIES, MovieRanges, draw_recording, record
from amseg_keras.simulate.detector import Unrest, shifted, shifted_labels
from amseg_keras.simulate.ranges import PLAIN
from amseg_keras.simulate.recording import median_frame

BACKGROUND, POWDER, SUBSTRATE, KEYHOLE, PORE = range(len(CLASS_NAMES))
STILL = MovieRanges(
    flicker=(1e-9, 1e-9),
    wave=(0.0, 0.0),
    drift_px=(0.0, 0.0),
    sway_px=(0.0, 0.0),
    shake_px=(0.0, 0.0),
    before=0.0,
    after=0.0,
)
CALM = {
    "standing": 0.0,
    "shallow": 0.0,
    "faint": 0.0,
    "narrow": 0.0,
    "band": 0.0,
    "dented": 0.0,
    "crowned": 0.0,
    "stains": (0, 0),
    "stuck": 0.0,
    "porous": 0.0,
    "afterglow": (0.0, 0.0),
    "plume": (-1.0, -1.0),
    "raw": 0.0,
    "clipped": 0.0,
}


def place(facility="aps", movie=STILL, **ranges):
    there = FACILITIES[facility]
    return replace(
        there, ranges=replace(there.ranges, **(CALM | ranges)), movie=movie, presentations=PLAIN
    )


def recorded(where, seed=1, frames=60, process="welding", shape=(200, 400)):
    return record(where, frames, seed, process=process, shape=shape)


def log_of(recording, index):
    number = recording.first + index
    return np.log(recording.shot.render(number)[0])


# --- the specimen moves -------------------------------------------------------------------


@pytest.mark.parametrize(("right", "down"), [(0.4, -0.3), (-1.7, 2.2), (0.0, 0.6)])
def test_a_shift_is_what_phase_correlation_finds(right, down):
    noise = np.random.default_rng(0).standard_normal((128, 160)).astype(np.float32)
    scene = cv2.GaussianBlur(noise, (0, 0), 1.5)
    moved = shifted(scene, right, down)
    inside = (slice(12, -12), slice(12, -12))
    found, _, _ = phase_cross_correlation(
        scene[inside], moved[inside], upsample_factor=50, normalization=None
    )
    assert -found == pytest.approx((down, right), abs=0.08)


def test_labels_go_with_the_specimen_to_the_nearest_pixel():
    labels = np.zeros((20, 30), np.uint8)
    labels[8:12, 10:15] = PORE
    moved = shifted_labels(labels, 2.4, -0.9)
    np.testing.assert_array_equal(moved[7:11, 12:17], PORE)
    assert (moved == PORE).sum() == 20


def test_a_recording_drifts_as_was_drawn():
    steady = replace(STILL, drift_px=(0.03, 0.03), most_drift_px=(4.0, 4.0))
    recording = recorded(place("esrf", steady, fine_texture=(1.0, 1.0)), seed=3)
    unrest = recording.unrest
    first, last = (recording.presented("16 bit").grey(index) for index in (0, 59))
    rows = slice(int(recording.shot.stage.surface.max()) + 30, None)
    one, other = (np.log(frame[rows].astype(np.float32)) for frame in (first, last))
    found, _, _ = phase_cross_correlation(one, other, upsample_factor=50)
    ends = [np.array(unrest.shift(recording.first + index)) for index in (0, 59)]
    assert np.hypot(*(ends[1] - ends[0])) == pytest.approx(59 * 0.03, rel=0.01)
    assert -found[::-1] == pytest.approx(ends[1] - ends[0], abs=0.1)


def test_drift_ends_where_it_may():
    far = Unrest(1, 0.0, 0.0, 0.0, (0.1, 0.0), (0.0, 0.0), 100.0, 0.0, 0.0, 0, 1.5)
    assert far.shift(10)[0] == pytest.approx(1.0)
    assert far.shift(500)[0] == pytest.approx(1.5)
    assert far.shift(-500)[0] == pytest.approx(-1.5)


# --- the beam flickers --------------------------------------------------------------------


def test_the_beam_flickers_as_much_as_was_drawn():
    flickering = replace(STILL, flicker=(0.012, 0.012))
    recording = recorded(place("esrf", flickering), frames=80).presented("16 bit")
    levels = np.array([recording.grey(index)[:12].mean() for index in range(80)])
    # The dark level is 0.02 of full scale.
    light = levels - 0.02 * 65535
    assert np.log(light).std() == pytest.approx(0.012, rel=0.3)


# --- the metal ----------------------------------------------------------------------------


def test_liquid_is_as_much_brighter_as_its_density_is_less():
    melting = place(
        liquid_lacking=(0.05, 0.05),
        liquid_width=(1.0, 1.0),
        liquid_edge_px=(1.0, 1.0),
        fresh_texture=(0.0, 0.0),
        fresh_fading=(0.0, 0.0),
        bead_height_um=(0.0, 0.0),
        hump_height_um=(0.0, 0.0),
        earlier_pores=(0, 0),
        plate_absorbance=(1.0, 1.0),
        keyhole_depth_um=(80.0, 120.0),
    )
    recording = recorded(melting)
    index = recording.lit[len(recording.lit) // 2]
    change = log_of(recording, index) - np.log(recording.shot.render(-5)[0])
    liquid = recording.liquid(index).astype(np.uint8)
    labels = recording.labels(index)
    inside = cv2.erode(liquid, np.ones((9, 9), np.uint8)) > 0
    inside &= cv2.dilate((labels == KEYHOLE).astype(np.uint8), np.ones((25, 25))) == 0
    assert inside.sum() > 50
    # Of -log transmission 1, five in a hundred; a pink beam is a little harder behind the plate.
    assert np.median(change[inside]) == pytest.approx(0.05, rel=0.15)
    assert np.isin(labels[liquid > 0], (SUBSTRATE, 255)).all()


def test_liquid_is_about_the_keyhole_and_gone_after_the_laser():
    recording = recorded(place(keyhole_depth_um=(80.0, 150.0)), seed=2)
    index = recording.lit[len(recording.lit) // 2]
    columns = np.flatnonzero(recording.liquid(index).any(axis=0))
    laser = recording.shot.laser_px(recording.first + index)
    assert columns[0] <= laser <= columns[-1]
    behind = laser - columns.mean()
    assert np.sign(behind) == recording.parameters["scan_direction"]
    later = recording.shot.picture(recording.shot.frames + 400)
    assert not later.liquid.mask.any()


def melting(brightness):
    """A deep keyhole in a plate with noise of about 0.01, and liquid of the given lack."""
    return place(
        keyhole_depth_um=(80.0, 150.0),
        liquid_lacking=(brightness, brightness),
        liquid_width=(1.0, 1.0),
        plate_absorbance=(1.0, 1.0),
        welding_texture=(0.02, 0.02),
        photon_noise=(0.01, 0.01),
    )


@pytest.mark.parametrize(("lacking", "label"), [(0.05, 5), (0.0002, 255)])
def test_the_melt_pool_is_labelled_where_its_boundary_can_be_seen(lacking, label):
    recording = recorded(melting(lacking), seed=2)
    index = recording.lit[len(recording.lit) // 2]
    plain = recording.labels(index, motion=True)
    labels = recording.labels(index, motion=True, melt_pool=True)
    wet = (recording.liquid(index) > 0) & (plain == SUBSTRATE)
    assert wet.sum() > 100
    assert set(np.unique(labels[wet])) == {label}
    np.testing.assert_array_equal(labels[~wet], plain[~wet])


def test_castings_do_not_say_what_is_liquid():
    assert record("hpdc", 2, 1, shape=(96, 160)).liquid(0) is None


def test_the_frozen_track_has_another_texture():
    fresh = place(
        fresh_texture=(0.02, 0.02),
        fresh_fading=(0.0, 0.0),
        liquid_lacking=(0.0, 0.0),
        bead_height_um=(0.0, 0.0),
        hump_height_um=(0.0, 0.0),
        melt_depth_um=(60.0, 60.0),
        keyhole_depth_um=(-15.0, -10.0),
        keyhole_sigmas=(1e-3, 1e-3),
        keyhole_extra=(0.0, 0.0),
        earlier_pores=(0, 0),
    )
    shot = recorded(fresh, seed=4).shot
    before, after = (np.log(shot.render(frame)[0]) for frame in (-5, shot.frames + 300))
    surface = int(shot.stage.surface.max())
    middle = slice(140, 260)
    changed = (after - before)[surface + 3 : surface + 15, middle]
    below = (after - before)[surface + int(2.5 * shot.pool.fresh_depth) :, middle]
    # What it adds has a standard deviation of 0.02 over the whole frame.
    assert changed.std() == pytest.approx(0.02, rel=0.6)
    assert np.abs(below).max() < 1e-4


def test_a_bead_grows_where_gas_was():
    raised = place(
        bead_height_um=(20.0, 20.0),
        bead_ripple=(0.0, 0.0),
        bead_fill=(1.0, 1.0),
        hump_height_um=(0.0, 0.0),
    )
    found = []
    for seed in range(8):
        shot = recorded(raised, seed=seed).shot
        if not shot.track.bead.any():
            continue  # a calm one
        rows = [(shot.render(frame)[1] == BACKGROUND).sum(axis=0) for frame in (-5, shot.frames)]
        way = (np.array([0, shot.frames]) * shot.scan.step_px + shot.scan.start_px).clip(0, 399)
        between = slice(int(way.min()) + 60, int(way.max()) - 60)
        found.append(np.median((rows[0] - rows[1])[between]))
    assert len(found) >= 3
    assert found == pytest.approx([10.0] * len(found), abs=1.0)


def test_powder_is_blown_away_before_the_laser():
    blowing = place("esrf", blown=1.0, blown_um=(150.0, 150.0), layer_um=(90.0, 110.0))
    gone = []
    for seed in range(6):
        shot = recorded(blowing, seed=seed, process="lpbf").shot
        if shot.track.bare < 0.5:
            continue
        frame = shot.frames // 2
        powder = (shot.render(frame)[1] == POWDER).sum(axis=0)
        before = (shot.render(-5)[1] == POWDER).sum(axis=0)
        ahead = int(shot.laser_px(frame) + shot.scan.laser.direction * 60 / 4.31)
        gone.append(1 - powder[ahead] / before[ahead])
    assert gone
    assert min(gone) > 0.3


def test_before_the_laser_comes_nothing_has_changed():
    recording = recorded(place(movie=replace(STILL, before=1.0)), seed=5)
    assert recording.first < 0
    shot = recording.shot
    first, later = (shot.picture(frame) for frame in (recording.first, -1))
    plate = slice(int(shot.stage.surface.max()) + 5, None)
    np.testing.assert_array_equal(first.intensity[plate], later.intensity[plate])
    assert KEYHOLE not in first.labels.frame
    assert not first.liquid.mask.any()
    assert recording.lit[0] == -recording.first


def test_after_the_laser_has_left_there_is_no_keyhole():
    recording = recorded(place(movie=replace(STILL, after=1.0)), seed=5)
    last = len(recording) - 1
    assert last not in recording.lit
    assert KEYHOLE not in recording.labels(last)


def test_a_laser_that_stands_still_drills_a_symmetric_keyhole():
    standing = place(
        standing=1.0,
        keyhole_depth_um=(150.0, 220.0),
        keyhole_sigmas=(4.0, 4.0),
        earlier_pores=(0, 0),
        bubble_width=(0.01, 0.01),
    )
    skews, slimmer = [], []
    for seed in range(5):
        recording = recorded(standing, seed=seed)
        assert recording.parameters["speed_mm_s"] == 0
        shot = recording.shot
        assert shot.laser_px(0) == shot.laser_px(shot.frames - 1)
        labels = shot.render(shot.frames - 2)[1]
        rows, columns = np.nonzero(labels == KEYHOLE)
        if rows.size < 100:
            continue
        middle = [columns[rows == row].mean() for row in np.unique(rows)]
        width = [np.ptp(columns[rows == row]) + 1 for row in np.unique(rows)]
        skews.append(np.ptp(middle) / np.ptp(rows))
        third = len(width) // 3
        slimmer.append(np.mean(width[-third:]) / np.mean(width[:third]))
    assert len(skews) >= 3
    assert np.median(skews) < 0.25
    assert np.median(slimmer) < 0.75


def test_a_plume_darkens_the_gas_above_the_keyhole():
    smoking = place(plume=(0.12, 0.12), hump_height_um=(0.0, 0.0), bead_height_um=(0.0, 0.0))
    recording = recorded(smoking, seed=6)
    shot = recording.shot
    frame = shot.frames // 2
    plain = replace(shot, plume=None)
    change = np.log(shot.render(frame)[0]) - np.log(plain.render(frame)[0])
    row, column = np.unravel_index(change.argmin(), change.shape)
    assert abs(column - shot.laser_px(frame)) < 0.3 * 400
    assert row <= shot.stage.surface.max()
    assert -0.125 < change.min() < -0.03
    assert np.abs(change[int(shot.stage.surface.max()) + 6 :]).max() < 1e-6


def test_the_scintillator_glows_for_a_frame():
    glowing = place(afterglow=(0.2, 0.2), keyhole_depth_um=(100.0, 150.0))
    shot = recorded(glowing, seed=7).shot
    after = shot.frames  # the laser is off
    dark = replace(shot, afterglow=0.0)
    difference = np.log(shot.render(after)[0]) - np.log(dark.render(after)[0])
    before = np.log(dark.render(after - 1)[0]) - np.log(dark.render(after)[0])
    labels = shot.render(after - 1)[1]
    keyhole = cv2.erode((labels == KEYHOLE).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    if keyhole.any():
        share = np.median(difference[keyhole]) / np.median(before[keyhole])
        assert share == pytest.approx(0.2, abs=0.08)
    assert np.abs(np.log(shot.render(after + 2)[0]) - np.log(dark.render(after + 2)[0])).max() == 0


# --- what stands still ----------------------------------------------------------------------


def test_marks_have_no_class():
    marked = place(band=1.0, dented=1.0, stains=(8, 8), stuck=1.0, earlier_pores=(0, 0))
    shot = recorded(marked, seed=8).shot
    labels = shot.render(-5)[1]
    assert set(np.unique(labels)) <= {BACKGROUND, SUBSTRATE}
    plain = replace(shot, stage=replace(shot.stage, marks=None, band=None))
    assert np.abs(shot.render(-5)[0] - plain.render(-5)[0]).max() > 0.005


def test_a_porous_wall_holds_many_small_pores():
    porous = place(porous=1.0, small_pores=(30, 30), pore_sigmas=(4.0, 4.0), earlier_pores=(0, 0))
    labels = recorded(porous, seed=9, shape=(120, 400)).shot.render(-5)[1]
    count, _, stats, _ = cv2.connectedComponentsWithStats((labels == PORE).astype(np.uint8))
    assert 12 <= count - 1 <= 30
    assert np.median(stats[1:, cv2.CC_STAT_AREA]) < 60


def test_grains_that_stick_to_the_plate_are_dark():
    strewn = place(
        stuck=1.0,
        stuck_grains=(60, 60),
        stain_sigmas=(4.0, 4.0),
        void_fringe=(0.01, 0.01),
        earlier_pores=(0, 0),
    )
    shot = recorded(strewn, seed=9).shot
    bare = replace(shot, stage=replace(shot.stage, marks=None))
    change = np.log(shot.render(-5)[0]) - np.log(bare.render(-5)[0])
    assert change.min() < -0.02
    assert np.mean(change < -0.01) > 2 * np.mean(change > 0.01)


# --- what is too faint ----------------------------------------------------------------------


def test_motion_shows_a_keyhole_that_texture_hides():
    hidden = place(
        "esrf",
        keyhole_sigmas=(0.12, 0.12),
        keyhole_extra=(0.0, 0.0),
        keyhole_depth_um=(100.0, 150.0),
        photon_noise=(0.001, 0.001),
        earlier_pores=(0, 0),
        bubble_width=(0.01, 0.01),
        contrast_in_sigma=(1.7, 1.7),
        face_sheets=(2, 2),
    )
    recording = recorded(hidden, seed=2, process="lpbf")
    index = recording.lit[len(recording.lit) // 2]
    alone, motion = recording.labels(index, motion=False), recording.labels(index, motion=True)
    assert KEYHOLE not in alone
    assert (motion == KEYHOLE).sum() > 50
    assert (alone[motion == KEYHOLE] == 255).all()


def test_a_divided_frame_hides_pores_that_stand_still():
    old = place(earlier_pores=(6, 6), pore_sigmas=(4.0, 4.0), keyhole_depth_um=(-15.0, -10.0))
    recording = recorded(old, seed=3, shape=(256, 512))
    assert PORE in recording.labels(5)
    divided = recording.presented("divided").labels(5)
    assert PORE not in divided
    assert (divided[recording.labels(5) == PORE] == 255).all()


# --- recordings -----------------------------------------------------------------------------


def test_grey_is_the_frame_without_its_labels():
    recording = draw_recording(3, 40, shape=(128, 256))
    frame, labels = recording[17]
    np.testing.assert_array_equal(recording.grey(17), frame)
    np.testing.assert_array_equal(recording.labels(17), labels)


@pytest.mark.slow
def test_recordings_for_training_have_many_pixel_sizes():
    sizes = {
        draw_recording(seed, 9, shape=(64, 96)).parameters["pixel_size_um"] for seed in range(24)
    }
    assert min(sizes) < 1.5
    assert max(sizes) > 4
    assert len(sizes) >= 4


def test_the_median_of_an_even_number_of_frames_does_not_overflow():
    frames = [np.full((3, 3), level, np.uint16) for level in (60000, 61000, 62000, 10)]
    assert (median_frame(frames) == 60500).all()


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7, 8, 18, 19])
def test_the_median_of_frames_is_numpys(count):
    frames = np.random.default_rng(count).random((count, 4, 5)).astype(np.float32)
    np.testing.assert_allclose(median_frame(list(frames)), np.median(frames, axis=0), rtol=1e-6)
