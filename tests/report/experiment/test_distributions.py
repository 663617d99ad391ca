"""Histogram of the keyhole's area, spectrum of its depth."""

import numpy as np
import pytest
from drawn_experiment import FRAMES, SCALE, depth, draw_labels, quantities

from amseg_keras.quantify import Scale
from amseg_keras.report.experiment.time_series import area_histogram_figure, spectrum_figure


def test_the_histogram_counts_the_frames_with_a_keyhole():
    found = quantities()
    (axes,) = area_histogram_figure(found).axes
    assert sum(bar.get_height() for bar in axes.patches) == FRAMES - 3
    assert axes.get_xlabel() == "keyhole area (µm²)"
    areas = [8 * 4 * depth(frame) for frame in range(FRAMES - 2) if frame != 7]
    median = next(line for line in axes.lines if line.get_label().startswith("median"))
    assert median.get_xdata()[0] == pytest.approx(np.median(areas))


def test_an_area_that_is_always_the_same_has_a_histogram_too():
    found = quantities()
    found.frames["keyhole_area_um2"] = 400.0
    (axes,) = area_histogram_figure(found).axes
    assert sum(bar.get_height() for bar in axes.patches) == FRAMES - 1


def test_too_few_frames_have_no_histogram_and_no_spectrum():
    found = quantities(labels=draw_labels()[:15])
    assert area_histogram_figure(found) is None
    assert spectrum_figure(found) is None


def test_the_spectrum_is_highest_at_the_frequency_of_the_oscillation():
    (axes,) = spectrum_figure(quantities()).axes
    frequency, power = axes.lines[0].get_data()
    # Eight frames at 10 kHz.
    assert frequency[np.argmax(power)] == pytest.approx(1.25, abs=0.2)
    assert axes.get_xlabel() == "frequency (kHz)"


def test_there_is_no_spectrum_without_a_frame_rate():
    assert spectrum_figure(quantities(Scale(SCALE.pixel_size_um, None))) is None
