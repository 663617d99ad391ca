"""Label maps as files: what is read back is what was written."""

import h5py
import numpy as np
import pytest
import tifffile

from amseg_keras.classes import CLASS_NAMES, IGNORE
from amseg_keras.report.label_files import LABEL_WRITERS, STRIP_BYTES


@pytest.fixture(scope="module", params=[(3, 40, 60), (2, 700, 500), (1, 2, STRIP_BYTES + 5)])
def labels(request):
    found = np.random.default_rng(0).integers(0, len(CLASS_NAMES), request.param, np.uint8)
    found[:, : found.shape[1] // 2] = 1
    found[-1, -1, :7] = IGNORE
    return found


def test_tiff_is_read_page_by_page(labels, tmp_path):
    assert LABEL_WRITERS["tiff"](tmp_path, iter(labels), labels.shape, CLASS_NAMES) == "labels.tif"
    with tifffile.TiffFile(tmp_path / "labels.tif") as tiff:
        assert tiff.is_imagej
        assert len(tiff.pages) == len(labels)
        pages = np.stack([page.asarray() for page in tiff.pages])
    np.testing.assert_array_equal(pages, labels)


def test_hdf5_is_read_through_its_own_filter(labels, tmp_path):
    assert LABEL_WRITERS["hdf5"](tmp_path, iter(labels), labels.shape, CLASS_NAMES) == "labels.h5"
    with h5py.File(tmp_path / "labels.h5") as file:
        np.testing.assert_array_equal(file["labels"][()], labels)
