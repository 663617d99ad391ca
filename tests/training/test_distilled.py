"""Learning from a teacher, and batches that come again."""

import numpy as np
import pytest
from small_sets import make_dataset

from amseg_keras.datasets import open_dataset
from amseg_keras.models.networks import NETWORKS
from amseg_keras.pretrained.preset import read_info, read_model
from amseg_keras.training import Recipe, TrainingError, train
from amseg_keras.training.derived_examples import DistilledExamples, KeptExamples, softened
from amseg_keras.training.examples import DatasetExamples

pytestmark = pytest.mark.usefixtures("small_networks")
RECIPE = Recipe(epochs=3, batch_size=4, shape=(32, 48), averaging=0.8, augment=None)


@pytest.fixture(scope="module")
def teacher(small_networks, data, tmp_path_factory):
    return train(data, tmp_path_factory.mktemp("run") / "teacher", RECIPE).preset


def distilled(data, teacher):
    info = read_info(teacher)
    examples = DatasetExamples(open_dataset(data.folder), RECIPE)
    return DistilledExamples(examples, read_model(teacher, info), info, "digest"), examples


def test_a_soft_label_is_the_mean_of_truth_and_teacher():
    probabilities = np.array([[[[0.1, 0.9], [0.7, 0.3]]]], np.float32)
    soft = softened(np.array([[[0, 1]]]), probabilities)
    np.testing.assert_allclose(soft, [[[[0.55, 0.45], [0.35, 0.65]]]], atol=1e-6)


def test_where_nobody_could_tell_the_teacher_alone_is_learned():
    probabilities = np.array([[[[0.1, 0.9]]]], np.float32)
    np.testing.assert_array_equal(softened(np.array([[[255]]]), probabilities), probabilities)


def test_batches_hold_what_the_teacher_says_of_these_images(data, teacher):
    soft, hard = distilled(data, teacher)
    images, labels = soft.batches(0)[0]
    _, ids = hard.batches(0)[0]
    model = read_model(teacher, read_info(teacher))
    said = model.predict_on_batch(images)
    np.testing.assert_allclose(labels, softened(ids, said), atol=0.05)  # the teacher in bfloat16


def test_a_student_learns_and_says_from_whom(data, teacher, tmp_path):
    run = train(data, tmp_path / "student", RECIPE, teacher=teacher)
    assert run.history["loss"].iloc[-1] < run.history["loss"].iloc[0]
    assert read_info(run.preset).trained_on.endswith("distilled from teacher")


def test_a_teacher_of_other_classes_is_refused(teacher, tmp_path):
    other = make_dataset(tmp_path / "other", 6, 1, class_names=("gas", "plate", "hole"))
    with pytest.raises(TrainingError, match="the data have gas, plate, hole"):
        train(other, tmp_path / "run", RECIPE, teacher=teacher)


def test_kept_batches_come_again_after_so_many_epochs(data, tmp_path):
    kept = KeptExamples(DatasetExamples(data, RECIPE), 2, tmp_path / "batches")
    first, second, again = (kept.batches(epoch)[0] for epoch in (0, 1, 2))
    np.testing.assert_array_equal(again[0], first[0])
    np.testing.assert_array_equal(again[1], first[1])
    assert not np.array_equal(second[0], first[0])


def test_kept_batches_are_those_of_the_examples(data, teacher, tmp_path):
    soft, hard = distilled(data, teacher)
    for examples, tolerance in ((hard, 0), (soft, 0.5 / 255 + 1e-6)):
        kept = KeptExamples(examples, 1, tmp_path / str(tolerance))
        images, labels = kept.batches(0)[0]
        expected_images, expected_labels = examples.batches(0)[0]
        np.testing.assert_allclose(images, expected_images, atol=5e-4)
        np.testing.assert_allclose(labels, expected_labels, atol=tolerance)


def test_kept_batches_are_not_made_a_second_time(data, tmp_path):
    train(data, tmp_path / "run", RECIPE, kept_epochs=1)
    files = sorted((tmp_path / "run" / "batches").rglob("*.npz"))
    assert len(files) == 2
    assert {path.parent.name for path in files} == {"0000"}


def test_the_small_network_can_be_asked_for_by_name():
    assert NETWORKS["amsegnet-lite"](num_classes=3, base_filters=4).output_shape[-1] == 3
