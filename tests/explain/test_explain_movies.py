"""Grad-CAM and confidence of networks with a motion channel."""

import numpy as np
from movie_networks import movie, movie_segmenter
from random_networks import applied

from amseg_keras.explain import GradCam, confidence, default_layer, grad_cam


def test_grad_cam_looks_at_both_channels():
    segmenter, stack = movie_segmenter(), movie(20, 48, 64)
    inputs = segmenter.inputs(stack)
    found = GradCam(segmenter.model, 2).explain(inputs.make(9))
    labels = segmenter.segment(stack).labels[9]
    np.testing.assert_array_equal(found.found, labels == 2)
    assert found.heat.shape == (48, 64)


def test_grad_cam_of_a_frame_has_a_blank_motion():
    segmenter, frame = movie_segmenter(), movie(1, 50, 70)[0]
    heat = grad_cam(segmenter, frame, segmenter.class_names[2])
    expected = GradCam(segmenter.model, 2).explain(segmenter.inputs(frame[None]).make(0)).heat
    np.testing.assert_allclose(heat, expected, atol=1e-5)


def test_grad_cam_in_tiles_is_that_of_the_whole_frame():
    segmenter = movie_segmenter()
    given = segmenter.inputs(movie(20, 64, 704)).make(9)
    layer = default_layer(segmenter.model)
    whole = GradCam(segmenter.model, 2, layer).explain(given)
    tiled = GradCam(segmenter.model, 2, layer, pass_pixels=64 * 512).explain(given)
    np.testing.assert_array_equal(tiled.found, whole.found)
    np.testing.assert_allclose(tiled.heat, whole.heat, atol=1e-3)


def test_confidence_is_that_of_both_channels():
    segmenter, stack = movie_segmenter(), movie(17, 48, 64)
    found = confidence(segmenter, stack)
    expected = applied(segmenter.model, segmenter.inputs(stack).make(3)[None])[0].max(axis=-1)
    np.testing.assert_allclose(found.confidence[3], expected, atol=1e-4)
    assert len(found.frames) == 17
