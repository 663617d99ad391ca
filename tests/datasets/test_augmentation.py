import keras
import numpy as np
import pytest

from amseg_keras.classes import IGNORE
from amseg_keras.datasets import strong_augmentation
from amseg_keras.datasets.augmentation import (
    RandomBlur,
    RandomElastic,
    RandomGamma,
    RandomNoise,
    SeededAugmentation,
)
from amseg_keras.datasets.frames import Crop, draw_crops

GEOMETRIC = [
    keras.layers.RandomFlip("horizontal"),
    keras.layers.RandomZoom((-0.3, 0.2), fill_mode="constant"),
    RandomElastic(strength=3.0, spacing=24),
]
PLUGGED_IN = [
    keras.layers.RandomTranslation(0.2, 0.2, fill_mode="constant"),
    keras.layers.RandomShear(0.2, fill_mode="constant"),
    keras.layers.RandomCrop(24, 32),
    keras.layers.CutMix(),
]


def names(layers):
    return [type(layer).__name__ for layer in layers]


@pytest.fixture
def scene():
    """Large blobs of the classes 0, 2 and 4, and the image that is equal to them."""
    rng = np.random.default_rng(2)
    coarse = rng.choice([0, 2, 4], (3, 6, 8)).astype(np.uint8)
    labels = coarse.repeat(8, axis=1).repeat(8, axis=2)
    return (labels / np.float32(4))[..., None], labels


@pytest.mark.parametrize("layer", GEOMETRIC + PLUGGED_IN, ids=names(GEOMETRIC + PLUGGED_IN))
def test_labels_stay_on_what_they_name(scene, layer):
    augmentation = SeededAugmentation(layer)
    for seed in range(5):
        images, labels = augmentation.apply(*scene, (seed,))
        assert labels.dtype == np.uint8
        assert set(np.unique(labels)) <= {0, 2, 4, IGNORE}
        inside = labels != IGNORE
        assert inside.mean() > 0.5
        # Bilinear pixels at an edge of two classes lie between them; all others must agree.
        agree = np.abs(images[..., 0] * 4 - labels)[inside] <= 1
        assert agree.mean() > 0.93


