"""How sure a network is, of pixels, frames and recordings."""

import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from amseg_keras.explain import confidence, frame_confidence, rank_frames
from amseg_keras.explain.confidence import SHIFTS


def by_brightness(batch):
    """Two classes: the grey level is the probability of the second."""
    return np.concatenate([1 - batch, batch], axis=-1)


def by_grid(batch):
    """As above, but grey pixels get the class of the eight rows that they fall into."""
    rows = np.arange(batch.shape[1])[:, None, None] // 8 % 2
    return by_brightness(np.where(abs(batch - 0.5) < 0.1, rows, batch))


def test_confidence_is_the_best_and_margin_its_lead():
    x = np.random.default_rng(0).random((33, 50), np.float32)
    found = frame_confidence(by_brightness, x)
    np.testing.assert_allclose(found.confidence, np.maximum(x, 1 - x), atol=1e-6)
    np.testing.assert_allclose(found.margin, abs(2 * x - 1), atol=1e-6)
    assert not found.unstable.any(), "a label by the grey level alone does not depend on shifts"


def test_with_one_class_there_is_no_doubt():
    found = frame_confidence(np.ones_like, np.zeros((20, 20), np.float32))
    np.testing.assert_array_equal(found.margin, 1)


def test_labels_that_depend_on_the_grid_are_not_stable():
    x = np.zeros((64, 64), np.float32)
    x[20:40, 20:40] = 0.5
    unstable = frame_confidence(by_grid, x).unstable
    rows = np.arange(20, 40)
    # The rows whose class is another one once they are moved down.
    changed = [any((row + down) // 8 % 2 != row // 8 % 2 for down, _ in SHIFTS) for row in rows]
    assert any(changed)
    np.testing.assert_array_equal(unstable[20:40, 20:40], np.array([changed] * 20).T)
    unstable[20:40, 20:40] = False
    assert not unstable.any()


def test_shares_are_of_the_frame_without_its_edge():
    x = np.zeros((132, 232), np.float32)
    x[:16] = x[:, -16:] = 0.5
    assert frame_confidence(by_brightness, x).shares() == {
        "mean_confidence": 1,
        "low_margin_share": 0,
        "unstable_share": 0,
    }
    x[16:26, 16:36] = 0.45
    shares = frame_confidence(by_brightness, x).shares()
    assert shares["low_margin_share"] == pytest.approx(10 * 20 / (100 * 200))
    assert shares["mean_confidence"] == pytest.approx(1 - 0.01 * 0.45)


def rows(*doubts):
    """Frames of which so many per cent are of low margin and not stable."""
    return [
        {
            "frame": frame,
            "mean_confidence": 1 - low / 100,
            "low_margin_share": low / 100,
            "unstable_share": unstable / 100,
        }
        for frame, (low, unstable) in enumerate(doubts)
    ]


def flagged(*doubts):
    table = rank_frames(rows(*doubts))
    return table["frame"][table["look_at"]].tolist()


@pytest.mark.parametrize(
    ("doubts", "wanted"),
    [
        ([(0.5, 1.0)] * 9, []),
        ([(1.1, 2.0), (1.3, 2.3), (0.9, 1.8), (1.2, 2.2)], []),
        ([(0.5, 1.0), (0.5, 1.0), (0.9, 1.0), (0.5, 1.6), (0.7, 1.4)], [3, 2]),
        ([(0.01, 0.02), (0.02, 0.01), (0.15, 0.18)], []),
        ([(2.5, 3.0), (2.6, 3.1)], [1, 0]),
        ([(1.0, 4.5)], [0]),
        ([(1.0, 2.0)], []),
    ],
    ids=[
        "all alike",
        "a usual spread",
        "two stand out",
        "tiny shares",
        "all bad",
        "one bad",
        "one",
    ],
)
def test_a_frame_is_to_be_looked_at_when_it_stands_out_or_is_bad(doubts, wanted):
    assert flagged(*doubts) == wanted


def test_flagged_frames_come_first_and_then_the_most_doubtful():
    table = rank_frames(rows((0.5, 1), (0.9, 1), (0.55, 1.4), (0.5, 1), (0.5, 1.6)))
    assert table["frame"].tolist() == [4, 1, 2, 0, 3]
    assert table["look_at"].tolist() == [True, True, False, False, False]


shares = st.floats(0, 10, allow_nan=False)


@given(st.lists(st.tuples(shares, shares), min_size=1, max_size=20), st.randoms())
def test_the_order_of_the_rows_does_not_matter(doubts, random):
    given_rows = rows(*doubts)
    wanted = rank_frames(given_rows)
    random.shuffle(given_rows)
    pd.testing.assert_frame_equal(rank_frames(given_rows), wanted)


def test_no_frames_give_an_empty_table():
    table = rank_frames([])
    assert len(table) == 0
    assert list(table.columns)[-1] == "look_at"


def test_of_a_recording_it_is_what_the_segmenter_says(small_segmenter, frames):
    found = confidence(small_segmenter, frames)
    expected = small_segmenter.segment(frames, confidence=True, batch_size=1).confidence
    np.testing.assert_allclose(found.confidence, expected, atol=1e-4)
    assert found.margin.shape == found.unstable.shape == frames.shape
    assert sorted(found.frames["frame"]) == [0, 1, 2]
    first = found.frames.iloc[0]
    inner = found.margin[int(first["frame"]), 6:-6, 8:-8]  # an eighth of 50 and of 70 pixels
    assert first["low_margin_share"] == pytest.approx((inner < 0.2).mean())


def test_frames_that_cannot_be_read_are_named_and_have_no_row(small_segmenter, frames, tmp_path):
    for index, frame in enumerate(frames):
        tifffile.imwrite(tmp_path / f"{index}.tif", frame)
    (tmp_path / "1.tif").write_bytes(b"")
    found = confidence(small_segmenter, tmp_path)
    assert sorted(found.frames["frame"]) == [0, 2]
    ((index, reason),) = found.errors
    assert index == 1
    assert "1.tif" in reason
    assert not found.confidence[1].any()


def test_a_frame_unlike_what_the_preset_knows_is_to_be_looked_at():
    names = ("frame", "mean_confidence", "low_margin_share", "unstable_share", "foreign")
    rows = [(0, 0.99, 0.001, 0.001, False), (1, 0.99, 0.001, 0.001, True)]
    table = rank_frames(dict(zip(names, row, strict=True)) for row in rows)
    assert table["frame"].tolist() == [1, 0]
    assert table["look_at"].tolist() == [True, False]
    assert table["foreign"].tolist() == [True, False]


def test_probabilities_that_are_known_are_not_asked_for_again():
    asked = []

    def by_brightness_once(batch):
        asked.append(batch.shape)
        return by_brightness(batch)

    x = np.random.default_rng(0).random((32, 48)).astype(np.float32)
    known = by_brightness(x[None, ..., None])[0]
    found = frame_confidence(by_brightness_once, x, probabilities=known)
    assert len(asked) == len(SHIFTS)
    np.testing.assert_array_equal(found.confidence, known.max(axis=-1))
