"""Small networks and movies with a second input channel, the motion."""

import numpy as np
from random_networks import randomise
from scipy.ndimage import gaussian_filter

from amseg_keras import Segmenter
from amseg_keras.classes import CLASS_NAMES
from amseg_keras.models import AMSegNet
from amseg_keras.preprocess import Channels, GreyScaling
from amseg_keras.pretrained import PresetInfo

BOTH = Channels(("frame", "motion"))


def movie_info(method="percentile"):
    return PresetInfo("movie", CLASS_NAMES, GreyScaling(method), 4.31, "random weights", BOTH)


def movie_segmenter(method="percentile", network=AMSegNet, seed=0):
    model = randomise(network(base_filters=2, input_shape=(None, None, 2)), seed)
    return Segmenter(model, movie_info(method))


def movie(frames=30, height=50, width=70, seed=1):
    """A plate with noise and a bright spot that moves to the right, uint16."""
    rng = np.random.default_rng(seed)
    plate = 2000 + gaussian_filter(rng.normal(0, 600, (height, width)), 1.5)
    stack = plate + rng.normal(0, 20, (frames, height, width))
    for number in range(frames):
        left = 2 * number % (width - 8)
        stack[number, height // 2 : height // 2 + 6, left : left + 6] += 800
    return stack.astype(np.uint16)
