"""`Segmenter.segment` on arrays and paths."""

import numpy as np
import pytest
import tifffile

from amseg_keras import ReadError


def test_one_frame_and_a_stack_of_it_give_the_same_labels(small_segmenter, frames):
    one = small_segmenter.segment(frames[0])
    assert one.labels.shape == (1, 50, 70)
    assert one.labels.dtype == np.uint8
    np.testing.assert_array_equal(one.labels, small_segmenter.segment(frames[:1]).labels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_depth_does_not_change_the_labels(small_segmenter, frames, dtype):
    eight_bit = (frames // 16).astype(np.uint8)
    expected = small_segmenter.segment(eight_bit).labels
    assert np.unique(expected).size > 1
    same = small_segmenter.segment(eight_bit.astype(dtype) * dtype(1 if dtype == np.uint8 else 4))
    assert (same.labels == expected).mean() > 0.999


def test_batch_size_does_not_change_the_labels(small_segmenter, frames):
    one = small_segmenter.segment(frames, batch_size=1).labels
    assert (small_segmenter.segment(frames, batch_size=3).labels == one).mean() > 0.999


@pytest.mark.parametrize(("batch_size", "runs"), [(1, 4), (4, 5)])
def test_equal_frames_in_a_row_are_computed_once_a_batch(
    small_segmenter, frames, batch_size, runs, monkeypatch
):
    movie = frames[[0, 0, 0, 1, 1, 0, 2, 2]]
    expected = small_segmenter.segment(frames, batch_size=1)
    computed = []
    model = small_segmenter.model
    predict = model.predict_on_batch
    monkeypatch.setattr(
        model, "predict_on_batch", lambda batch: computed.append(len(batch)) or predict(batch)
    )
    result = small_segmenter.segment(movie, batch_size=batch_size)
    assert sum(computed) == runs
    agree = result.labels == expected.labels[[0, 0, 0, 1, 1, 0, 2, 2]]
    assert agree.mean() > 0.999


def test_confidence_is_the_probability_of_the_label(small_segmenter, frames):
    result = small_segmenter.segment(frames, confidence=True)
    assert result.confidence.shape == frames.shape
    assert result.confidence.min() >= 1 / 5
    assert result.confidence.max() <= 1
    assert small_segmenter.segment(frames).confidence is None


def test_a_path_gives_the_labels_of_its_frames(small_segmenter, frames, tmp_path):
    tifffile.imwrite(tmp_path / "stack.tif", frames, photometric="minisblack")
    np.testing.assert_array_equal(
        small_segmenter.segment(tmp_path / "stack.tif").labels,
        small_segmenter.segment(frames).labels,
    )


def test_an_unreadable_frame_is_labelled_255_and_named(small_segmenter, frames, tmp_path):
    for index, frame in enumerate(frames):
        tifffile.imwrite(tmp_path / f"{index}.tif", frame)
    whole = (tmp_path / "1.tif").read_bytes()
    (tmp_path / "1.tif").write_bytes(whole[:1000])
    result = small_segmenter.segment(tmp_path)
    assert (result.labels[1] == 255).all()
    assert (result.labels[[0, 2]] < 5).all()
    ((index, reason),) = result.errors
    assert index == 1
    assert "1.tif" in reason


def test_missing_path_is_a_read_error(small_segmenter, tmp_path):
    with pytest.raises(ReadError, match=r"none\.tif"):
        small_segmenter.segment(tmp_path / "none.tif")


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (np.zeros((2, 3, 4, 5)), "want"),
        (np.zeros(5), "want"),
        (np.zeros((0, 8, 8)), "not empty"),
        (np.zeros((8, 8), complex), "real numbers"),
        (np.array([[np.nan, 1], [2, 3]]), "frame 0 holds NaN"),
    ],
    ids=["4-D", "1-D", "empty", "complex", "NaN"],
)
def test_what_is_no_stack_of_frames_is_refused(small_segmenter, frames, message):
    with pytest.raises(ValueError, match=message):
        small_segmenter.segment(frames)


def test_mask_of_a_class_by_its_name(small_segmenter, frames):
    result = small_segmenter.segment(frames)
    np.testing.assert_array_equal(result.mask("pore"), result.labels == 4)
    with pytest.raises(ValueError, match="no class 'void'"):
        result.mask("void")
