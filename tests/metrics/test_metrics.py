"""The pixel-wise metrics against scikit-learn, and in `fit` and `evaluate`."""

import keras
import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from amseg_keras.losses import Dice
from amseg_keras.metrics import (
    BoundaryF1,
    ClassF1,
    ClassIoU,
    ConfusionMatrix,
    MeanF1,
    MeanIoU,
    PorePrecision,
    PoreRecall,
    SegmentationScores,
    confusion_matrix,
    f1_per_class,
    iou_per_class,
)

CLASSES = 4
NAMES = ("background", "powder", "keyhole", "pore")
EVERY_METRIC = (
    ConfusionMatrix(CLASSES),
    ClassIoU(2, CLASSES),
    MeanIoU(CLASSES),
    ClassF1(2, CLASSES),
    MeanF1(CLASSES),
    SegmentationScores(NAMES),
    BoundaryF1(2, tolerance=1),
    PorePrecision(3, min_overlap=0.25),
    PoreRecall(3, min_overlap=0.25),
)
every_metric = pytest.mark.parametrize("metric", EVERY_METRIC, ids=lambda m: type(m).__name__)


def fresh(metric):
    return type(metric).from_config(metric.get_config())


def labels(seed=0, shape=(4, 6, 8), classes=CLASSES):
    return np.random.default_rng(seed).integers(0, classes, shape)


def half_right(truth, seed=1):
    wrong = np.random.default_rng(seed).random(truth.shape) < 0.5
    return np.where(wrong, labels(seed + 1, truth.shape), truth)


def sure(ids, classes=CLASSES):
    """Probabilities of which each pixel's highest is that of its id."""
    return (np.eye(classes, dtype="float32")[ids] + 0.1) / (1 + 0.1 * classes)


def numbers(result):
    """A metric's result as NumPy arrays, whatever the backend."""
    return keras.tree.map_structure(
        lambda value: np.asarray(keras.ops.convert_to_numpy(value)), result
    )


def in_batches(metric, truth, found, size=2):
    for start in range(0, len(truth), size):
        metric.update_state(truth[start : start + size], sure(found[start : start + size]))
    return numbers(metric.result())


def pointwise_network(classes=CLASSES):
    """Calls each pixel the class that is its grey value."""
    network = keras.Sequential(
        [keras.Input((6, 8, 1)), keras.layers.Conv2D(classes, 1, activation="softmax")]
    )
    ids = np.arange(classes, dtype="float32")
    network.set_weights([10 * ids[None, None, None], -5 * ids**2])
    return network


@pytest.fixture
def scene():
    """Truth with ignored pixels, what was found, and both of the seen pixels alone."""
    truth = labels()
    found = half_right(truth)
    truth[:, 0] = 255
    return truth, found, truth[:, 1:].ravel(), found[:, 1:].ravel()


# functions


def test_confusion_matrix_function_is_that_of_sklearn(scene):
    truth, found, seen_truth, seen_found = scene
    np.testing.assert_array_equal(
        confusion_matrix(truth, found, CLASSES),
        sklearn_metrics.confusion_matrix(seen_truth, seen_found, labels=range(CLASSES)),
    )


def test_iou_per_class_is_sklearns_jaccard_score(scene):
    truth, found, *seen = scene
    expected = sklearn_metrics.jaccard_score(*seen, average=None)
    np.testing.assert_allclose(iou_per_class(confusion_matrix(truth, found, CLASSES)), expected)


def test_f1_per_class_is_that_of_sklearn(scene):
    truth, found, *seen = scene
    expected = sklearn_metrics.f1_score(*seen, average=None)
    np.testing.assert_allclose(f1_per_class(confusion_matrix(truth, found, CLASSES)), expected)


def test_confusion_matrix_function_counts_uint8_ids_beyond_their_products():
    truth = np.full((3, 3), 199, np.uint8)
    assert confusion_matrix(truth, truth, 200)[199, 199] == 9


def test_confusion_matrix_function_ignores_nothing_if_asked():
    assert confusion_matrix(np.array([3, 0]), np.array([3, 3]), 4, ignore=None).sum() == 2


def test_confusion_matrix_function_does_not_look_at_what_was_found_where_ignored():
    assert confusion_matrix(np.array([0, 255]), np.array([0, 255]), 2).sum() == 1


@pytest.mark.parametrize(("truth", "found"), [([4, 0], [0, 0]), ([0, 0], [0, 255])])
def test_confusion_matrix_function_names_ids_beyond_the_classes(truth, found):
    with pytest.raises(ValueError, match="not within the 4 classes 0 to 3"):
        confusion_matrix(np.array(truth), np.array(found), 4)


