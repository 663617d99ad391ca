"""The losses against hand-computed values, Keras' own losses, and what a training asks of them."""

import keras
import numpy as np
import pytest

from amseg_keras.losses import CategoricalFocal, Dice, DicePlusFocal

LOSSES = (Dice, CategoricalFocal, DicePlusFocal)


def labels(shape=(2, 6, 8), classes=4, seed=0):
    return np.random.default_rng(seed).integers(0, classes, shape)


def logits(shape=(2, 6, 8), classes=4, seed=1):
    return np.random.default_rng(seed).normal(0, 2, (*shape, classes)).astype("float32")


def softmax(values):
    powers = np.exp(values - values.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def one_hot(ids, classes=4):
    return np.eye(classes, dtype="float32")[ids]


def value(loss, truth, predicted):
    return float(keras.ops.convert_to_numpy(loss(truth, predicted)))


class Table(keras.layers.Layer):
    """Says the same, whatever its input: its weights."""

    def __init__(self, start):
        super().__init__()
        self.table = self.add_weight(shape=start.shape, initializer="zeros")
        self.table.assign(start)

    def call(self, inputs):
        return inputs * 0 + self.table


def gradient(loss, truth, predicted):
    """Of the loss by the prediction: what a step of gradient descent at rate 1 takes off."""
    table = Table(predicted)
    model = keras.Sequential([keras.Input(predicted.shape[1:], batch_size=len(predicted)), table])
    model.compile(keras.optimizers.SGD(1.0), loss=loss)
    model.train_on_batch(np.zeros_like(predicted), truth)
    return predicted - keras.ops.convert_to_numpy(table.table)


def small_network(classes=4, activation="softmax", **kwargs):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((6, 8, 1)),
            keras.layers.Conv2D(4, 3, padding="same", activation="relu", **kwargs),
            keras.layers.Conv2D(classes, 1, activation=activation, **kwargs),
        ]
    )


def test_dice_of_a_right_answer_is_0():
    ids = labels()
    assert value(Dice(), ids, one_hot(ids)) == pytest.approx(0, abs=1e-6)


def test_dice_as_computed_by_hand():
    truth = np.array([[[0, 0, 1, 1]]])
    predicted = np.array([[[[0.8, 0.2], [0.6, 0.4], [0.5, 0.5], [0, 1]]]], "float32")
    # overlap 1.4 of 2 + 1.9, and 1.5 of 2 + 2.1
    expected = 1 - (2 * 1.4 / 3.9 + 2 * 1.5 / 4.1) / 2
    assert value(Dice(smooth=1e-9), truth, predicted) == pytest.approx(expected, rel=1e-6)


def test_dice_is_that_of_keras_over_batch_height_and_width():
    keras_dice = keras.losses.Dice(axis=(0, 1, 2))
    expected = value(keras_dice, one_hot(labels()), softmax(logits()))
    assert value(Dice(smooth=1e-9), labels(), softmax(logits())) == pytest.approx(
        expected, rel=1e-5
    )


def test_dice_is_of_the_whole_batch_and_no_mean_of_frames():
    ids = np.array([[[0, 0, 0, 1]], [[0, 0, 0, 0]]])
    found = np.array([[[0, 0, 0, 1]], [[0, 0, 0, 1]]])
    # class 0: overlap 6 of 7 + 6 pixels; class 1: 1 of 1 + 2
    expected = 1 - (2 * 6 / 13 + 2 / 3) / 2
    assert value(Dice(smooth=1e-9), ids, one_hot(found, 2)) == pytest.approx(expected, rel=1e-6)


def test_dice_does_not_depend_on_how_often_a_batch_is_repeated():
    repeated = value(Dice(), np.tile(labels(), (3, 1, 1)), np.tile(softmax(logits()), (3, 1, 1, 1)))
    assert value(Dice(), labels(), softmax(logits())) == pytest.approx(repeated, rel=1e-5)


def test_dice_counts_an_absent_class_by_what_is_wrongly_called_it():
    ids = np.zeros((1, 100, 100), int)
    found = ids.copy()
    found[0, 0, :3] = 1  # smooth is one pixel
    dice = value(Dice(class_weights=[0, 1]), ids, one_hot(found, 2))
    assert dice == pytest.approx(1 - 1 / (3 + 1), rel=1e-5)


