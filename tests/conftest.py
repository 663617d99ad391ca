"""What all tests share: small networks, frames, and the way to the real frames."""

import os
from pathlib import Path

import keras
import numpy as np
import pytest

from amseg_keras import Segmenter
from amseg_keras.classes import CLASS_NAMES
from amseg_keras.models import AMSegNet
from amseg_keras.preprocess import GreyScaling
from amseg_keras.pretrained import PresetInfo

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real frames, which do not belong to the project and may be absent."""
    folder = Path(os.environ.get("AMSEG_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no real frames here; set AMSEG_TEST_DATA to their folder")
    return folder


def applied(model, x):
    """The model's output as an array, without compiling it, which takes far longer on JAX."""
    return keras.ops.convert_to_numpy(model(x, training=False))


def randomise(model, seed=0):
    """Give every weight a random value, batch-norm statistics included, as after a training.

    The last norm of a network gets the statistics of its input, so that every class wins
    somewhere.
    """
    rng = np.random.default_rng(seed)
    for layer in model._flatten_layers():
        for weight in getattr(layer, "_trainable_variables", []) + getattr(
            layer, "_non_trainable_variables", []
        ):
            if "seed" in weight.path:
                continue
            value = rng.normal(0, 0.3 / max(np.prod(weight.shape[:-1]), 1) ** 0.5, weight.shape)
            if weight.name in ("gamma", "moving_variance"):
                value = rng.uniform(0.5, 2, weight.shape)
            elif len(weight.shape) > 1:
                value *= 4
            weight.assign(value)
    if any(layer.name == "logits" for layer in model.layers):
        noise = rng.random((1, 64, 64, model.input_shape[-1]), np.float32)
        scores = applied(keras.Model(model.input, model.get_layer("scores").output), noise)
        last_norm = model.get_layer("logits")
        last_norm.gamma.assign(np.full(scores.shape[-1], 2.0))
        last_norm.beta.assign(np.zeros(scores.shape[-1]))
        last_norm.moving_mean.assign(scores.mean(axis=(0, 1, 2)))
        last_norm.moving_variance.assign(scores.var(axis=(0, 1, 2)))
    return model


@pytest.fixture(scope="session")
def small_segmenter() -> Segmenter:
    """A segmenter with an AM-SegNet of base width 2 and random weights."""
    info = PresetInfo("small", CLASS_NAMES, GreyScaling(), 4.31, "nothing: random weights")
    return Segmenter(randomise(AMSegNet(base_filters=2)), info)


@pytest.fixture
def frames() -> np.ndarray:
    """Three frames of a textured scene, uint16 `(3, 50, 70)`."""
    rng = np.random.default_rng(1)
    scene = np.cumsum(rng.normal(0, 60, (3, 50, 70)), axis=1) + 2000
    return scene.astype(np.uint16)
