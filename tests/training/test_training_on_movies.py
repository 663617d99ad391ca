"""Networks with a motion channel: trained, resumed, mixed, tuned and evaluated."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
from random_networks import randomise
from small_sets import make_dataset, small_network

from amseg_keras import PresetInfo, Segmenter, evaluate, fine_tune, from_pretrained
from amseg_keras.classes import CLASS_NAMES
from amseg_keras.datasets import BatchOptions, Dataset, LabelledFrame, batches
from amseg_keras.datasets.dataset import write_frame
from amseg_keras.datasets.frames import ScaledFrames
from amseg_keras.preprocess import Channels, GreyScaling
from amseg_keras.pretrained import find_preset
from amseg_keras.pretrained.preset import read_info, read_model
from amseg_keras.training import Recipe, Simulation, TrainingError, train, trainer
from amseg_keras.training.derived_examples import mixed_examples, mixed_with_frames
from amseg_keras.training.examples import DatasetExamples, DatasetSource
from amseg_keras.training.first_weights import network_to_train
from amseg_keras.training.run_folder import command_of
from amseg_keras.training.several import Student, train_students
from amseg_keras.transfer import FINE_TUNING

pytestmark = pytest.mark.usefixtures("small_networks", "short_recordings")
BOTH = Channels(("frame", "motion"))
RECIPE = Recipe(
    epochs=2, batch_size=4, shape=(32, 48), averaging=0.8, channels=BOTH.names, augment=None
)
RECORDINGS = Simulation({"aps": 1.0}, frames=16, crop=(32, 48), validation_frames=2, reuse=2)
FRAMES = 20


def test_a_network_that_adds_motion_begins_with_the_probabilities_of_its_preset():
    start = find_preset("amsegnet-esrf-lite")
    recipe = Recipe(network="amsegnet-lite", channels=BOTH.names)
    model = network_to_train(recipe, CLASS_NAMES, start)
    frame = np.random.default_rng(0).random((1, 32, 64, 1), np.float32)
    both = np.concatenate([frame, np.full_like(frame, 0.7)], axis=-1)
    expected = read_model(start, read_info(start))(frame)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(model(both)), keras.ops.convert_to_numpy(expected), atol=1e-5
    )


def test_a_network_without_motion_begins_as_its_preset_answers_without_motion():
    start = find_preset("amsegnet-movie")
    recipe = Recipe(network="amsegnet-lite", channels=("frame",))
    model = network_to_train(recipe, CLASS_NAMES, start)
    frame = np.random.default_rng(0).random((1, 32, 64, 1), np.float32)
    blank = np.concatenate([frame, np.zeros_like(frame)], axis=-1)
    expected = read_model(start, read_info(start))(blank)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(model(frame)), keras.ops.convert_to_numpy(expected), atol=1e-5
    )


def test_leaving_out_the_motion_of_a_preset_without_motion_is_refused(tmp_path):
    simulation = Simulation({"aps": 1.0}, frames=2, crop=(32, 48), validation_frames=1)
    recipe = Recipe(network="amsegnet-lite", epochs=1, batch_size=2)
    with pytest.raises(TrainingError, match="a preset with a motion channel"):
        train(
            simulation,
            tmp_path / "run",
            recipe,
            start_from="amsegnet-esrf-lite",
            without_motion=True,
        )


def test_a_network_without_the_motion_of_its_preset_is_a_preset_of_frames(tmp_path):
    simulation = Simulation({"aps": 1.0}, frames=2, crop=(32, 48), validation_frames=1)
    recipe = Recipe(network="amsegnet-lite", epochs=1, batch_size=2)
    run = train(
        simulation, tmp_path / "run", recipe, start_from="amsegnet-movie", without_motion=True
    )
    info = from_pretrained(run.preset).info
    assert (info.channels.names, info.scaling.method) == (("frame",), "specimen")


def test_a_wider_network_begins_with_the_probabilities_of_its_preset():
    start = find_preset("amsegnet-movie")
    recipe = Recipe(network="amsegnet-lite", width=40, channels=BOTH.names)
    model = network_to_train(recipe, CLASS_NAMES, start)
    both = np.random.default_rng(0).random((1, 32, 64, 2), np.float32)
    expected = read_model(start, read_info(start))(both)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(model(both)), keras.ops.convert_to_numpy(expected), atol=1e-5
    )
    # The new channels are not dead: the weights from the old channels to them are random.
    assert np.std(model.get_layer("encoder_1").get_weights()[0][..., 32:]) > 0.01


def test_a_preset_whose_classes_are_not_the_first_ones_is_refused():
    recipe = Recipe(network="amsegnet-lite")
    with pytest.raises(TrainingError, match="has the classes background, pore"):
        network_to_train(recipe, CLASS_NAMES, find_preset("amsegnet-hpdc"))


def test_a_narrower_network_is_refused_with_what_to_give():
    recipe = Recipe(network="amsegnet-lite", width=24, channels=BOTH.names)
    with pytest.raises(TrainingError, match="--width"):
        network_to_train(recipe, CLASS_NAMES, find_preset("amsegnet-movie"))


def test_a_network_with_one_more_class_keeps_the_order_of_the_others():
    start = find_preset("amsegnet-esrf-lite")
    recipe = Recipe(network="amsegnet-lite")
    model = network_to_train(recipe, (*CLASS_NAMES, "melt pool"), start)
    frame = np.random.default_rng(0).random((1, 32, 64, 1), np.float32)
    before = keras.ops.convert_to_numpy(read_model(start, read_info(start))(frame))
    after = keras.ops.convert_to_numpy(model(frame))
    np.testing.assert_allclose(after[..., 5], after[..., 2] * np.exp(-2), rtol=1e-3, atol=1e-7)
    # The new class takes its share of the substrate, and the ratios of the others stay.
    known = after[..., :5] / after[..., :5].sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(known, before, atol=1e-5)


def test_a_training_on_simulated_melt_pools_gives_a_preset_of_six_classes(tmp_path):
    simulation = Simulation(
        {"aps": 1.0}, frames=2, crop=(64, 96), validation_frames=1, melt_pool=True
    )
    recipe = Recipe(network="amsegnet-lite", epochs=1, batch_size=2)
    run = train(simulation, tmp_path / "run", recipe, start_from="amsegnet-movie")
    segmenter = from_pretrained(run.preset)
    assert segmenter.class_names == (*CLASS_NAMES, "melt pool")
    assert segmenter.info.channels.names == BOTH.names
    assert "iou_melt pool" in run.history


@pytest.fixture(scope="module")
def on_frames(small_networks, movies, tmp_path_factory):
    """The preset of a training on the frames of the movies alone."""
    recipe = replace(RECIPE, channels=("frame",), epochs=1)
    return train(movies, tmp_path_factory.mktemp("frames") / "run", recipe).preset


@pytest.fixture(scope="module")
def on_recordings(small_networks, short_recordings, tmp_path_factory):
    """A training on simulated recordings, which nothing interrupted."""
    recipe = replace(RECIPE, precision="float32")
    return train(RECORDINGS, tmp_path_factory.mktemp("recordings") / "whole", recipe)


def test_a_training_that_adds_motion_takes_its_own_grey_levels(movies, on_frames, tmp_path):
    recipe = replace(RECIPE, epochs=1, grey_levels="specimen")
    second = train(movies, tmp_path / "second", recipe, start_from=on_frames)
    info = from_pretrained(second.preset).info
    assert info.channels.names == BOTH.names
    assert info.scaling.method == "specimen"


@pytest.fixture(scope="module")
def movies(tmp_path_factory):
    """Two movies of 20 frames, `(48, 64)`, one to train on and one to stop by: a pore moves."""
    folder = tmp_path_factory.mktemp("data") / "movies"
    rng = np.random.default_rng(1)
    made = []
    for number, split in enumerate(("train", "validation")):
        plate = rng.normal(100, 8, (48, 64))
        for index in range(FRAMES):
            labels = np.zeros((48, 64), np.uint8)
            labels[20:] = 1
            labels[26:34, 2 * index + 4 : 2 * index + 14] = 2
            image = plate + 40 * labels + rng.normal(0, 2, labels.shape)
            about = LabelledFrame("", None, f"shot{number}", index, split=split)
            frame = write_frame(folder, image.astype(np.uint8), labels, about)
            made.append(frame)
    data = Dataset(folder, ("gas", "plate", "pore"), tuple(made))
    data.save()
    return data


def stack_of(data, sequence):
    return np.stack([data.image(frame) for frame in data.sequences()[sequence]])


def two_channels(classes=("gas", "plate", "pore")):
    info = PresetInfo("two", classes, GreyScaling(), None, "nothing: random weights", BOTH)
    model = randomise(small_network(len(classes), input_shape=(None, None, 2)))
    return Segmenter(model, info)


def test_a_frame_of_a_data_set_has_the_channels_that_inference_gives_it(movies):
    frames = ScaledFrames(movies, movies.class_names, GreyScaling(), 0, BOTH)
    inputs = two_channels().inputs(stack_of(movies, "shot1"))
    for index in (0, 7, 19):
        image, _ = frames.read(movies.sequences()["shot1"][index])
        np.testing.assert_array_equal(image, inputs.make(index))
    assert image[..., 1].std() > 0.05


def test_a_sequence_of_few_frames_has_a_blank_motion(movies):
    few = replace(movies, frames=movies.sequences()["shot0"][:8])
    frames = ScaledFrames(few, few.class_names, GreyScaling(), 0, BOTH)
    image, _ = frames.read(few.frames[3])
    assert (image[..., 1] == 0.5).all()


@pytest.mark.parametrize("augment", [None, "strong"])
def test_batches_of_a_data_set_are_blank_in_their_share(movies, augment):
    options = BatchOptions(shape=(32, 48), channels=BOTH, blank=0.4, repeat=12)
    made = batches(movies, "train", 16, augment, 0, options)
    images = np.concatenate([made[index][0] for index in range(len(made))])
    assert images.shape == (12 * FRAMES, 32, 48, 2)
    blank = (images[..., 1] == 0.5).all(axis=(1, 2)).mean()
    assert blank == pytest.approx(0.4, abs=0.1)


def test_evaluation_finds_what_segmenting_the_movie_finds(movies):
    segmenter = two_channels()
    result = evaluate(segmenter, movies, "validation")
    found = segmenter.segment(stack_of(movies, "shot1")).labels
    truth = np.stack([movies.labels(frame) for frame in movies.sequences()["shot1"]])
    expected = np.zeros((3, 3), int)
    np.add.at(expected, (truth.ravel(), found.ravel()), 1)
    np.testing.assert_array_equal(result.confusion, expected)


def test_frames_whose_motion_was_blank_are_said(movies, tmp_path):
    short = replace(movies, frames=movies.frames[: FRAMES + 8])
    result = evaluate(two_channels(), short, None)
    assert result.without_background == 8
    assert result.as_json()["frames_without_background"] == 8
    few = replace(movies, frames=movies.frames[10:])
    examples = DatasetExamples(few, RECIPE)
    assert "motion blank in 10 of 10 frames" in examples.trained_on


def test_training_on_movies_gives_a_preset_that_wants_motion(movies, tmp_path):
    run = train(movies, tmp_path / "run", replace(RECIPE, epochs=12, learning_rate=2e-2))
    assert run.history["loss"].iloc[-1] < 0.8 * run.history["loss"].iloc[0]
    preset = from_pretrained(run.preset)
    assert preset.channels == BOTH
    assert preset.segment(stack_of(movies, "shot1")).labels.shape == (FRAMES, 48, 64)


class StoppedError(Exception):
    """As a kill, but one that a test outlives."""


def test_a_resumed_training_on_recordings_equals_one_without_interruption(
    on_recordings, tmp_path, monkeypatch
):
    recipe = replace(RECIPE, precision="float32")
    monkeypatch.setattr(trainer, "CHECKPOINT_SECONDS", -1.0)
    # The first run deleted its recordings, so that the other makes them anew.
    assert not (on_recordings.folder / "recordings").exists()

    def stop(progress):
        if progress.step == 5:
            raise StoppedError

    with pytest.raises(StoppedError):
        train(RECORDINGS, tmp_path / "part", recipe, progress=stop)
    part = train(RECORDINGS, tmp_path / "part", recipe, resume=True)
    weights = [from_pretrained(run.preset).model.get_weights() for run in (on_recordings, part)]
    for before, after in zip(*weights, strict=True):
        np.testing.assert_array_equal(after, before)


def test_a_batch_holds_each_source_in_its_share(movies, tmp_path):
    simulation = Simulation({"aps": 1.0}, frames=8, validation_frames=1)
    recipe = replace(RECIPE, batch_size=8)
    source = DatasetSource(movies, None, GreyScaling())
    mixed = mixed_examples(source, simulation, 0.25, recipe, tmp_path / "recordings")
    images, labels = mixed.batches(0)[0]
    mixed.close()
    alone, ids = DatasetExamples(movies, replace(recipe, batch_size=6)).batches(0)[0]
    assert images.shape == (8, 32, 48, 2)
    np.testing.assert_array_equal(images[:6], alone)
    np.testing.assert_array_equal(labels[:6], ids)
    # Of the simulator's classes this data set knows pores alone; the others are ignored.
    assert set(np.unique(labels[6:])) <= {2, 255}
    assert "mixed with simulated frames" in mixed.trained_on
    assert "no real frame" not in mixed.trained_on


def test_another_data_set_is_half_of_a_batch_and_validated_on_too(movies, tmp_path):
    other = make_dataset(tmp_path / "other", sequences=5, frames=2)
    recipe = replace(RECIPE, batch_size=4)
    mixed = mixed_with_frames(DatasetSource(movies, None, GreyScaling()), other, 0.5, recipe)
    labels = mixed.batches(0)[0][1]
    alone = DatasetExamples(movies, replace(recipe, batch_size=2)).batches(0)[0][1]
    np.testing.assert_array_equal(labels[:2], alone)
    assert labels.shape[0] == 4
    validated = [len(data.of_split("validation").frames) for data in (movies, other)]
    assert len(list(mixed.validation())) == sum(validated)
    assert "mixed with the data set other" in mixed.trained_on


def test_a_share_that_leaves_a_source_nothing_is_refused(movies, tmp_path):
    with pytest.raises(TrainingError, match="leaves the simulated frames none in a batch"):
        train(movies, tmp_path / "run", RECIPE, mixed_with=Simulation(), share=0.05)


def test_students_learn_the_same_recordings(tmp_path):
    simulation = Simulation({"aps": 1.0}, frames=8, crop=(32, 48), validation_frames=1, reuse=1)
    students = [Student("amsegnet", 4), Student("amsegnet", 6)]
    recipe = replace(RECIPE, epochs=1)
    first = train_students(
        simulation, tmp_path / "out", recipe, students[:1], store=tmp_path / "store"
    )
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*.npy")}
    second = train_students(
        simulation, tmp_path / "out", recipe, students[1:], store=tmp_path / "store"
    )
    assert made
    assert made == {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*.npy")}
    assert set(first) | set(second) == {"amsegnet-4", "amsegnet-6"}
    assert (tmp_path / "out" / "amsegnet-6" / "preset").is_dir()


def test_a_teacher_of_frames_alone_teaches_a_student_of_movies(movies, on_frames, tmp_path):
    student = train(movies, tmp_path / "student", replace(RECIPE, epochs=1), teacher=on_frames)
    assert from_pretrained(student.preset).channels == BOTH


def test_a_teacher_of_movies_teaches_no_student_of_frames(movies, tmp_path):
    teacher = two_channels().save_pretrained(tmp_path / "teacher")
    with pytest.raises(TrainingError, match="give --channels frame,motion"):
        train(movies, tmp_path / "run", replace(RECIPE, channels=("frame",)), teacher=teacher)


def test_fine_tuning_keeps_the_channels_of_its_preset(movies, tmp_path):
    start = two_channels(("plate", "pore")).save_pretrained(tmp_path / "start")
    recipe = replace(FINE_TUNING, epochs=1, shape=(32, 48), repeat=1)
    run = fine_tune(movies, tmp_path / "tuned", start, recipe)
    assert from_pretrained(run.tuned.preset).channels == BOTH


def test_fine_tuning_can_go_on_with_simulated_frames(movies, tmp_path):
    start = two_channels(("plate", "pore")).save_pretrained(tmp_path / "start")
    recipe = replace(FINE_TUNING, epochs=1, shape=(32, 48), repeat=1)
    beside = Simulation({"aps": 1.0}, frames=8, validation_frames=1)
    run = fine_tune(movies, tmp_path / "tuned", start, recipe, mixed_with=beside)
    asked = json.loads((run.tuned.folder / "run.json").read_text())["asked"]
    assert "simulated" in asked["data"]["mixed_with"][0]
    assert not (run.tuned.folder / "recordings").exists()


def test_the_card_has_the_command_that_makes_the_preset(on_recordings):
    card = (on_recordings.preset / "README.md").read_text()
    assert "amseg train --simulate aps=1 --frames-per-epoch 16 --reuse 2" in card
    assert "--channels frame,motion" in card
    asked = json.loads((on_recordings.folder / "run.json").read_text())["asked"]
    assert command_of(asked) in card
