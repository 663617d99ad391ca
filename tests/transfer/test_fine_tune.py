"""Fine-tuning: the head, the split, the phases, and what comes out."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from random_networks import randomise
from small_sets import make_dataset, small_network

import amseg_keras
from amseg_keras import PresetInfo, Segmenter
from amseg_keras.models import AMSegNetLite
from amseg_keras.preprocess import GreyScaling
from amseg_keras.pretrained.preset import read_info
from amseg_keras.read import ReadError
from amseg_keras.training import Recipe, TrainingError
from amseg_keras.training.trainer import score_of
from amseg_keras.transfer import fine_tune
from amseg_keras.transfer.prepare import data_of_run, split_for_tuning, with_classes

RECIPE = Recipe(epochs=4, batch_size=4, shape=(32, 48), augment=None, averaging=0.5)


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    """A small network of four classes with random weights."""
    classes = ("gas", "pore", "powder", "melt")
    info = PresetInfo("small", classes, GreyScaling(), 4.31, "nothing: random weights")
    return Segmenter(randomise(small_network(4)), info).save_pretrained(
        tmp_path_factory.mktemp("presets") / "preset"
    )


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Five labelled frames of one sequence, not split."""
    return make_dataset(tmp_path_factory.mktemp("data") / "few", 1, frames=5, split=False)


@pytest.fixture(scope="module")
def tuned(few, preset, tmp_path_factory):
    """A finished fine-tuning, and the seconds that were expected of it."""
    expected = []
    folder = tmp_path_factory.mktemp("tuned") / "run"
    return fine_tune(few, folder, preset, RECIPE, expected=expected.append), expected


def weights(model, layer):
    return model.get_layer(layer).get_weights()


def test_shared_classes_keep_their_channel_and_the_rest_of_the_network_its_weights():
    model = randomise(small_network(3))
    changed = with_classes(model, ("a", "b", "c"), ("c", "new", "a"))
    for before, after in zip(weights(model, "scores"), weights(changed, "scores"), strict=True):
        np.testing.assert_array_equal(after[..., 0], before[..., 2])
        np.testing.assert_array_equal(after[..., 2], before[..., 0])
    for before, after in zip(weights(model, "logits"), weights(changed, "logits"), strict=True):
        np.testing.assert_array_equal(after, [before[2], before.mean(), before[0]])
    for before, after in zip(
        weights(model, "encoder_1"), weights(changed, "encoder_1"), strict=True
    ):
        np.testing.assert_array_equal(after, before)


def test_the_same_classes_give_the_same_network():
    model = randomise(small_network(3))
    same = with_classes(model, ("a", "b", "c"), ("a", "b", "c"))
    x = np.random.default_rng(0).random((1, 32, 32, 1), np.float32)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(same(x)), keras.ops.convert_to_numpy(model(x)), atol=1e-6
    )


def test_the_small_network_keeps_a_class_for_every_pixel_of_a_cell():
    model = randomise(AMSegNetLite(num_classes=3, base_filters=4))
    changed = with_classes(model, ("a", "b", "c"), ("c", "new", "a"))
    frame = np.random.default_rng(0).random((1, 32, 48, 1), np.float32)
    before = keras.Function(model.inputs, model.get_layer("logits").output)([frame])
    after = keras.Function(changed.inputs, changed.get_layer("logits").output)([frame])
    before, after = keras.ops.convert_to_numpy(before), keras.ops.convert_to_numpy(after)
    assert after.shape == (1, 32, 48, 3)
    np.testing.assert_allclose(after[..., [0, 2]], before[..., [2, 0]], rtol=1e-4, atol=1e-5)


def test_five_frames_without_a_split_are_enough(tuned):
    run, seen = tuned
    made = amseg_keras.from_pretrained(run.tuned.preset)
    assert made.class_names == ("gas", "plate", "pore")
    assert "fine-tuned from small" in made.info.trained_on
    assert run.tuned.history["phase"].tolist() == [0, 1, 1, 1]
    assert seen[0] > 0


def test_the_encoder_rests_at_first(few, preset, tmp_path):
    recipe = replace(RECIPE, epochs=2, learning_rate=1e-30, averaging=0.0)
    run = fine_tune(few, tmp_path / "run", preset, recipe)
    before = amseg_keras.from_pretrained(preset).model
    after = amseg_keras.from_pretrained(run.tuned.preset).model
    kernels = [weights(model, "encoder_1")[0] for model in (before, after)]
    np.testing.assert_array_equal(*kernels)
    moved = [weights(model, "decoder_1")[0] for model in (before, after)]
    assert np.abs(moved[0] - moved[1]).max() > 1e-4


