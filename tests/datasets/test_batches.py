import keras
import numpy as np
import pytest

from amseg_keras.classes import IGNORE
from amseg_keras.datasets import BatchOptions, Dataset, LabelledFrame, batches
from amseg_keras.datasets.dataset import write_frame
from amseg_keras.preprocess import GreyScaling
from amseg_keras.read import ReadError

SHAPE = (32, 48)
SMALL = BatchOptions(shape=SHAPE)


@pytest.fixture
def data(tmp_path):
    """Two sequences of ten frames: one of 40 x 64 pixels, one smaller and ten times brighter."""
    rng = np.random.default_rng(1)
    frames = []
    for sequence, size, gain in (("dark", (40, 64), 100), ("bright", (28, 40), 1000)):
        for number in range(10):
            image = ((np.indices(size).sum(0) + rng.random(size)) * gain).astype(np.uint16)
            labels = rng.integers(0, 3, size).astype(np.uint8)
            labels[0] = IGNORE
            split = "test" if number == 9 else "train"
            about = LabelledFrame("", None, sequence, number, split=split)
            frames.append(write_frame(tmp_path, image, labels, about))
    return Dataset(tmp_path, ("gas", "melt", "pore"), tuple(frames))


def equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def all_batches(made):
    return [made[index] for index in range(len(made))]


@pytest.mark.parametrize("augment", [None, "paper", "strong"])
def test_a_batch_has_the_promised_shapes_and_ids(data, augment):
    made = batches(data, "train", 4, augment, options=SMALL)
    for images, labels in all_batches(made):
        assert images.dtype == np.float32
        assert images.shape == (*labels.shape, 1)
        assert images.shape[1:3] == SHAPE
        assert labels.dtype == np.int32
        assert 0 <= images.min() <= images.max() <= 1
        assert set(np.unique(labels)) <= {0, 1, 2, IGNORE}


def test_every_frame_comes_once_an_epoch(data):
    whole = BatchOptions(shape=None)
    made = batches(data, "train", 1, options=whole)
    in_order = batches(data, "train", 1, options=BatchOptions(shape=None, shuffle=False))
    seen = sorted(float(images.sum()) for images, _ in all_batches(made))
    np.testing.assert_allclose(seen, sorted(float(i.sum()) for i, _ in all_batches(in_order)))
    assert len(made) == made.samples == 18


def test_grey_levels_are_those_of_inference(data):
    frames = data.sequences()["bright"]
    stack = np.stack([data.image(frame) for frame in frames])
    expected = GreyScaling().measure(stack).apply(stack[9])
    options = BatchOptions(shape=None, shuffle=False)
    images, labels = batches(data, "test", 1, options=options)[1]
    np.testing.assert_array_equal(images[0, :, :, 0], expected)
    np.testing.assert_array_equal(labels[0], data.labels(frames[9]))


@pytest.mark.parametrize("augment", [None, "paper", "strong"])
def test_a_batch_depends_on_seed_epoch_and_index_alone(data, augment):
    made = batches(data, "train", 4, augment, seed=3, options=SMALL)
    first = all_batches(made)
    made.on_epoch_end()
    second = all_batches(made)
    resumed = batches(
        data, "train", 4, augment, seed=3, options=BatchOptions(shape=SHAPE, first_epoch=1)
    )
    for index in reversed(range(len(resumed))):
        assert equal(resumed[index], second[index])
    assert not equal(first[0], second[0])
    other = batches(data, "train", 4, augment, seed=4, options=SMALL)
    assert not equal(other[0], first[0])
    made.epoch = 0
    assert equal(made[2], first[2])


def test_validation_is_the_same_in_every_epoch(data):
    made = batches(data, "test", options=BatchOptions(shape=SHAPE, shuffle=False))
    first = made[0]
    made.epoch = 7
    assert equal(made[0], first)
    # The large frame is cut from the middle.
    np.testing.assert_array_equal(
        first[1][0], data.labels(data.of_split("test").frames[0])[4:36, 8:56]
    )


def test_padding_is_ignored_and_mirrored(data):
    images, labels = batches(data, "test", options=BatchOptions(shape=SHAPE, shuffle=False))[0]
    assert (labels[1, 28:] == IGNORE).all()
    assert (labels[1, :, 40:] == IGNORE).all()
    np.testing.assert_array_equal(images[1, 28], images[1, 27])


def test_the_paper_adds_a_tenth(data):
    plain = batches(data, "train", options=SMALL)
    made = batches(data, "train", augment="paper", options=SMALL)
    assert made.samples == plain.samples + 2


def test_ids_are_translated_by_name(data):
    options = BatchOptions(shape=None, shuffle=False, classes=("pore", "powder", "gas", "melt"))
    _, labels = batches(data, "test", 1, options=options)[0]
    before = data.labels(data.of_split("test").frames[0])
    np.testing.assert_array_equal(labels[0] == 0, before == 2)
    np.testing.assert_array_equal(labels[0] == IGNORE, before == IGNORE)
    with pytest.raises(ValueError, match="'melt'"):
        batches(data, "test", options=BatchOptions(classes=("gas", "pore")))