def test_confusion_matrix_function_names_shapes_that_differ():
    with pytest.raises(ValueError, match=r"\(2,\) and found \(3,\)"):
        confusion_matrix(np.zeros(2, int), np.zeros(3, int), 4)


def test_confusion_matrix_of_no_pixels_is_zeros():
    nothing = np.full((2, 2), 255)
    assert not confusion_matrix(nothing, nothing, 3).any()
    assert np.isnan(iou_per_class(confusion_matrix(nothing, nothing, 3))).all()


# Keras metrics


def test_confusion_matrix_is_that_of_sklearn_over_all_batches(scene):
    truth, found, *seen = scene
    expected = sklearn_metrics.confusion_matrix(*seen, labels=range(CLASSES))
    np.testing.assert_array_equal(in_batches(ConfusionMatrix(CLASSES), truth, found), expected)


@pytest.mark.parametrize("class_id", range(CLASSES))
def test_class_iou_is_sklearns_jaccard_score(scene, class_id):
    truth, found, *seen = scene
    expected = sklearn_metrics.jaccard_score(*seen, average=None)[class_id]
    result = in_batches(ClassIoU(class_id, CLASSES), truth, found)
    assert result == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("class_id", range(CLASSES))
def test_class_f1_is_that_of_sklearn(scene, class_id):
    truth, found, *seen = scene
    expected = sklearn_metrics.f1_score(*seen, average=None)[class_id]
    assert in_batches(ClassF1(class_id, CLASSES), truth, found) == pytest.approx(expected, rel=1e-6)


def test_mean_iou_is_sklearns_macro_jaccard_score(scene):
    truth, found, *seen = scene
    expected = sklearn_metrics.jaccard_score(*seen, average="macro")
    assert in_batches(MeanIoU(CLASSES), truth, found) == pytest.approx(expected, rel=1e-6)


def test_mean_f1_is_sklearns_macro_f1_score(scene):
    truth, found, *seen = scene
    expected = sklearn_metrics.f1_score(*seen, average="macro")
    assert in_batches(MeanF1(CLASSES), truth, found) == pytest.approx(expected, rel=1e-6)


def test_segmentation_scores_are_the_single_metrics_under_their_names(scene):
    truth, found, *_ = scene
    result = in_batches(SegmentationScores(NAMES), truth, found)
    single = {"mean_iou": MeanIoU(CLASSES), "mean_f1": MeanF1(CLASSES)}
    for class_id, name in enumerate(NAMES):
        single[f"iou_{name}"] = ClassIoU(class_id, CLASSES)
        single[f"f1_{name}"] = ClassF1(class_id, CLASSES)
    assert set(result) == set(single)
    for name, metric in single.items():
        assert result[name] == pytest.approx(in_batches(metric, truth, found)), name


def test_a_class_that_is_nowhere_is_nan_and_left_out_of_the_mean():
    truth = labels(classes=3)
    found = np.where(half_right(truth) == 3, 0, half_right(truth))
    result = in_batches(SegmentationScores(NAMES), truth, found)
    assert np.isnan(result["iou_pore"])
    assert np.isnan(result["f1_pore"])
    present = sklearn_metrics.jaccard_score(truth.ravel(), found.ravel(), average="macro")
    assert result["mean_iou"] == pytest.approx(present, rel=1e-6)


def test_a_class_that_was_never_found_is_0_and_counts_in_the_mean():
    truth, found = np.array([[[0, 0, 0, 1]]]), np.array([[[0, 0, 0, 0]]])
    assert in_batches(MeanIoU(CLASSES), truth, found) == pytest.approx((3 / 4 + 0) / 2)


def test_labels_of_low_precision_are_ignored_as_well():
    truth = labels().astype("float32")
    truth[:, :3] = 255
    low = keras.ops.cast(keras.ops.convert_to_tensor(truth), "bfloat16")
    metric = ConfusionMatrix(CLASSES)
    metric.update_state(low, sure(labels()))
    assert metric.counts().sum() == 4 * 3 * 8


def test_counts_stay_exact_beyond_what_float32_can_count():
    metric = ConfusionMatrix(CLASSES)
    matrix = np.zeros((CLASSES, CLASSES))
    matrix[0, 0] = 2**24 - 1  # full
    metric.low.assign(matrix)
    metric.high.assign(2 * (matrix > 0))
    zeros = np.zeros((1, 1, 5), int)
    metric.update_state(zeros, sure(zeros))
    metric.update_state(zeros, sure(zeros))
    assert metric.counts()[0, 0] == 3 * 2**24 - 1 + 10
    assert numbers(metric.result())[0, 0] == pytest.approx(3 * 2**24, rel=1e-6)