def test_tiny_sets_keep_the_statistics_measured_on_them(few, preset, tuned, tmp_path):
    runs = [fine_tune(few, tmp_path / "run", preset, replace(RECIPE, epochs=2)), tuned[0]]
    one, other = (
        weights(amseg_keras.from_pretrained(run.tuned.preset).model, "encoder_1")[-2:]
        for run in runs
    )
    original = weights(amseg_keras.from_pretrained(preset).model, "encoder_1")[-2:]
    for a, b, c in zip(one, other, original, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
        assert np.abs(a - c).max() > 1e-3


def test_from_scratch_beside_it_is_compared_on_the_test_frames(preset, tmp_path):
    data = make_dataset(tmp_path / "frames", sequences=6, frames=1)
    run = fine_tune(data, tmp_path / "run", preset, replace(RECIPE, epochs=2), from_scratch=True)
    assert list(run.comparison) == ["fine-tuned", "from scratch"]
    assert run.comparison.index.name == "IoU on the test frames"
    found = amseg_keras.evaluate(run.tuned.preset, data, "test")
    assert run.comparison.loc["mean", "fine-tuned"] == pytest.approx(found.mean_iou)
    assert (run.tuned.folder / "transfer.png").stat().st_size > 1000


def test_sequences_are_held_out_whole_where_there_are_three(tmp_path):
    data = make_dataset(tmp_path / "frames", sequences=4, frames=2, split=False)
    parts, how = split_for_tuning(data)
    assert how == "whole sequences"
    by_sequence = {frame.sequence: set() for frame in parts.frames}
    for frame in parts.frames:
        by_sequence[frame.sequence].add(frame.split)
    assert all(len(splits) == 1 for splits in by_sequence.values())
    assert {frame.split for frame in parts.frames} == {"train", "validation"}


def test_frames_of_a_test_are_never_trained_on(few):
    frames = tuple(replace(f, split="test" if f.frame > 2 else None) for f in few.frames)
    parts, _ = split_for_tuning(replace(few, frames=frames))
    splits = [frame.split for frame in parts.frames]
    assert splits == ["train", "train", "validation", "test", "test"]


def without_labels(data, but):
    """The data set with labels for one frame alone."""
    frames = tuple(f if f.frame == but else replace(f, label=None) for f in data.frames)
    return replace(data, frames=frames)


def test_without_a_labelled_frame_nothing_is_tuned(few):
    with pytest.raises(ReadError, match="has no labelled frame"):
        split_for_tuning(without_labels(few, but=None))


def test_a_single_labelled_frame_is_trained_on_and_scored(few):
    parts, how = split_for_tuning(without_labels(few, but=2))
    assert how == "one frame, which is trained on and scored"
    assert [f.frame for f in parts.of_split("train").frames] == [2]
    assert [f.frame for f in parts.of_split("validation").frames] == [2]


def test_frames_without_labels_stay_for_the_background(few):
    frames = tuple(replace(f, label=None if f.frame < 2 else f.label) for f in few.frames)
    parts, _ = split_for_tuning(replace(few, frames=frames))
    assert {f.frame: f.split for f in parts.frames} == {
        **{0: None, 1: None},
        **{2: "train", 3: "train", 4: "validation"},
    }


def test_a_network_tuned_to_one_frame_says_so(few, preset, tmp_path):
    run = fine_tune(without_labels(few, but=2), tmp_path / "one", preset, replace(RECIPE, epochs=1))
    trained_on = read_info(run.tuned.preset).trained_on
    assert "(one labelled frame, for its own recording)" in trained_on
    with pytest.raises(ReadError, match="was tuned to one frame and held none out"):
        data_of_run(tmp_path / "one", few.folder)


def test_a_gentle_tuning_keeps_the_statistics_of_the_preset(preset, few, tmp_path):
    recipe = replace(RECIPE, epochs=1)
    run = fine_tune(few, tmp_path / "run", preset, recipe, gentle=True)
    tuned, original = (
        weights(amseg_keras.from_pretrained(folder).model, "encoder_1")
        for folder in (run.tuned.preset, preset)
    )
    for one, other in zip(tuned[-2:], original[-2:], strict=True):
        np.testing.assert_array_equal(one, other)
    assert any(np.abs(a - b).max() > 0 for a, b in zip(tuned, original, strict=True))


def test_the_card_names_the_network_that_was_tuned(tuned):
    run, _ = tuned
    name = amseg_keras.from_pretrained(run.tuned.preset).model.name
    assert name != RECIPE.network
    assert f"Network: {name}," in (run.tuned.preset / "README.md").read_text()


def test_a_frame_that_is_there_twice_is_refused_before_the_training(preset, tmp_path):
    few = make_dataset(tmp_path / "few", sequences=1, frames=5, split=False)
    first, *_, last = few.frames
    (few.folder / last.image).write_bytes((few.folder / first.image).read_bytes())
    with pytest.raises(TrainingError, match="shows the same pixels as"):
        fine_tune(few, tmp_path / "run", preset, RECIPE)
    assert not (tmp_path / "run").exists()


def test_scores_before_the_first_step_are_kept(tuned):
    run, _ = tuned
    assert set(run.before.index) <= set(run.tuned.history.columns)
    assert 0 <= run.before["mean_iou"] <= 1


@pytest.mark.parametrize(("invented", "cost"), [(0, 0.0), (5, 0.5 / 3), (10, 1 / 3), (500, 1 / 3)])
def test_a_class_that_no_label_has_costs_what_it_takes_of_the_smallest(invented, cost):
    matrix = np.array([[1000 - invented, 0, invented], [0, 10, 0], [0, 0, 0]])
    mean_iou = ((1000 - invented) / 1000 + 1) / 2
    assert score_of(matrix) == pytest.approx(mean_iou - cost)
