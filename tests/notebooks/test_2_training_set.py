"""Notebook 2: from a raw HDF5 file to a data set that can be trained on."""

import numpy as np
import pytest
import tifffile

from amseg_keras.datasets import open_dataset

pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

from notebooks.running import execute, notebook

FRAMES, LABELLED = 12, 3
WIDTH, HEIGHT = 128, 96


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """What the notebook printed about small frames, and the folder of its results."""
    folder = tmp_path_factory.mktemp("training_set")
    printed = execute(
        notebook(2),
        folder,
        CROP=f"16,8,{WIDTH},{HEIGHT}",
        LABELLED=LABELLED,
        SHAPE=(128, 192),
        COUNT=FRAMES,
    )
    return printed, folder / "results" / "training_set"


def test_the_uneven_beam_is_gone(run):
    _, results = run
    (ready,) = (results / "ready").glob("*/frames.tif")
    # Grains hang in the gas; the brightest pixels are gas alone.
    thirds = np.array_split(tifffile.imread(ready)[:, :8], 3, axis=2)
    left, middle, right = (np.percentile(part, 85) for part in thirds)
    assert left == pytest.approx(middle, rel=0.1)
    assert right == pytest.approx(middle, rel=0.1)


def test_the_data_set_has_the_corrected_labels(run):
    _, results = run
    data = open_dataset(results / "data")
    assert len(data.frames) == LABELLED
    drawn = sorted((results / "corrected").glob("*.tif"))
    for frame, corrected in zip(data.frames, drawn, strict=True):
        assert data.labels(frame).shape == (HEIGHT, WIDTH)
        np.testing.assert_array_equal(data.labels(frame), tifffile.imread(corrected))


def test_labelme_outlines_say_what_the_label_images_say(run):
    printed, _ = run
    (line,) = (text for text in printed.splitlines() if "of the pixels have" in text)
    assert float(line.split("%")[0]) > 99
