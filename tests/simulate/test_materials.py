import numpy as np
import pytest

from amseg_keras.simulate.absorption import (
    ENERGIES_KEV,
    MATERIALS,
    Beam,
    Component,
    effective_attenuation,
    log_intensity,
    pink_spectrum,
    transmission,
)


@pytest.mark.parametrize("name", sorted(MATERIALS))
def test_table_is_what_xraydb_computes(name):
    xraydb = pytest.importorskip("xraydb")
    material = MATERIALS[name]
    total = sum(material.composition.values())
    for energy, tabulated in zip(ENERGIES_KEV, material.attenuation, strict=True):
        per_gram = sum(
            weight / total * xraydb.mu_elam(element, 1e3 * energy)
            for element, weight in material.composition.items()
        )
        assert tabulated == pytest.approx(material.density * per_gram, rel=5e-3)


@pytest.mark.parametrize(
    ("name", "brightening"), [("Ti6Al4V", 1.23), ("AlSi10Mg", 1.03), ("SS316L", 1.97)]
)
def test_void_of_100_um_brightens_as_published_at_30_kev(name, brightening):
    spectrum = [0, 0, 1, 0, 0]
    slab, less = transmission(MATERIALS[name], np.array([500.0, 400.0]), spectrum)
    assert less / slab == pytest.approx(brightening, abs=0.02)


def test_pink_beam_through_a_slab_follows_beer_lambert_energy_by_energy():
    spectrum = pink_spectrum(32.0)
    expected = 0.0
    for weight, per_cm in zip(spectrum, MATERIALS["IN625"].attenuation, strict=True):
        expected += weight * 2.718281828459045 ** (-per_cm * 250e-4)
    assert transmission(MATERIALS["IN625"], 250.0, spectrum) == pytest.approx(expected, rel=1e-12)


def test_pink_beam_hardens():
    spectrum = pink_spectrum(32.0)
    slopes = [effective_attenuation(MATERIALS["Ti6Al4V"], spectrum, t) for t in (0, 300, 900)]
    assert slopes == sorted(slopes, reverse=True)


def test_uniform_slab_has_no_fringe_and_the_tabulated_transmission():
    spectrum = pink_spectrum(30.0)
    beam = Beam(spectrum, MATERIALS["Ti6Al4V"], 350.0)
    slab = Component(np.full((32, 48), 350.0, np.float32), softening=1.0, fringe=8.0)
    passed = np.exp(log_intensity(beam, [slab]))
    np.testing.assert_allclose(
        passed, transmission(MATERIALS["Ti6Al4V"], 350.0, spectrum), rtol=1e-4
    )


def test_log_intensity_of_any_path_is_that_of_the_pink_beam():
    beam = Beam(pink_spectrum(30.0), MATERIALS["SS316L"], 300.0)
    paths = np.random.default_rng(0).uniform(0, 400, (40, 50)).astype(np.float32)
    log = log_intensity(beam, [Component(paths, softening=0.0, fringe=0.0)])
    assert log.dtype == np.float32
    np.testing.assert_allclose(
        log, np.log(transmission(MATERIALS["SS316L"], paths, beam.spectrum)), atol=2e-4
    )


def test_edge_has_a_bright_fringe_outside_and_a_dark_one_inside():
    thickness = np.zeros((40, 40), np.float32)
    thickness[20:] = 300
    beam = Beam(pink_spectrum(30.0), MATERIALS["Ti6Al4V"], 300.0)
    log = log_intensity(beam, [Component(thickness, softening=1.0, fringe=4.0)])[:, 20]
    assert log[:20].max() > log[5] + 0.05
    assert log[20:].min() < log[35] - 0.05