def test_dice_does_not_chase_the_last_traces_of_an_absent_class():
    ids = labels(classes=3)
    traces = np.full((2, 6, 8, 4), 1e-6, "float32")
    traces[..., :3] = one_hot(ids, 3)
    assert value(Dice(), ids, traces) < 0.005


def test_class_weights_weigh_the_mean_of_dice():
    truth, predicted = labels(classes=2), softmax(logits(classes=2))
    first, second = (
        value(Dice(class_weights=weights), truth, predicted) for weights in ([1, 0], [0, 1])
    )
    weighted = value(Dice(class_weights=[3, 1]), truth, predicted)
    assert weighted == pytest.approx((3 * first + second) / 4, rel=1e-5)


def test_focal_as_computed_by_hand():
    truth = np.array([[[0, 1]]])
    predicted = np.array([[[[0.9, 0.1], [0.75, 0.25]]]], "float32")
    expected = -(0.1**2 * np.log(0.9) + 0.75**2 * np.log(0.25)) / 2
    assert value(CategoricalFocal(), truth, predicted) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_is_that_of_keras(gamma):
    keras_focal = keras.losses.CategoricalFocalCrossentropy(alpha=1, gamma=gamma)
    expected = value(keras_focal, one_hot(labels()), softmax(logits()))
    focal = value(CategoricalFocal(gamma=gamma), labels(), softmax(logits()))
    assert focal == pytest.approx(expected, rel=1e-4)


def test_class_weights_weigh_the_pixels_of_focal_but_not_their_number():
    truth, predicted = labels(classes=2), softmax(logits(classes=2))
    first, second = (
        value(CategoricalFocal(class_weights=weights), truth, predicted)
        for weights in ([1, 0], [0, 1])
    )
    weighted = value(CategoricalFocal(class_weights=[3, 1]), truth, predicted)
    assert weighted == pytest.approx(3 * first + second, rel=1e-5)


def test_focal_pulls_at_a_pixel_that_is_as_wrong_as_can_be():
    predicted = np.array([[[[1, 0], [1, 0]]]], "float32")
    assert gradient(CategoricalFocal(), np.array([[[0, 1]]]), predicted)[0, 0, 1, 1] < -1


def test_the_papers_loss_is_the_sum_of_both():
    options = {"class_weights": [1, 2, 1, 0.5], "from_logits": True}
    both = value(Dice(**options), labels(), logits()) + value(
        CategoricalFocal(**options), labels(), logits()
    )
    assert value(DicePlusFocal(**options), labels(), logits()) == pytest.approx(both, rel=1e-6)


