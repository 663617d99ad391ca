"""Small labelled data sets and recordings, and a small network that can learn them."""

import functools
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np

from amseg_keras.datasets import Dataset, LabelledFrame
from amseg_keras.datasets.dataset import write_frame
from amseg_keras.layers import ConvBlock
from amseg_keras.models.ends import class_probabilities, frames_input

SPLITS = ("train", "train", "train", "train", "validation", "test")


def make_dataset(folder, sequences, frames, class_names=("gas", "plate", "pore"), split=True):
    """Gas over a brighter plate with one bright pore; pixels `(48, 64)`."""
    rng = np.random.default_rng(0)
    made = []
    for sequence in range(sequences):
        for number in range(frames):
            labels = np.zeros((48, 64), np.uint8)
            labels[20:] = 1
            left = int(rng.integers(8, 48))
            labels[26:36, left : left + 9] = 2
            image = (70 * labels + rng.normal(50, 4, labels.shape)).astype(np.uint8)
            part = SPLITS[sequence % len(SPLITS)] if split else None
            frame = LabelledFrame(
                "", None, f"shot{sequence}", number, split=part, material=f"alloy{sequence % 2}"
            )
            made.append(write_frame(folder, image, labels, frame))
    data = Dataset(folder, tuple(class_names), tuple(made))
    data.save()
    return data


def small_recordings(monkeypatch):
    """Have trainings simulate 24 frames of 64 x 96 pixels a recording, in a thread.

    A recording of full size, in a process of its own, takes seconds, and so do the textures of
    another pixel size.
    """
    from amseg_keras.training import recordings, simulated_examples

    small = functools.partial(recordings.Recordings, shape=(64, 96))
    monkeypatch.setattr(recordings, "LENGTHS", (24, 24))
    monkeypatch.setattr(recordings, "OWN_SCALE", 1.0)
    monkeypatch.setattr(simulated_examples, "Recordings", small)
    monkeypatch.setattr(simulated_examples, "FULL_FRAME", (64, 96))
    monkeypatch.setattr(simulated_examples, "simulating_processes", lambda: ThreadPoolExecutor(1))


def small_network(num_classes, base_filters=6, input_shape=(None, None, 1)):
    """An encoder of one block, a decoder of one, and the head of all networks."""
    inputs = frames_input(input_shape)
    hidden = ConvBlock(base_filters, name="encoder_1")(inputs)
    hidden = keras.layers.UpSampling2D()(keras.layers.MaxPooling2D()(hidden))
    hidden = ConvBlock(6, name="decoder_1")(hidden)
    return keras.Model(inputs, class_probabilities(hidden, num_classes))