@pytest.mark.parametrize(
    "layer", [strong_augmentation(), *GEOMETRIC], ids=["strong", *names(GEOMETRIC)]
)
def test_only_the_seed_decides(scene, layer):
    augmentation = SeededAugmentation(layer)
    first = augmentation.apply(*scene, (0, 1, 2))
    other = augmentation.apply(*scene, (0, 1, 3))
    again = augmentation.apply(*scene, (0, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert any(
        not np.array_equal(augmentation.apply(*scene, (s,))[0], first[0]) for s in range(4)
    ), other


def test_all_generators_of_the_pipeline_are_found():
    layer = strong_augmentation()
    states = [v for v in layer.variables if v.path.endswith("seed_generator_state")]
    assert len(states) == len(layer.layers)


def test_strong_keeps_images_and_labels_what_they_are(scene):
    images, labels = SeededAugmentation(strong_augmentation()).apply(*scene, (1,))
    assert images.dtype == np.float32
    assert images.shape == scene[0].shape
    assert 0 <= images.min() <= images.max() <= 1
    assert set(np.unique(labels)) <= {0, 2, 4, IGNORE}


def test_what_is_ignored_stays_ignored(scene):
    images, labels = scene
    nothing = np.full_like(labels, IGNORE)
    _, after = SeededAugmentation(strong_augmentation()).apply(images, nothing, (1,))
    assert (after == IGNORE).all()


@pytest.mark.parametrize("layer", [RandomGamma(0.5), RandomNoise(0.1), RandomBlur(1.5)], ids=type)
def test_grey_levels_change_and_labels_do_not(scene, layer):
    images, labels = scene
    images = images * np.float32(0.8) + np.float32(0.1)
    changed, after = SeededAugmentation(layer).apply(images, labels, (1,))
    np.testing.assert_array_equal(after, labels)
    assert not np.array_equal(changed, images)


def test_blur_does_not_darken_the_edge():
    flat = np.full((2, 16, 20, 1), 0.5, np.float32)
    labels = np.zeros((2, 16, 20), np.uint8)
    blurred, _ = SeededAugmentation(RandomBlur(1.5)).apply(flat, labels, (1,))
    np.testing.assert_allclose(blurred, 0.5, atol=1e-6)


@pytest.mark.parametrize(
    "layer", [RandomElastic(3), RandomGamma(0.5), RandomNoise(0.1), RandomBlur(2.0)], ids=type
)
def test_own_layers_can_be_saved_and_do_nothing_in_inference(scene, layer):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
    images, _ = scene
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(again(images, training=False)), images)
    assert tuple(again(images, training=True).shape) == images.shape


class _Halving(keras.layers.Layer):
    def call(self, data, training=True):
        return {**data, "segmentation_masks": data["segmentation_masks"] / 2}


class _Cutting(keras.layers.Layer):
    def call(self, data, training=True):
        return {**data, "images": data["images"][:, 1:]}


@pytest.mark.parametrize(("layer", "message"), [(_Halving(), "class ids"), (_Cutting(), "alike")])
def test_a_layer_that_breaks_labels_is_refused(scene, layer, message):
    with pytest.raises(ValueError, match=message):
        SeededAugmentation(layer).apply(*scene, (1,))


def test_a_keras_cv_layer_plugs_in(scene):
    keras_cv = pytest.importorskip("keras_cv")
    augmentation = SeededAugmentation(keras_cv.layers.RandomFlip("horizontal"))
    for seed in range(4):
        images, labels = augmentation.apply(*scene, (seed,))
        np.testing.assert_allclose(images[..., 0] * 4, labels)


def test_the_papers_crops():
    crops = draw_crops(100, seed=1)
    assert len(crops) == 10
    assert len({frame for frame, _ in crops}) == 10
    assert crops == draw_crops(100, seed=1) != draw_crops(100, seed=2)
    image = np.arange(64 * 96, dtype=np.float32).reshape(64, 96)
    labels = np.zeros((64, 96), np.uint8)
    labels[:, 48:] = 3
    for _, crop in crops:
        cut, ids = crop.apply(image, labels, (32, 64))
        assert cut.shape == ids.shape == (32, 64)
        assert set(np.unique(ids)) <= {0, 3}
    cut, ids = Crop(1.0, 0.5, 0.0).apply(image, labels, (48, 96))
    np.testing.assert_array_equal(cut, image[8:56])


def test_geometry_moves_all_channels_alike_and_what_comes_from_outside_does_not_move():
    rng = np.random.default_rng(0)
    frame = rng.uniform(0, 0.5, (3, 48, 64)).astype(np.float32)
    images = np.stack([frame, frame + np.float32(0.5)], axis=-1)
    geometry = keras.layers.Pipeline(
        [
            keras.layers.RandomFlip("horizontal"),
            RandomElastic(strength=2.0, spacing=24),
            keras.layers.RandomZoom((0.2, 0.2), fill_mode="constant", fill_value=0.0),
        ]
    )
    labels = np.ones(frame.shape, np.uint8)
    moved, ids = SeededAugmentation(geometry).apply(images, labels, (3,))
    np.testing.assert_allclose(moved[..., 1], moved[..., 0] + 0.5, atol=1e-5)
    # But for the rim, which is interpolated.
    assert np.mean(moved[ids == 255][:, 1] == 0.5) > 0.8


def test_strong_augmentation_leaves_the_grey_levels_of_the_motion():
    still = np.full((2, 48, 64, 2), 0.5, np.float32)
    changed, _ = SeededAugmentation(strong_augmentation()).apply(
        still, np.zeros((2, 48, 64), np.uint8), (0,)
    )
    np.testing.assert_allclose(changed[..., 1], 0.5, atol=1e-6)
    assert np.ptp(changed[..., 0]) > 0.01
