from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from amseg_keras.datasets import Dataset, LabelledFrame
from amseg_keras.datasets.dataset import write_frame
from amseg_keras.datasets.statistics import (
    class_shares,
    class_weights,
    count_frames,
    count_pixels,
)
from amseg_keras.read import ReadError
from amseg_keras.report.learning import draw_statistics


@pytest.fixture
def data(tmp_path):
    """Two labelled frames of Ti64 and one of steel without labels; 40, 8 and 2 pixels."""
    labels = np.zeros((2, 5, 5), np.uint8)
    labels[0, :2, :4] = 1  # 8 of 25 in the first frame only
    labels[1, 0, :2] = 2
    labels[1, 4, 4] = 255
    frames = []
    for k, material in enumerate(("Ti64", "Ti64", "steel")):
        about = LabelledFrame("", None, f"s{k}", 0, material=material, split="train")
        image = np.zeros((5, 5), np.uint8)
        frames.append(write_frame(tmp_path, image, labels[k] if k < 2 else None, about))
    return Dataset(tmp_path, ("gas", "melt", "pore", "crack"), tuple(frames))


def test_frames_are_counted_by_material(data):
    table = count_frames(data)
    assert table.loc["Ti64"].to_list() == [2, 2, 2]
    assert table.loc["steel"].to_list() == [1, 0, 1]
    assert count_frames(data, "facility").index.to_list() == ["not given"]


def test_pixels_are_counted_in_each_frame(data):
    done = []
    pixels = count_pixels(data, lambda: done.append(1))
    assert len(done) == 2
    assert pixels.to_numpy().tolist() == [[17, 8, 0, 0, 0], [22, 0, 2, 0, 1]]


def test_shares_leave_ignored_pixels_out(data):
    shares = class_shares(count_pixels(data))
    np.testing.assert_allclose(shares["share"], np.array([39, 8, 2, 0]) / 49)
    assert shares["frames"].to_list() == [2, 1, 1, 0]


def test_weights_are_those_of_the_formulas(data):
    pixels = count_pixels(data)
    # By hand: gas 39 of 49, melt 8 of the 25 of its frame, pore 2 of the 24 of its frame.
    frequency = np.array([39 / 49, 8 / 25, 2 / 24])
    expected = [*(0.32 / frequency), 0]
    np.testing.assert_allclose(list(class_weights(pixels).values()), expected)
    expected = [49 / (3 * 39), 49 / (3 * 8), 49 / (3 * 2), 0]
    found = class_weights(pixels, "inverse-frequency")
    np.testing.assert_allclose(list(found.values()), expected)


def test_a_data_set_without_labels_has_shares_of_nothing(data):
    bare = replace(data, frames=data.frames[2:])
    pixels = count_pixels(bare)
    assert class_shares(pixels)["share"].to_list() == [0, 0, 0, 0]
    assert set(class_weights(pixels).values()) == {0.0}


def test_an_unknown_id_is_named(data):
    Image.fromarray(np.full((5, 5), 9, np.uint8)).save(data.folder / data.frames[1].label)
    with pytest.raises(ReadError, match=r"s1_00000\.png: holds the class id 9"):
        count_pixels(data)


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_figure_is_drawn(data, tmp_path, ending):
    path = tmp_path / f"statistics.{ending}"
    draw_statistics(count_frames(data), class_shares(count_pixels(data)), path)
    assert path.stat().st_size > 5000
