"""The chain: order, grey levels, laziness, and the segmenter at its end."""

import numpy as np
import pytest
from stacks import Counting, noisy

from amseg_keras.preprocess import (
    Box,
    Crop,
    FirstFrames,
    FlatField,
    Median,
    PreviousFrames,
    Register,
    Stretch,
    prepare,
)
from amseg_keras.read import ReadError


def test_steps_act_in_the_order_given():
    frames = noisy(4)
    filtered_first = prepare(frames, [Median(3), Stretch(1, 99)])
    stretched_first = prepare(frames, [Stretch(1, 99), Median(3)])
    assert np.abs(filtered_first[0].astype(int) - stretched_first[0]).max() > 10


def test_the_whole_chain_agrees_with_numpy():
    frames, flat = noisy(30), noisy(1, seed=1)[0]
    chain = [FlatField(flat), PreviousFrames(5, 5), Stretch(1, 99), Crop(Box(2, 1, 8, 6))]
    ratio = frames / flat.astype(float)
    divided = np.stack(
        [ratio[k] / np.median(ratio[w], axis=0) for k, w in enumerate(map(_window, range(30)))]
    )
    low, high = np.percentile(divided, [1, 99])
    expected = np.clip((divided - low) / (high - low), 0, 1)[17, 1:7, 2:10]
    got = prepare(frames, chain, "float32")[17]
    np.testing.assert_allclose(got, expected, atol=1e-4)


def _window(index):
    window = PreviousFrames(5, 5).window(index, 30)
    return slice(window.start, window.stop)


@pytest.mark.parametrize(("dtype", "top"), [("uint8", 255), ("uint16", 65535), ("float32", 1)])
def test_stretched_frames_fill_the_dtype(dtype, top):
    ready = prepare(noisy(3), [Stretch(5, 95)], dtype)
    frame = ready[0]
    assert frame.dtype == dtype
    assert (frame.min(), frame.max()) == (0, top)


def test_a_crop_alone_keeps_the_counts():
    frames = noisy(2)
    np.testing.assert_array_equal(
        prepare(frames, [Crop(Box(1, 2, 5, 6))], "uint16")[1], frames[1, 2:8, 1:6]
    )


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([], "uint16 do not fit into uint8"),
        ([FirstFrames(3)], "ratios are no whole numbers"),
        ([Stretch(), FirstFrames(3)], "ratios are no whole numbers"),
    ],
)
def test_levels_that_do_not_fit_the_dtype_are_refused(steps, message):
    with pytest.raises(ValueError, match=message):
        prepare(noisy(5), steps)


def test_registering_after_the_background_is_noted():
    frames = noisy(5, 20, 20)
    assert "register before" in prepare(frames, [FirstFrames(3), Register()], "float32").notes[0]
    assert prepare(frames, [Register(), FirstFrames(3)], "float32").notes == ()


def test_a_frame_is_computed_only_when_asked_for():
    frames = Counting(noisy(200))
    ready = prepare(frames, [FirstFrames(3), Median(3)], "float32")
    frames.read.clear()
    ready[150]
    assert frames.read == [150]


def test_unreadable_frames_stay_errors_and_the_others_are_there():
    ready = prepare(Counting(noisy(6), broken=(2,)), [Stretch(), Median(3)])
    with pytest.raises(ReadError, match="frame 2 is damaged"):
        ready[2]
    assert ready[3].any()


def test_indices_count_from_the_end_and_stop_there():
    ready = prepare(noisy(6), [Stretch()])
    np.testing.assert_array_equal(ready[-1], ready[5])
    assert len(list(ready)) == 6
    with pytest.raises(IndexError):
        ready[6]


def test_the_segmenter_takes_a_prepared_stack(small_segmenter):
    ready = prepare(noisy(3, 40, 48), [Stretch(), Crop(Box(0, 0, 40, 32))])
    grey = small_segmenter.scaling.measure(ready)
    labelled = list(small_segmenter.iter_labels(ready, grey))
    assert [frame.labels.shape for frame in labelled] == [(32, 40)] * 3