@pytest.mark.parametrize("kind", LOSSES)
class TestEveryLoss:
    def test_takes_ids_with_a_channel_axis(self, kind):
        expected = value(kind(), labels(), softmax(logits()))
        assert value(kind(), labels()[..., None], softmax(logits())) == pytest.approx(expected)

    def test_takes_one_hot_labels(self, kind):
        expected = value(kind(), labels(), softmax(logits()))
        assert value(kind(), one_hot(labels()), softmax(logits())) == pytest.approx(expected)

    @pytest.mark.parametrize("dtype", ["uint8", "int32", "float32", "float16", "bfloat16"])
    def test_takes_labels_of_any_type(self, kind, dtype):
        ids = labels()
        ids[0, :2] = 255
        expected = value(kind(), ids, softmax(logits()))
        typed = keras.ops.cast(keras.ops.convert_to_tensor(ids), dtype)
        assert value(kind(), typed, softmax(logits())) == pytest.approx(expected)

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
    def test_takes_probabilities_of_any_float_type(self, kind, dtype):
        predicted = keras.ops.cast(keras.ops.convert_to_tensor(softmax(logits())), dtype)
        expected = value(kind(), labels(), softmax(logits()))
        assert value(kind(), labels(), predicted) == pytest.approx(expected, rel=2e-2)

    def test_is_calculated_in_float32_whatever_keras_default_type(self, kind):
        usual = keras.config.floatx()
        keras.config.set_floatx("float16")
        try:
            loss = kind()(labels(), softmax(logits()))
        finally:
            keras.config.set_floatx(usual)
        assert keras.backend.standardize_dtype(loss.dtype) == "float32"
        assert tuple(loss.shape) == ()

    def test_of_logits_is_that_of_their_probabilities(self, kind):
        expected = value(kind(), labels(), softmax(logits()))
        assert value(kind(from_logits=True), labels(), logits()) == pytest.approx(expected, 1e-4)

    def test_of_huge_logits_is_finite_with_its_gradient(self, kind):
        loss = kind(from_logits=True)
        predicted = 1e4 * logits()
        assert np.isfinite(value(loss, labels(), predicted))
        assert np.isfinite(gradient(loss, labels(), predicted)).all()

    def test_of_sure_probabilities_has_a_finite_gradient(self, kind):
        predicted = one_hot(labels(seed=2))
        assert np.isfinite(gradient(kind(), labels(), predicted)).all()

    def test_is_that_of_the_seen_pixels_alone(self, kind):
        ids, predicted = labels(), softmax(logits())
        ids[:, 4:] = 255
        expected = value(kind(), ids[:, :4], predicted[:, :4])
        assert value(kind(), ids, predicted) == pytest.approx(expected, rel=1e-5)

    def test_takes_another_label_as_the_one_to_ignore(self, kind):
        ids = labels()
        expected = value(kind(), np.where(ids == 3, 255, ids), softmax(logits()))
        assert value(kind(ignore_class=3), ids, softmax(logits())) == pytest.approx(expected)

    def test_ignores_one_hot_pixels_of_no_class(self, kind):
        ids = labels()
        ids[:, 4:] = 255
        rows = one_hot(np.minimum(ids, 3)) * (ids != 255)[..., None]
        expected = value(kind(), ids, softmax(logits()))
        assert value(kind(), rows, softmax(logits())) == pytest.approx(expected)

    def test_has_no_gradient_at_ignored_pixels_and_some_at_all_others(self, kind):
        ids = labels()
        ids[:, 4:] = 255
        steps = gradient(kind(from_logits=True), ids, logits())
        assert (steps[:, 4:] == 0).all()
        assert (np.abs(steps[:, :4]).max(-1) > 0).all()

    def test_does_not_look_at_what_is_predicted_for_ignored_pixels(self, kind):
        ids, predicted = labels(), logits()
        ids[:, 4:] = 255
        predicted[:, 4:] = np.nan
        assert np.isfinite(value(kind(from_logits=True), ids, predicted))
        assert np.isfinite(gradient(kind(from_logits=True), ids, predicted)[:, :4]).all()

    def test_is_0_without_gradient_if_all_pixels_are_ignored(self, kind):
        ids = np.full((2, 6, 8), 255)
        assert value(kind(), ids, softmax(logits())) == 0
        assert (gradient(kind(), ids, softmax(logits())) == 0).all()

    def test_comes_back_from_its_config(self, kind):
        loss = kind(class_weights=(1, 2, 3, 4), ignore_class=None, from_logits=True, name="mine")
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
        assert type(again) is kind
        assert again.get_config() == loss.get_config()
        assert value(again, labels(), logits()) == value(loss, labels(), logits())

    def test_names_the_classes_and_weights_that_do_not_fit(self, kind):
        with pytest.raises(ValueError, match="3 class_weights for 4 classes"):
            kind(class_weights=[1, 2, 3])(labels(), logits())

    @pytest.mark.parametrize("weights", [[1, -1], [0, 0], []])
    def test_refuses_weights_that_make_no_mean(self, kind, weights):
        with pytest.raises(ValueError, match="class_weights"):
            kind(class_weights=weights)

    def test_a_weight_of_0_leaves_pixels_out(self, kind):
        ids, weights = labels(), np.ones((2, 6, 8), "float32")
        weights[:, 4:] = 0
        weighted = kind(reduction="mean_with_sample_weight")(ids, softmax(logits()), weights)
        expected = value(kind(), ids[:, :4], softmax(logits())[:, :4])
        assert float(keras.ops.convert_to_numpy(weighted)) == pytest.approx(expected, rel=1e-5)

    def test_a_frame_of_weight_2_counts_as_two(self, kind):
        ids, found = labels(), softmax(logits())
        weighted = kind(reduction="mean_with_sample_weight")(ids, found, np.array([2.0, 1.0]))
        expected = value(kind(), ids[[0, 0, 1]], found[[0, 0, 1]])
        assert float(keras.ops.convert_to_numpy(weighted)) == pytest.approx(expected, rel=1e-5)

    @pytest.mark.parametrize("shape", [(2, 8), (2, 6, 7), (2, 6, 8, 4)])
    def test_names_the_shapes_that_weights_may_have(self, kind, shape):
        with pytest.raises(ValueError, match=r"\(batch, height, width\), a weight for each pixel"):
            kind()(labels(), logits(), sample_weight=np.ones(shape))

    @pytest.mark.parametrize("shape", [(4,), (4, 6, 8)])
    def test_takes_sample_weights_in_fit(self, kind, shape):
        model = small_network()
        model.compile("sgd", loss=kind())
        ids, weights = labels((4, 6, 8)), np.random.default_rng(5).random(shape)
        images = ids[..., None] / 3
        expected = value(kind(), ids, model.predict(images, verbose=0))
        given = kind()(ids, model.predict(images, verbose=0), weights)
        loss = model.evaluate(images, ids, batch_size=4, sample_weight=weights, verbose=0)
        assert loss == pytest.approx(float(keras.ops.convert_to_numpy(given)), rel=1e-4)
        assert loss != pytest.approx(expected, rel=1e-4)
        model.fit(images, ids, batch_size=4, sample_weight=weights, verbose=0)

    @pytest.mark.parametrize("reduction", ["sum", "mean", "mean_with_sample_weight", "none", None])
    def test_takes_keras_reductions_and_keeps_them(self, kind, reduction):
        loss = kind(reduction=reduction, dtype="float64")
        again = kind.from_config(loss.get_config())
        assert (again.reduction, again.dtype) == (reduction, "float64")
        shape = keras.ops.convert_to_numpy(loss(labels(), softmax(logits()))).shape
        pixels = (2, 6, 8) if kind is CategoricalFocal else (1,)
        assert shape == (pixels if reduction in (None, "none") else ())

    def test_refuses_labels_of_another_number_of_classes(self, kind):
        with pytest.raises(ValueError, match="neither ids nor one-hot of 4 classes"):
            kind()(one_hot(labels(), 5), logits())

    @pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
    def test_trains_a_network(self, kind, dtype):
        model = small_network(dtype=dtype)
        model.compile(keras.optimizers.Adam(0.05), loss=kind())
        ids = labels((4, 6, 8))
        ids[:, 0] = 255
        images = np.where(ids == 255, 0, ids)[..., None] / 3
        history = model.fit(images, ids, batch_size=4, epochs=5, verbose=0).history["loss"]
        assert np.isfinite(history).all()
        assert history[-1] < history[0]


