import numpy as np
import pytest
from scipy import ndimage
from scipy.special import erf

from amseg_keras.simulate.statistics import (
    boundary_distance,
    edge_profile,
    grey_histogram,
    grey_level,
    high_pass,
    measure_edge,
    neighbour_correlation,
    power_spectrum,
    split_variance,
    surface_distance,
    texture_contrast,
    texture_unevenness,
)

TEN_TO_NINETY = 2.5631  # of an edge blurred by a Gaussian, in its sigma


@pytest.fixture
def rng():
    return np.random.default_rng(4)


def half(shape, columns):
    region = np.zeros(shape, bool)
    region[:, :columns] = True
    return region


def test_grey_level_is_that_of_the_region_in_frames_and_stacks(rng):
    stack = rng.integers(0, 255, (3, 20, 30)).astype(np.uint8)
    region = rng.random(stack.shape) < 0.4
    chosen = [int(grey) for grey in stack[region]]
    assert grey_level(stack, region) == pytest.approx((np.mean(chosen), np.std(chosen)))


def test_histogram_is_a_density(rng):
    frame = rng.normal(100, 10, (200, 200))
    edges = np.linspace(40, 160, 61)
    density = grey_histogram(frame, half(frame.shape, 100), edges)
    middle = (edges[1:] + edges[:-1]) / 2
    assert (density * np.diff(edges)).sum() == pytest.approx(1.0)
    normal = np.exp(-((middle - 100) ** 2) / 200) / np.sqrt(200 * np.pi)
    np.testing.assert_allclose(density, normal, atol=0.003)


def test_high_pass_inside_does_not_see_what_lies_beside(rng):
    frame = rng.normal(100, 5, (40, 60))
    region = half(frame.shape, 30)
    other = np.where(region, frame, 4000.0)
    np.testing.assert_allclose(high_pass(frame, region, 4.0), high_pass(other, region, 4.0))


def test_high_pass_is_the_mean_weighted_by_a_gaussian(rng):
    frame = rng.normal(100, 5, (15, 15))
    region = rng.random(frame.shape) < 0.7
    region[7, 7] = True
    rows, columns = np.indices(frame.shape)
    weight = np.exp(-((rows - 7) ** 2 + (columns - 7) ** 2) / (2 * 1.5**2)) * region
    expected = frame[7, 7] - (weight * frame).sum() / weight.sum()
    assert high_pass(frame, region, 1.5)[7, 7] == pytest.approx(expected, abs=1e-2)


def test_contrast_of_white_noise_on_a_slope_is_the_noise_alone(rng):
    noise = rng.normal(0, 6, (200, 200))
    frame = noise + 120 + np.linspace(-50, 50, 200)
    kept = np.sqrt(1 - 1 / (4 * np.pi * 5**2))  # less what the noise has in its own blur
    measured = texture_contrast(frame, np.ones(frame.shape, bool), 5.0, black=20.0)
    assert measured == pytest.approx(0.06 * kept, rel=0.02)


def test_even_noise_is_even_and_two_strengths_are_not(rng):
    noise = rng.normal(0, 1, (300, 300))
    region = half(noise.shape, 250)
    assert texture_unevenness(50 + noise, region, 8.0) == pytest.approx(0.2 / 8, rel=0.25)
    strength = np.where(np.arange(300)[:, None] < 150, 2.0, 6.0)
    # Of two halves the standard deviation is half the difference; between them it passes over.
    uneven = texture_unevenness(50 + strength * noise, region, 4.0)
    assert uneven == pytest.approx((6 - 2) / (6 + 2), rel=0.06)


def test_spectrum_sums_to_the_variance_under_its_window(rng):
    patch = rng.normal(0, 3, (48, 80))
    rows, columns = np.indices(patch.shape)
    plane = np.stack([np.ones(patch.size), rows.ravel(), columns.ravel()], axis=1)
    flat = patch.ravel() - plane @ np.linalg.pinv(plane) @ patch.ravel()
    window = np.outer(
        0.5 - 0.5 * np.cos(2 * np.pi * np.arange(48) / 48),
        0.5 - 0.5 * np.cos(2 * np.pi * np.arange(80) / 80),
    )
    weighted = ((window * flat.reshape(48, 80)) ** 2).sum() / (window**2).sum()
    spectrum = power_spectrum(patch + 0.3 * rows - 2 * columns + 7)
    assert spectrum.power.sum() == pytest.approx(weighted)
    assert weighted == pytest.approx(9.0, rel=0.1)


def test_spectrum_of_white_noise_is_flat_and_of_blurred_noise_a_gaussian(rng):
    white = rng.normal(0, 2, (256, 256))
    spectrum = power_spectrum(white)
    for low, high in ((0.05, 0.15), (0.15, 0.3), (0.3, 0.5)):
        seen = (spectrum.frequency > low) & (spectrum.frequency < high)
        assert spectrum.density[seen].mean() == pytest.approx(4.0, rel=0.1)
    blurred = power_spectrum(ndimage.gaussian_filter(white, 1.0, mode="wrap"))
    passed = np.exp(-((2 * np.pi * spectrum.frequency) ** 2))
    seen = (spectrum.frequency > 0.05) & (spectrum.frequency < 0.3)
    np.testing.assert_allclose((blurred.density / spectrum.density / passed)[seen], 1.0, atol=0.15)