def test_scores_do_not_drown_small_classes_in_billions_of_pixels():
    metric = ClassIoU(1, 2)
    metric.high.assign([[200, 0], [0, 0]])  # 3.4e9 pixels of background
    truth, found = np.array([[[1, 1, 1, 0]]]), np.array([[[1, 1, 0, 1]]])
    metric.update_state(truth, sure(found, 2))
    assert numbers(metric.result()) == pytest.approx(2 / 4)


@pytest.mark.parametrize("kind", [ClassIoU, ClassF1])
@pytest.mark.parametrize("class_id", [-1, CLASSES])
def test_class_metrics_refuse_an_id_that_is_none_of_the_classes(kind, class_id):
    with pytest.raises(ValueError, match="none of the classes 0 to 3"):
        kind(class_id, CLASSES)


def test_a_network_with_other_classes_is_refused():
    with pytest.raises(ValueError, match="is for 4 classes, not 5"):
        MeanIoU(CLASSES).update_state(labels(), sure(labels(), 5))


def test_class_names_must_differ():
    with pytest.raises(ValueError, match="there twice"):
        SegmentationScores(["pore", "pore"])


@every_metric
class TestEveryMetric:
    def test_comes_back_from_its_config(self, metric):
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
        assert type(again) is type(metric)
        assert again.get_config() == metric.get_config()

    def test_starts_anew_after_a_reset(self, metric):
        metric = fresh(metric)
        first = in_batches(metric, labels(), half_right(labels()), size=4)
        metric.reset_state()
        assert not metric.counts().any()
        again = in_batches(metric, labels(), half_right(labels()), size=4)
        keras.tree.map_structure(np.testing.assert_array_equal, again, first)

    def test_does_not_depend_on_the_batches(self, metric):
        truth, found = labels(), half_right(labels())
        metrics = [fresh(metric) for _ in range(2)]
        in_batches(metrics[0], truth, found, size=2)
        in_batches(metrics[1], truth, found, size=4)
        np.testing.assert_array_equal(metrics[0].counts(), metrics[1].counts())

    def test_takes_ids_with_a_channel_axis(self, metric):
        truth, found = labels(), half_right(labels())
        metrics = [fresh(metric) for _ in range(2)]
        in_batches(metrics[0], truth, found, size=4)
        in_batches(metrics[1], truth[..., None], found, size=4)
        np.testing.assert_array_equal(metrics[0].counts(), metrics[1].counts())

    def test_does_not_look_at_what_was_found_where_ignored(self, metric):
        truth, found = labels(), half_right(labels())
        truth[:, 2:4] = 255
        elsewhere = found.copy()
        elsewhere[:, 2:4] = labels(7, (4, 2, 8))
        metrics = [fresh(metric) for _ in range(2)]
        in_batches(metrics[0], truth, found, size=4)
        in_batches(metrics[1], truth, elsewhere, size=4)
        np.testing.assert_array_equal(metrics[0].counts(), metrics[1].counts())

    def test_is_nan_or_empty_if_all_pixels_are_ignored(self, metric):
        metric = fresh(metric)
        result = in_batches(metric, np.full((2, 6, 8), 255), labels(shape=(2, 6, 8)))
        assert not metric.counts().any()
        if not isinstance(result, dict):
            result = {"result": result}
        if type(metric) is not ConfusionMatrix:
            assert all(np.isnan(value) for value in result.values())

    def test_a_frame_of_weight_2_counts_as_two(self, metric):
        truth, found = labels(), half_right(labels())
        weighted, repeated = fresh(metric), fresh(metric)
        weighted.update_state(truth, sure(found), sample_weight=np.array([2, 1, 0, 1]))
        twice = [0, 0, 1, 3]
        repeated.update_state(truth[twice], sure(found[twice]))
        np.testing.assert_array_equal(weighted.counts(), repeated.counts())

    def test_weights_that_are_fractions_add_up(self, metric):
        truth, found = labels(), half_right(labels())
        weighted, once = fresh(metric), fresh(metric)
        for _ in range(4):
            weighted.update_state(truth, sure(found), sample_weight=np.full(4, 0.25))
        once.update_state(truth, sure(found))
        np.testing.assert_allclose(weighted.counts(), once.counts(), rtol=1e-6)

    def test_takes_sample_weights_in_a_compiled_evaluation(self, metric):
        truth, found, weights = labels(), half_right(labels()), np.array([1, 0, 0, 1])
        model = pointwise_network()
        model.compile(loss=Dice(), weighted_metrics=[fresh(metric)])
        images = found[..., None].astype("float32")
        result = model.evaluate(
            images, truth, batch_size=4, sample_weight=weights, verbose=0, return_dict=True
        )
        expected = in_batches(fresh(metric), truth[[0, 3]], found[[0, 3]])
        expected = expected if isinstance(expected, dict) else {metric.name: expected}
        for name, value in expected.items():
            np.testing.assert_allclose(result[name], value, rtol=1e-6, err_msg=name)

    def test_takes_keras_arguments(self, metric):
        config = metric.get_config() | {"name": "mine", "ignore_class": None, "dtype": "float32"}
        again = type(metric).from_config(config)
        assert (again.name, again.ignore_class, again.dtype) == ("mine", None, "float32")

    def test_is_the_same_in_a_compiled_evaluation(self, metric):
        truth, found = labels(), half_right(labels())
        expected = in_batches(fresh(metric), truth, found)
        if not isinstance(expected, dict):
            expected = {metric.name: expected}
        model = pointwise_network()
        model.compile(loss=Dice(), metrics=[fresh(metric)])
        result = model.evaluate(
            found[..., None].astype("float32"), truth, batch_size=2, verbose=0, return_dict=True
        )
        del result["loss"]
        assert set(result) == set(expected)
        for name, value in expected.items():
            np.testing.assert_allclose(result[name], value, rtol=1e-6, err_msg=name)