def test_the_cache_keeps_to_its_limit_and_changes_nothing(data):
    tiny = batches(data, "train", 4, options=BatchOptions(shape=SHAPE, cache_bytes=10_000))
    none = batches(data, "train", 4, options=BatchOptions(shape=SHAPE, cache_bytes=0))
    for _ in range(2):
        for index in range(len(tiny)):
            assert equal(tiny[index], none[index])
    held = sum(i.nbytes + m.nbytes for i, m in tiny._frames._cache.values())
    assert 0 < held <= 10_000
    assert not none._frames._cache


def test_errors_are_sentences(data, tmp_path):
    with pytest.raises(ReadError, match="'validation': has no frames"):
        batches(data, "validation")
    bare = [LabelledFrame(f.image, None, f.sequence, f.frame, "train") for f in data.frames]
    with pytest.raises(ReadError, match="has no labels"):
        batches(Dataset(tmp_path, data.class_names, tuple(bare)), "train")
    mixed = Dataset(tmp_path, data.class_names, (*data.frames[:4], bare[5]))
    with pytest.raises(ReadError, match="1 of 5 frames have no labels, the first is images/dark"):
        batches(mixed)
    assert batches(mixed, options=BatchOptions(skip_unlabelled=True)).samples == 4
    with pytest.raises(ValueError, match="64 x 40"):
        batches(data, options=BatchOptions(shape=None))[0]
    with pytest.raises(ValueError, match="'weak'"):
        batches(data, augment="weak")
    with pytest.raises(IndexError):
        batches(data)[99]


def test_an_unknown_id_is_named(data):
    wrong = Dataset(data.folder, ("gas", "melt"), data.frames)
    with pytest.raises(ReadError, match="class id 2"):
        batches(wrong, options=SMALL)[0]


def small_network():
    """Its weights after training say which pixels it saw, and in which order."""
    keras.utils.set_random_seed(5)
    network = keras.Sequential(
        [keras.Input((*SHAPE, 1)), keras.layers.Conv2D(3, 3, padding="same")]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=IGNORE)
    network.compile(keras.optimizers.SGD(1.0), loss)
    return network


def fit(network, made, first, last):
    history = network.fit(made, initial_epoch=first, epochs=last, shuffle=False, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    return [weight.copy() for weight in network.get_weights()]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_a_resumed_fit_sees_what_an_unbroken_one_sees(data, workers):
    def made(first):
        options = BatchOptions(shape=SHAPE, workers=workers, first_epoch=first)
        return batches(data, "train", 4, "strong", options=options)

    unbroken = fit(small_network(), made(0), 0, 3)

    network, interrupted = small_network(), made(0)
    fit(network, interrupted, 0, 2)
    assert interrupted.epoch == 2
    middle = network.get_weights()
    resumed = fit(network, made(2), 2, 3)
    for one, other in zip(unbroken, resumed, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)

    # Not so with the batches of another epoch, so the comparison above means something.
    network.set_weights(middle)
    elsewhere = fit(network, made(0), 2, 3)
    assert np.abs(elsewhere[0] - unbroken[0]).max() > 1e-4


def test_fit_trains_on_what_indexing_gives(data):
    made = batches(data, "train", 4, "strong", options=SMALL)
    by_fit = fit(small_network(), made, 0, 2)
    by_hand, network = batches(data, "train", 4, "strong", options=SMALL), small_network()
    for _ in range(2):
        for batch in all_batches(by_hand):
            network.train_on_batch(*batch)
        by_hand.on_epoch_end()
    for one, other in zip(by_fit, network.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_validation_in_fit_and_evaluate(data):
    validation = batches(data, "test", options=BatchOptions(shape=SHAPE, shuffle=False))
    network = small_network()
    train = batches(data, "train", 4, "paper", options=SMALL)
    history = network.fit(train, validation_data=validation, epochs=2, verbose=0).history
    assert np.isclose(history["val_loss"][-1], network.evaluate(validation, verbose=0), atol=1e-5)


def test_an_error_in_a_thread_reaches_the_caller(data):
    made = batches(data, "train", 4, options=BatchOptions(shape=SHAPE, workers=2))
    (data.folder / data.frames[0].image).unlink()
    with pytest.raises(ReadError, match="no such file"):
        all_batches(made)


def test_focused_cuts_hold_the_rarest_class(tmp_path):
    labels = np.zeros((64, 256), np.uint8)
    labels[20:24, 200:204] = 1
    image = np.arange(labels.size, dtype=np.uint16).reshape(labels.shape)
    frame = write_frame(tmp_path, image, labels, LabelledFrame("", None, "shot", 0))
    data = Dataset(tmp_path, ("gas", "pore"), (frame,))

    def share_with_pore(focus):
        options = BatchOptions(shape=(32, 32), focus=focus, repeat=40)
        ((_, cut),) = all_batches(batches(data, batch_size=40, options=options))
        return (cut == 1).any(axis=(1, 2)).mean()

    assert share_with_pore(1.0) == 1
    assert share_with_pore(0.0) < 0.5


def test_a_repeated_frame_is_cut_anew_each_time(data):
    options = BatchOptions(shape=(16, 16), repeat=3)
    made = batches(data, "test", 6, options=options)
    assert made.samples == 6
    assert len(np.unique(made[0][0].sum(axis=(1, 2, 3)))) == 6


@pytest.mark.parametrize(("name", "value"), [("focus", 1.5), ("repeat", 0)])
def test_options_out_of_range_are_refused(data, name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        batches(data, options=BatchOptions(**{name: value}))
