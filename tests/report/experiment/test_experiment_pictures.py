"""Frames as pictures, whether the recording is at hand or not."""

import numpy as np

from amseg_keras.preprocess import GreyRange
from amseg_keras.read import ReadError
from amseg_keras.report.colours import class_colours
from amseg_keras.report.experiment.film_strip import Pictures
from amseg_keras.report.overlay import overlay

NAMES = ("substrate", "pore")
LABELS = np.array([[0, 1, 255]], np.uint8)


class Recording(list):
    shape = (2, 1, 3)

    def __getitem__(self, index):
        if index == 1:
            raise ReadError("frame 1: is empty")
        return super().__getitem__(index)


def test_a_frame_is_shown_bare_and_with_its_labels():
    grey = np.array([[100, 200, 400]], np.uint16)
    grey_range = GreyRange(100, 300, 1.0)
    raw, labelled = Pictures(Recording([grey]), NAMES, grey_range).pair(0, LABELS)
    np.testing.assert_array_equal(raw[0, :, 0], [0, 128, 255])
    assert (raw == raw[..., :1]).all()
    np.testing.assert_array_equal(labelled, overlay(grey, LABELS, NAMES, grey_range))


def test_without_the_frame_the_labels_have_the_colours_of_the_legend():
    for recording, index in ((None, 0), (Recording([LABELS]), 1)):
        raw, labelled = Pictures(recording, NAMES, GreyRange(0, 1, 1)).pair(index, LABELS)
        assert raw is None
        np.testing.assert_array_equal(labelled[0, :2], class_colours(NAMES))
        np.testing.assert_array_equal(labelled[0, 2], [255, 255, 255])
