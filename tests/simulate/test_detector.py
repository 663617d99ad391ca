from dataclasses import replace

import numpy as np
import pytest

from amseg_keras.simulate.detector import (
    Detector,
    clipped_beam,
    dust,
    expose,
    row_stripes,
    uneven_field,
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