def test_pixels_of_weight_0_do_not_count_in_a_confusion_matrix():
    truth, found, weights = labels(), half_right(labels()), np.ones((4, 6, 8))
    weights[:, 2:] = 0
    metric = ConfusionMatrix(CLASSES)
    metric.update_state(truth, sure(found), sample_weight=weights)
    np.testing.assert_array_equal(
        metric.counts(), confusion_matrix(truth[:, :2], found[:, :2], CLASSES)
    )


@pytest.mark.parametrize("metric", [BoundaryF1(2), PoreRecall(3)], ids=lambda m: m.name)
def test_what_counts_shapes_takes_no_weights_of_pixels(metric):
    with pytest.raises(ValueError, match="one weight for each frame"):
        fresh(metric).update_state(labels(), sure(labels()), sample_weight=np.ones((4, 6, 8)))


SCORE_NAMES = {f"{kind}_{name}" for kind in ("iou", "f1") for name in NAMES} | {
    "mean_iou",
    "mean_f1",
}


def test_fit_logs_every_score_and_that_of_the_validation(tmp_path):
    truth = labels(classes=3)  # no pores: their scores are NaN
    model = pointwise_network()
    model.compile("sgd", loss=Dice(), metrics=[SegmentationScores(NAMES)])
    data = (truth[..., None].astype("float32"), truth)
    history = model.fit(
        *data,
        validation_data=data,
        epochs=2,
        batch_size=2,
        verbose=1,
        callbacks=[
            keras.callbacks.CSVLogger(tmp_path / "log.csv"),
            keras.callbacks.ModelCheckpoint(
                tmp_path / "best.weights.h5",
                monitor="val_iou_keyhole",
                mode="max",
                save_best_only=True,
                save_weights_only=True,
            ),
        ],
    ).history
    assert SCORE_NAMES | {f"val_{name}" for name in SCORE_NAMES} | {"loss", "val_loss"} == set(
        history
    )
    assert (tmp_path / "best.weights.h5").exists()
    assert "val_iou_keyhole" in (tmp_path / "log.csv").read_text().splitlines()[0]
    assert history["val_mean_iou"][-1] == pytest.approx(1)
    assert np.isnan(history["val_iou_pore"][-1])


def test_every_metric_can_be_used_in_one_training():
    model = pointwise_network()
    model.compile(
        "sgd",
        loss=Dice(),
        metrics=[fresh(metric) for metric in EVERY_METRIC if type(metric) is not ConfusionMatrix],
    )
    truth = labels(shape=(3, 6, 8))
    history = model.fit(truth[..., None].astype("float32"), truth, batch_size=2, verbose=0).history
    assert {"boundary_f1_2", "pore_precision", "pore_recall", "iou_2", "f1_2"} < set(history)


def test_a_compiled_model_is_saved_and_loaded_with_its_metrics(tmp_path):
    model = pointwise_network()
    model.compile("sgd", loss=Dice(), metrics=[SegmentationScores(NAMES)])
    truth = labels()
    data = (half_right(truth)[..., None].astype("float32"), truth)
    expected = model.evaluate(*data, verbose=0, return_dict=True)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.evaluate(*data, verbose=0, return_dict=True) == pytest.approx(expected)
