"""The small network: what it costs, and how far it looks."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from random_networks import applied, randomise

from amseg_keras.models import AMSegNetLite
from amseg_keras.models.cost import macs, trainable_parameters
from amseg_keras.segment.tiling import MARGIN


def test_it_costs_less_than_a_gmac_and_two_megabytes():
    model = AMSegNetLite()
    assert 0.5e9 < macs(model) < 1e9
    assert 2 * trainable_parameters(model) < 2e6


def test_the_recorded_search_has_the_costs_of_the_networks():
    path = Path(__file__).parents[2] / "benchmarks" / "recorded" / "small_network.csv"
    tried = pd.read_csv(path).query("block == 'convolution'").drop_duplicates("width")
    assert len(tried) == 4
    for one in tried.itertuples():
        model = AMSegNetLite(base_filters=one.width)
        assert trainable_parameters(model) == one.parameters
        assert round(macs(model) / 1e9, 2) == one.gmac


@pytest.mark.parametrize("size", [(16, 16), (48, 32)])
def test_any_multiple_of_16_gives_probabilities_of_the_same_size(size):
    model = randomise(AMSegNetLite(num_classes=3, base_filters=4))
    out = applied(model, np.random.default_rng(0).random((2, *size, 1), np.float32))
    assert out.shape == (2, *size, 3)
    np.testing.assert_allclose(out.sum(axis=-1), 1, atol=1e-5)


def test_a_pixel_changes_nothing_beyond_the_margin_of_tiles():
    model = randomise(AMSegNetLite(base_filters=4))
    x = np.random.default_rng(0).random((1, 272, 272, 1), np.float32)
    changed = x.copy()
    changed[0, 136, 136] += 50
    moved = np.abs(applied(model, changed) - applied(model, x)).max(axis=-1)[0] > 1e-6
    rows, columns = np.nonzero(moved)
    reach = max(np.abs(rows - 136).max(), np.abs(columns - 136).max())
    assert 40 < reach <= MARGIN
