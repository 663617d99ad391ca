from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amseg_keras.datasets import Dataset, LabelledFrame, open_dataset
from amseg_keras.datasets.dataset import SPLITS
from amseg_keras.datasets.statistics import SHARES, SplitError, split_dataset

lengths = st.lists(st.integers(1, 60), min_size=3, max_size=25)
seeds = st.integers(0, 10)


def data_set(lengths, folder=Path("data")):
    frames = [
        LabelledFrame(f"images/{s}_{k}.tif", None, f"s{s}", k)
        for s, length in enumerate(lengths)
        for k in range(length)
    ]
    return Dataset(folder, ("gas", "melt"), tuple(frames))


def counts(data):
    return {name: len(data.of_split(name).frames) for name in SPLITS}


@given(lengths, seeds)
def test_by_sequence_no_sequence_is_in_two_splits(lengths, seed):
    data = data_set(lengths)
    done = split_dataset(data, seed=seed)
    assert [f.image for f in done.frames] == [f.image for f in data.frames]
    splits = {name: {f.split for f in frames} for name, frames in done.sequences().items()}
    assert all(len(found) == 1 and found <= set(SPLITS) for found in splits.values())
    assert all(counts(done).values())


@given(lengths, seeds)
def test_by_sequence_is_near_4_1_1(lengths, seed):
    found = counts(split_dataset(data_set(lengths), seed=seed))
    for name, share in SHARES.items():
        # Whole sequences cannot come nearer than about one of them.
        assert abs(found[name] - sum(lengths) * share / 6) <= 2 * max(lengths)
        assert found[name] - sum(lengths) * share / 6 <= max(lengths)


@given(lengths, seeds, st.sampled_from(["sequence", "frame", "time"]))
def test_the_split_depends_on_frames_and_seed_alone(lengths, seed, by):
    data = data_set([3 * length for length in lengths])
    shuffled = Dataset(data.folder, data.class_names, data.frames[::-1])
    assert split_dataset(data, by, seed) == split_dataset(data, by, seed)
    if by != "frame":
        again = {f.image: f.split for f in split_dataset(shuffled, by, seed).frames}
        assert again == {f.image: f.split for f in split_dataset(data, by, seed).frames}


@given(st.integers(3, 500), seeds)
def test_by_frame_is_4_1_1(frames, seed):
    found = counts(split_dataset(data_set([frames]), "frame", seed))
    assert sum(found.values()) == frames
    assert all(abs(found[name] - frames * share / 6) <= 1.01 for name, share in SHARES.items())


@given(st.lists(st.integers(3, 40), min_size=1, max_size=5))
def test_by_time_training_comes_before_validation_before_test(lengths):
    done = split_dataset(data_set(lengths), "time")
    for frames in done.sequences().values():
        order = [SPLITS.index(f.split) for f in frames]
        assert order == sorted(order)
        assert set(order) == {0, 1, 2}


def test_eight_frames_by_time_are_six_one_and_one():
    done = split_dataset(data_set([8]), "time")
    assert counts(done) == {"train": 6, "validation": 1, "test": 1}


def test_seeds_differ():
    data = data_set([10] * 12)
    splits = [tuple(f.split for f in split_dataset(data, seed=s).frames) for s in range(4)]
    assert len(set(splits)) == 4


def test_equal_sequences_are_split_exactly():
    done = split_dataset(data_set([10] * 12))
    assert counts(done) == {"train": 80, "validation": 20, "test": 20}


@pytest.mark.parametrize(
    ("lengths", "by", "message"),
    [
        ([20], "sequence", "has 1 sequence, .* --by time"),
        ([20, 9], "sequence", "has 2 sequences, .* --by time"),
        ([2], "time", "nothing is left for validation and test"),
        ([1, 1], "frame", "nothing is left"),
    ],
)
def test_too_few_is_one_sentence(lengths, by, message):
    with pytest.raises(SplitError, match=message):
        split_dataset(data_set(lengths), by)


def test_the_split_is_saved_with_how_it_was_made(tmp_path):
    split_dataset(data_set([3, 4, 5, 6], tmp_path), seed=3).save()
    opened = open_dataset(tmp_path)
    assert Counter(f.split for f in opened.frames).total() == 18
    assert (opened.other["split_by"], opened.other["split_seed"]) == ("sequence", 3)
