"""A network with one skip connection, and layers whose Grad-CAM can be found in other ways."""

import keras
import numpy as np

from amseg_keras.layers import ConvBlock
from amseg_keras.models.ends import class_probabilities, frames_input
from amseg_keras.preprocess import GreyScaling
from amseg_keras.pretrained import PresetInfo
from amseg_keras.segment import Segmenter

CLASS_NAMES = ("gas", "plate", "pore")


def u_network(num_classes=3):
    """At full size `outer`, at half size the plain convolution `deep`, then the two joined."""
    frames = frames_input((None, None, 1))
    outer = ConvBlock(4, name="outer")(frames)
    deep = keras.layers.MaxPooling2D(name="pool")(outer)
    deep = keras.layers.Conv2D(6, 3, padding="same", name="deep")(deep)
    joined = keras.layers.Concatenate(name="skip")(
        [keras.layers.UpSampling2D(name="up")(deep), outer]
    )
    return keras.Model(frames, class_probabilities(ConvBlock(5, name="last")(joined), num_classes))


def brightness_network():
    """Calls every pixel brighter than a half a pore, and any other gas; knows no plate."""
    frames = frames_input((None, None, 1))
    levels = keras.layers.Conv2D(2, 1, name="levels")(frames)
    model = keras.Model(frames, class_probabilities(levels, 3))
    # `levels`: the grey level, and what it lacks to white
    model.get_layer("levels").set_weights([np.array([[[[1.0, -1.0]]]]), np.array([0.0, 1.0])])
    scores = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    model.get_layer("scores").set_weights([scores[None, None], np.array([0.0, -9.0, 0.0])])
    return model


def segmenter_of(model, class_names=CLASS_NAMES):
    return Segmenter(model, PresetInfo("test", class_names, GreyScaling(), None, "nothing"))
