"""None"""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from amseg_keras.simulate.detector import (
    Detector,
    clipped_beam,
    dust,
    expose,
    row_stripes,
    uneven_field,
)
from amseg_keras.simulate.textures import (
    POWDER_UM,
    crop,
    crop_face,
    crop_sheet,
    flakes,
    grain,
    packed_sheet,
    scratches,
    specks,
    sphere_radii,
    texture_library,
)

SHAPE = (160, 240)
IDEAL = Detector(np.ones(SHAPE, np.float32), 0.0, 0.0, 0.0, gain=0.5, dark=0.1, bits=16)


def exposed(detector, level=1.0):
    return expose(np.random.default_rng(0), np.full(SHAPE, level, np.float32), detector).astype(
        float
    )


def correlation(image, lag):
    image = image - image.mean()
    return (image[:, lag:] * image[:, :-lag]).mean() / image.var()


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.uint8), (12, np.uint16), (16, np.uint16)])
def test_grey_level_is_dark_plus_gain_times_intensity(bits, dtype):
    frame = expose(
        np.random.default_rng(0), np.full(SHAPE, 0.6, np.float32), replace(IDEAL, bits=bits)
    )
    assert frame.dtype == dtype
    assert (frame == round((0.1 + 0.5 * 0.6) * (2**bits - 1))).all()


def test_what_is_too_bright_or_too_dark_is_clipped():
    assert (exposed(IDEAL, 3.0) == 2**16 - 1).all()
    assert (exposed(replace(IDEAL, dark=-0.4), 0.5) == 0).all()


def test_read_noise_is_white_and_as_strong_as_said():
    frame = exposed(replace(IDEAL, read_noise=0.02))
    assert frame.std() / (0.5 * (2**16 - 1)) == pytest.approx(0.02, rel=0.03)
    assert correlation(frame, 1) == pytest.approx(0, abs=0.02)


def test_photon_noise_is_blurred_by_the_point_spread():
    # A Gaussian of sigma s correlates white noise at lag 1 by exp(-1 / (4 s^2)).
    frame = exposed(replace(IDEAL, photon_noise=0.02, psf_px=0.9))
    assert correlation(frame[8:-8, 8:-8], 1) == pytest.approx(np.exp(-1 / (4 * 0.81)), abs=0.03)


def test_photon_noise_grows_with_the_root_of_the_intensity():
    noisy = replace(IDEAL, photon_noise=0.02)
    ratio = exposed(noisy, 1.0).std() / exposed(noisy, 0.25).std()
    assert ratio == pytest.approx(2.0, rel=0.05)


def test_stretch_spends_all_grey_levels():
    ramp = np.broadcast_to(np.linspace(0.4, 0.6, SHAPE[1], dtype=np.float32), SHAPE)
    frame = expose(np.random.default_rng(0), ramp, replace(IDEAL, stretch=True, bits=8))
    assert frame.min() == 0
    assert frame.max() == 255


def test_clipped_beam_is_whole_in_the_plate_and_dim_above():
    surface = np.linspace(40, 44, 100, dtype=np.float32)
    for seed in range(10):
        beam = clipped_beam(np.random.default_rng(seed), 120, surface, through=0.3)
        assert beam.shape == (120, 100)
        np.testing.assert_allclose(beam[55:], 1.0, atol=1e-3)
        assert beam[:20].max() < 0.3


def test_unevenness_has_its_strength_and_its_direction():
    rng = np.random.default_rng(1)
    field = uneven_field(rng, SHAPE, 0.1, (12, 16))
    assert field.std() == pytest.approx(0.1, rel=0.35)
    stripes = row_stripes(rng, SHAPE, 0.01)
    assert stripes.shape == (SHAPE[0], 1)
    assert dust(rng, SHAPE, 0).any() == np.False_
    assert np.abs(dust(rng, SHAPE, 20)).max() > 0.01


@pytest.fixture(scope="module")
def loose():
    """Spheres that do not touch, so that each can be told from its neighbours."""
    rng = np.random.default_rng(3)
    return packed_sheet(rng, (15.0, 45.0), 1.0, (500, 600), spread=1.15, cover=0.5)


@pytest.mark.parametrize("sieve", POWDER_UM.values())
def test_diameters_have_the_sieve_fraction_as_their_percentiles(sieve):
    diameters = 2 * sphere_radii(np.random.default_rng(0), sieve, 20_000)
    np.testing.assert_allclose(np.percentile(diameters, (10, 90)), sieve, rtol=0.03)


def test_path_through_a_grain_is_the_chord_of_a_sphere(loose):
    labelled, count = ndimage.label(loose.thickness > 0)
    assert count > 50
    whole = 0
    for window in ndimage.find_objects(labelled):
        path = loose.thickness[window]
        if min(path.shape) < 12 or abs(path.shape[0] - path.shape[1]) > 1:
            continue
        # Its longest path is its diameter, which is how wide it is, at 1 um a pixel.
        whole += 1
        assert path.max() == pytest.approx(np.mean(path.shape), abs=1.6)
    assert whole > 30


def test_every_pixel_of_a_grain_knows_its_centre(loose):
    rows, columns = np.nonzero(loose.thickness > 20)
    centre_rows = rows + loose.centre_below[rows, columns]
    centre_columns = columns + loose.centre_right[rows, columns]
    inside = (centre_rows >= 0) & (centre_rows < 500) & (centre_columns >= 0)
    inside &= centre_columns < 600
    at_centre = loose.thickness[centre_rows[inside], centre_columns[inside]]
    assert (at_centre >= loose.thickness[rows, columns][inside] - 0.5).all()


def test_mirrored_sheets_keep_their_centres(loose):
    for seed in range(6):
        sheet = crop_sheet(np.random.default_rng(seed), loose, (200, 300))
        rows, columns = np.nonzero(sheet.thickness[40:-40, 40:-40] > 25)
        rows, columns = rows + 40, columns + 40
        at = (rows + sheet.centre_below[rows, columns], columns + sheet.centre_right[rows, columns])
        assert (sheet.thickness[at] >= sheet.thickness[rows, columns] - 0.5).all()


@pytest.mark.parametrize(
    "face",
    [
        lambda rng, shape: flakes(rng, shape, 3.0, 0.5),
        lambda rng, shape: grain(rng, shape, 0.9),
        lambda rng, shape: specks(rng, shape, 0.01),
        lambda rng, shape: scratches(rng, shape, 5.0, 3.0),
    ],
)
def test_faces_are_scaled_and_repeatable(face):
    one = face(np.random.default_rng(4), (200, 300))
    again = face(np.random.default_rng(4), (200, 300))
    np.testing.assert_array_equal(one, again)
    assert one.dtype == np.float32
    assert one.mean() == pytest.approx(0, abs=1e-3)
    assert one.std() == pytest.approx(1, abs=1e-3)


def test_scratches_run_along_their_direction():
    upright = scratches(np.random.default_rng(5), (300, 300), 0.0, 2.0)
    down, across = (np.abs(np.diff(upright, axis=axis)).mean() for axis in (0, 1))
    assert across > 3 * down


def test_library_serves_frames_larger_than_itself():
    library = texture_library(4.31)
    face = library.faces["grain"][0]
    assert crop_face(np.random.default_rng(0), face, (700, 1300)).shape == (700, 1300)
    (window,) = crop(np.random.default_rng(0), (face,), (256, 512))
    assert window.shape == (256, 512)
