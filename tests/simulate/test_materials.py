"""The simulator reaches the numbers that were published of real frames, and its comparison runs."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from similarity.kinds import KINDS
from similarity.measures import quantile
from similarity.recordings import simulated

from amseg_keras.simulate import REFERENCES
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


SCRIPT = Path(__file__).parents[2] / "benchmarks" / "simulated_against_real.py"
SEEDS = range(1000, 1006)


def is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_reference_frames_measure_as_the_published_ones_within_the_tolerance(kind):
    targets = [target for target in kind.targets if is_number(target.published)]
    if not targets:
        pytest.skip("nothing of this kind is published as one number")
    # Nothing of movies is published as a number.
    kind, frames = replace(kind, movie=False), min(kind.frames, 4)
    measured = [
        kind.measured(simulated(REFERENCES[kind.name], kind.process, frames, seed))
        for seed in SEEDS
    ]
    for target in targets:
        values = [one.numbers[target.name] for one in measured]
        assert np.isfinite(values).sum() >= 2, target.name
        found = float(quantile(values, 50))
        assert found == pytest.approx(float(target.published), abs=target.tolerance), target.name


def test_the_comparison_with_real_frames_runs(real_data, tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, SCRIPT, "--only", "dls"),
            *("--real", real_data, "-o", tmp_path, "--reference", "2", "--randomised", "2"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    # Of two recordings some number may miss; that is exit status 1 and no error.
    assert done.returncode in (0, 1), done.stderr
    rows = json.loads((tmp_path / "comparison.json").read_text())["dls"]
    gas = next(row for row in rows if row["name"] == "gas mean")
    assert gas["real"] == pytest.approx(224, abs=3)
    assert gas["within"]
    for name in ("comparison.md", "frames.png", "curves.png"):
        assert (tmp_path / name).stat().st_size > 1000


def test_without_real_frames_it_says_where_to_name_them(tmp_path):
    done = subprocess.run(
        [sys.executable, SCRIPT, "--real", tmp_path / "none"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "--real" in done.stderr
    assert "Traceback" not in done.stderr