def test_focal_reduces_over_the_seen_pixels():
    ids, found = labels(), softmax(logits())
    ids[:, 4:] = 255
    pixels = keras.ops.convert_to_numpy(CategoricalFocal(reduction=None)(ids, found))
    assert (pixels[:, 4:] == 0).all()
    assert value(CategoricalFocal(reduction="sum"), ids, found) == pytest.approx(pixels.sum())
    assert value(CategoricalFocal(), ids, found) == pytest.approx(pixels.sum() / (2 * 4 * 8))


def test_focal_divides_by_the_number_of_pixels_or_by_the_sum_of_their_weights():
    ids, found, weights = labels(), softmax(logits()), np.full((2, 6, 8), 0.25)
    mean = value(CategoricalFocal(), ids, found)
    expected_of = {"sum_over_batch_size": mean / 4, "mean_with_sample_weight": mean}
    for reduction, expected in expected_of.items():
        weighted = CategoricalFocal(reduction=reduction)(ids, found, weights)
        assert float(keras.ops.convert_to_numpy(weighted)) == pytest.approx(expected, rel=1e-5)


def test_an_unknown_reduction_is_refused():
    with pytest.raises(ValueError, match="reduction"):
        Dice(reduction="average")


def test_gamma_and_smooth_are_in_the_config():
    config = DicePlusFocal(gamma=1.5, smooth=0.01).get_config()
    again = DicePlusFocal.from_config(config)
    assert (again.focal.gamma, again.dice.smooth) == (1.5, 0.01)


def test_dice_refuses_a_smooth_of_0():
    with pytest.raises(ValueError, match="smooth"):
        Dice(smooth=0)


def test_focal_refuses_a_negative_gamma():
    with pytest.raises(ValueError, match="gamma"):
        CategoricalFocal(gamma=-1)


def test_a_compiled_model_is_saved_and_loaded_with_its_loss(tmp_path):
    model = small_network()
    model.compile("sgd", loss=DicePlusFocal(class_weights=[1, 1, 1, 5], gamma=1.0))
    images = np.random.default_rng(3).random((2, 6, 8, 1), "float32")
    model.train_on_batch(images, labels())
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    expected = model.evaluate(images, labels(), verbose=0)
    assert again.evaluate(images, labels(), verbose=0) == pytest.approx(expected, rel=1e-5)