def test_bands_of_a_wave():
    wave = 10 * np.sin(2 * np.pi * np.arange(128) / 6)[:, None] * np.ones(128)
    spectrum = power_spectrum(wave)
    assert spectrum.band_std(4, 8) == pytest.approx(np.sqrt(50), rel=0.01)
    assert spectrum.band_std(8, 16) < 0.5
    assert spectrum.band_std(2, 4) < 0.5


def test_point_spread_shows_in_the_correlation_of_neighbours(rng):
    blurred = ndimage.gaussian_filter(rng.normal(0, 1, (300, 300)), (0.7, 1.2), mode="wrap")
    along_row, along_column = neighbour_correlation(blurred, half(blurred.shape, 200), 3, 20.0)
    lags = np.arange(1, 4)
    np.testing.assert_allclose(along_row, np.exp(-(lags**2) / (4 * 1.2**2)), atol=0.03)
    # A sampled Gaussian of 0.7 px is not quite one any more.
    np.testing.assert_allclose(along_column, np.exp(-(lags**2) / (4 * 0.7**2)), atol=0.04)


def test_correlation_counts_no_pair_that_leaves_the_region():
    frame = np.tile([0.0, 1.0], (40, 20))
    region = np.indices(frame.shape)[1] % 20 < 10
    along_row, _ = neighbour_correlation(frame, region, 2, 30.0)
    np.testing.assert_allclose(along_row, [-1.0, 1.0], atol=0.01)


def test_stack_splits_into_texture_and_noise(rng):
    texture = ndimage.gaussian_filter(rng.normal(0, 1, (120, 120)), 1.0)
    texture *= 20 / texture.std()
    noise = ndimage.gaussian_filter(rng.normal(0, 1, (6, 120, 120)), (0, 0.0, 0.8))
    noise *= 15 / noise.std()
    split = split_variance(1000 + texture + noise, half(texture.shape, 90), 25.0)
    assert split.static == pytest.approx(20, rel=0.05)
    assert split.noise == pytest.approx(15, rel=0.02)
    assert split.along_row == pytest.approx(np.exp(-1 / (4 * 0.8**2)), abs=0.03)
    assert split.along_column == pytest.approx(0, abs=0.03)


def test_stack_of_noise_alone_has_no_texture(rng):
    split = split_variance(rng.normal(0, 5, (8, 60, 60)), np.ones((60, 60), bool), 20.0)
    assert split.static < 0.6
    assert split.noise == pytest.approx(5, rel=0.02)


def test_distance_from_a_disc_and_from_a_tilted_surface():
    rows, columns = np.indices((61, 61))
    radius = np.hypot(rows - 30, columns - 30)
    distance = boundary_distance(radius <= 12)
    np.testing.assert_allclose(distance, 12.25 - radius, atol=0.8)
    nothing = boundary_distance(radius < 0)
    assert (nothing == -np.inf).all()
    assert (boundary_distance(radius >= 0) == np.inf).all()
    slope = 0.5
    tilted = surface_distance(10 + slope * np.arange(61), 61)
    np.testing.assert_allclose(tilted, (rows - 10 - slope * columns) * np.cos(np.arctan(slope)))


@pytest.mark.parametrize("sigma", [1.0, 2.0])
@pytest.mark.parametrize("step", [80.0, -80.0])
def test_blurred_edge_has_the_width_of_its_blur(sigma, step):
    surface = 40 + 0.05 * np.arange(200)
    distance = surface_distance(surface, 90)
    frame = 100 + step / 2 * (1 + erf(distance / sigma / np.sqrt(2)))
    centres = np.arange(-15, 15.1, 0.5)
    profile = edge_profile(frame, distance, np.ones(frame.shape, bool), centres)
    edge = measure_edge(centres, profile, (-15, -9), (9, 15))
    assert (edge.outside, edge.inside) == pytest.approx((100, 100 + step), abs=0.1)
    assert edge.rise == pytest.approx(TEN_TO_NINETY * sigma, rel=0.05)
    assert abs(edge.overshoot) < 0.001
    assert abs(edge.undershoot) < 0.001


def test_fringes_are_measured_from_their_plateaus():
    centres = np.arange(-20.0, 21)
    profile = np.where(centres < 0, 200.0, 150.0)
    profile[centres == -3] = 230.0
    profile[centres == 2] = 75.0
    edge = measure_edge(centres, profile, (-20, -10), (10, 20))
    assert (edge.outside_fringe, edge.inside_fringe) == (230, 75)
    assert (edge.undershoot, edge.overshoot) == pytest.approx((0.6, 1.5))


def test_profile_counts_the_region_only_and_names_empty_distances():
    frame = np.array([[10.0, 10.0, 20.0, 20.0], [99.0, 99.0, 99.0, 99.0]])
    region = frame < 50
    distance = boundary_distance(np.tile([False, False, True, True], (2, 1)))
    profile = edge_profile(frame, distance, region, np.array([-1.5, -0.5, 0.5, 1.5, 2.5]))
    np.testing.assert_array_equal(profile, [10, 10, 20, 20, np.nan])
    unknown = measure_edge(np.arange(5.0), np.full(5, np.nan), (0, 1), (3, 4))
    assert np.isnan(unknown.rise)
