"""Scores of an evaluation against scikit-learn and against counts made by hand."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score, jaccard_score, precision_score, recall_score

from amseg_keras import PresetInfo, ReadError
from amseg_keras.classes import CLASS_NAMES, IGNORE
from amseg_keras.datasets import Dataset, LabelledFrame
from amseg_keras.datasets.dataset import write_frame
from amseg_keras.datasets.statistics import GROUPS
from amseg_keras.evaluation import Evaluation, PoreScores, evaluate
from amseg_keras.evaluation.evaluate import ComparedFrame, SegmentedFrames, count_frame
from amseg_keras.preprocess import GreyScaling

SHAPES = {"a": (48, 64), "b": (33, 50)}


def grey(rng, shape):
    return (np.cumsum(rng.normal(0, 60, shape), axis=1) + 2000).clip(0).astype(np.uint16)


def blocks(rng, shape, classes):
    coarse = rng.integers(0, classes, (shape[0] // 8 + 1, shape[1] // 8 + 1), dtype=np.uint8)
    labels = coarse.repeat(8, axis=0).repeat(8, axis=1)[: shape[0], : shape[1]].copy()
    labels[:3, :5] = IGNORE
    return labels


def make_data(folder, classes=CLASS_NAMES):
    """Two sequences of two frames, of different sizes; the first frame of each is for training."""
    rng = np.random.default_rng(4)
    frames = []
    for sequence, shape in SHAPES.items():
        for number, split in ((1, "train"), (2, "test")):
            about = LabelledFrame("", None, sequence, number, split, material=f"metal {sequence}")
            labels = blocks(rng, shape, len(classes))
            frames.append(write_frame(folder, grey(rng, shape), labels, about))
    data = Dataset(folder, classes, tuple(frames), origin="Made for a test.")
    data.save()
    return data


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def result(data, small_segmenter):
    return evaluate(small_segmenter, data, None)


def pixels_of(data, segmenter, chosen=lambda frame: True):
    """Truth and what `segment` finds in whole sequences, as flat arrays without ignored pixels."""
    truth, found = [], []
    for frames in data.sequences().values():
        stack = np.stack([data.image(frame) for frame in frames])
        for frame, labels in zip(frames, segmenter.segment(stack).labels, strict=True):
            if chosen(frame):
                seen = data.labels(frame) != IGNORE
                truth.append(data.labels(frame)[seen])
                found.append(labels[seen])
    return np.concatenate(truth), np.concatenate(found)


def check_scores(result, truth, found):
    for column, score in (
        ("iou", jaccard_score),
        ("f1", f1_score),
        ("precision", precision_score),
        ("recall", recall_score),
    ):
        wanted = score(truth, found, labels=range(5), average=None, zero_division=0)
        np.testing.assert_allclose(result.classes[column].fillna(0), wanted, atol=1e-12)
    shown = np.unique(truth)
    for mean, score in ((result.mean_iou, jaccard_score), (result.mean_f1, f1_score)):
        assert mean == pytest.approx(score(truth, found, labels=shown, average="macro"))


def test_scores_are_those_of_scikit_learn_on_the_labels_of_segment(data, small_segmenter, result):
    truth, found = pixels_of(data, small_segmenter)
    assert len(result.counts) == 4
    assert len(np.unique(found)) > 1
    check_scores(result, truth, found)


def test_a_split_keeps_the_grey_range_of_the_whole_sequence(data, small_segmenter):
    done = []
    result = evaluate(small_segmenter, data.folder, progress=lambda *now: done.append(now))
    check_scores(result, *pixels_of(data, small_segmenter, lambda frame: frame.split == "test"))
    assert [one.frame.split for one in result.counts] == ["test", "test"]
    assert done == [(1, 2), (2, 2)]


def test_groups_are_scored_from_their_own_pixels(data, small_segmenter, result):
    table = result.by("sequence")
    assert table["mean_iou"].is_monotonic_increasing
    for name in SHAPES:
        pixels = pixels_of(data, small_segmenter, lambda frame, name=name: frame.sequence == name)
        wanted = jaccard_score(*pixels, labels=range(5), average=None, zero_division=0)
        row = table.loc[name].fillna(0)
        np.testing.assert_allclose([row[f"iou_{one}"] for one in CLASS_NAMES], wanted)
        assert row["frames"] == 2
    assert set(result.by("material").index) == {"metal a", "metal b"}
    assert list(result.by("facility").index) == ["not given"]
    with pytest.raises(ValueError, match="material, facility, process"):
        result.by("weather")


def test_frames_are_listed_and_the_worst_of_them_found(result):
    table = result.frames
    assert list(table["image"]) == [one.frame.image for one in result.counts]
    assert table["pixels"].sum() == result.confusion.sum()
    worst = result.worst(2)
    assert worst[0] is result.counts[table["mean_iou"].argmin()]
    assert len(result.worst(99)) == 4
    assert result.worst(0) == ()


def test_a_class_that_no_label_shows_is_wrong_where_found_and_in_no_mean():
    names = ("gas", "melt", "pore")
    truth = np.array([[0, 0, 0, 0], [1, 1, 1, 1]], np.uint8)
    found = np.array([[0, 0, 0, 2], [1, 1, 1, 1]], np.uint8)
    result = counted(names, (truth, found))
    assert result.confusion.tolist() == [[3, 0, 1], [0, 4, 0], [0, 0, 0]]
    assert result.classes["iou"].tolist() == [0.75, 1, 0]
    assert result.mean_iou == pytest.approx((0.75 + 1) / 2)
    assert result.mean_f1 == pytest.approx((6 / 7 + 1) / 2)
    assert np.isnan(result.pores.recall)
    assert result.pores.precision == 0
    assert result.frames["mean_iou"].tolist() == [result.mean_iou]


def test_scores_are_of_pixels_not_means_of_frames():
    first = np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8)
    second = np.array([[0, 1]], np.uint8), np.array([[1, 1]], np.uint8)
    result = counted(("gas", "melt"), first, second)
    assert result.classes["iou"].tolist() == [16 / 17, 1 / 2]
    assert result.frames["mean_iou"].tolist() == [1, 1 / 4]


def test_pores_and_boundaries_by_hand():
    truth, found = np.zeros((2, 12, 24), np.uint8)
    truth[2:5, 2:5] = found[2:5, 3:6] = 1  # six of nine pixels
    truth[8:10, 2:4] = 1  # missed
    found[2:4, 14:16] = 1  # not there
    truth[8:11, 18:22] = IGNORE
    found[8:11, 18:22] = 1  # nobody can tell
    result = counted(("gas", "pore"), (truth, found))
    assert result.pores == PoreScores(2, 2, 0.5, 0.5)
    # The ring of eight round each 3 x 3 block is met; the two blocks of four are not.
    assert result.classes["boundary_f1"]["pore"] == pytest.approx(8 / 12)
    assert result.classes["truth_pixels"].sum() == truth.size - 12


def test_frames_without_a_labelled_pixel_have_no_score():
    nothing = np.full((3, 4), IGNORE, np.uint8)
    result = counted(("gas", "melt"), (nothing, np.zeros_like(nothing)))
    assert np.isnan([result.mean_iou, result.mean_f1]).all()
    assert result.worst(3) == ()
    document = json.loads(json.dumps(result.as_json(), allow_nan=False))
    assert document["mean_iou"] is None
    assert document["pores"] is None
    assert document["classes"]["gas"]["iou"] is None


def test_json_says_what_the_tables_say(result):
    document = json.loads(json.dumps(result.as_json(), allow_nan=False))
    assert document["mean_iou"] == result.mean_iou
    assert document["confusion"]["pixels"] == result.confusion.tolist()
    assert document["classes"]["powder"]["iou"] == result.classes["iou"]["powder"]
    assert set(document["by"]) == set(GROUPS)
    assert document["by"]["sequence"]["a"]["frames"] == 2
    assert document["trained_on"] == "nothing: random weights"
    assert document["origin"] == "Made for a test."


def test_classes_are_matched_by_name(tmp_path, small_segmenter):
    fewer = make_data(tmp_path, ("pore", "background"))
    result = evaluate(small_segmenter, fewer)
    shown = result.classes["truth_pixels"] > 0
    assert list(shown.index[shown]) == ["background", "pore"]
    pores = sum((fewer.labels(frame) == 0).sum() for frame in fewer.of_split("test").frames)
    assert result.classes["truth_pixels"]["pore"] == pores


def test_a_class_unknown_to_the_network_is_one_sentence(tmp_path, small_segmenter):
    with pytest.raises(ReadError, match=r"class 'slag'.*rename it") as error:
        evaluate(small_segmenter, make_data(tmp_path, ("background", "slag")))
    assert str(error.value).startswith(str(tmp_path))


def test_what_there_is_nothing_of_is_one_sentence(data, small_segmenter):
    unsplit = replace(data, frames=tuple(replace(one, split=None) for one in data.frames))
    with pytest.raises(ReadError, match=r"not split.*--split all.*amseg dataset split"):
        evaluate(small_segmenter, unsplit)
    with pytest.raises(ReadError, match="no frames with labels in its validation split"):
        evaluate(small_segmenter, data, "validation")
    bare = replace(data, frames=tuple(replace(one, label=None) for one in data.frames))
    with pytest.raises(ReadError, match="no frames with labels;"):
        evaluate(small_segmenter, bare, None)
    with pytest.raises(ValueError, match="train, validation, test, or None"):
        evaluate(small_segmenter, data, "all")


def test_frames_that_cannot_be_read_are_named_and_the_others_counted(tmp_path, small_segmenter):
    data = make_data(tmp_path)
    broken, other = (data.folder / frame.image for frame in data.of_split("test").frames)
    broken.write_bytes(broken.read_bytes()[:100])
    result = evaluate(small_segmenter, data)
    assert [one.frame.sequence for one in result.counts] == ["b"]
    assert len(result.errors) == 1
    assert result.errors[0].startswith(str(broken))
    other.unlink()
    with pytest.raises(ReadError, match=broken.name):
        evaluate(small_segmenter, data)


def test_frames_without_labels_are_left_out_and_counted(data, small_segmenter):
    first, *others = data.frames
    result = evaluate(
        small_segmenter, replace(data, frames=(replace(first, label=None), *others)), "train"
    )
    assert (len(result.counts), result.unlabelled) == (1, 1)


def test_a_preset_folder_and_a_data_folder_do_too(data, small_segmenter, tmp_path, result):
    preset = small_segmenter.save_pretrained(tmp_path / "preset")
    again = evaluate(str(preset), str(data.folder), None)
    np.testing.assert_array_equal(again.confusion, result.confusion)


def test_a_frame_is_segmented_whole(data, small_segmenter):
    segmented = SegmentedFrames(small_segmenter, data, None)
    compared = segmented.read(segmented.frames[2])
    assert compared.image.shape == compared.truth.shape == compared.found.shape == SHAPES["b"]
    assert compared.image.dtype == np.float32


def counted(names, *pairs):
    """An evaluation of label maps made by hand."""
    info = PresetInfo("hand", names, GreyScaling(), None, "nothing")
    frames = [LabelledFrame(f"{k}.tif", f"{k}.png", "shot", k) for k in range(len(pairs))]
    counts = [
        count_frame(frame, ComparedFrame(truth.astype(np.float32), truth, found), names)
        for frame, (truth, found) in zip(frames, pairs, strict=True)
    ]
    data = Dataset(Path("hand"), names, tuple(frames))
    return Evaluation(info, data, None, tuple(counts))
