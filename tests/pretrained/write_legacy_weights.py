"""Write a weights file with legacy Keras (tf-keras), as the authors' training did.

Run as `python write_legacy_weights.py FOLDER`; each network gets a folder in it. It uses nothing of
this project: the networks are built here once more, layer by layer, from the paper's description.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

if __name__ == "__main__":
    import tf_keras as keras

    layers = keras.layers


def norm_relu(x):
    return layers.ReLU()(layers.BatchNormalization()(x))


def squeeze_expand(x, width):
    squeezed = layers.Conv2D(width, 1, activation="relu")(x)
    one = norm_relu(layers.Conv2D(width, 1)(squeezed))
    depthwise = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(squeezed)
    two = norm_relu(layers.Conv2D(2 * width, 1)(depthwise))
    three = norm_relu(layers.Conv2D(width, 3, padding="same")(squeezed))
    return layers.Concatenate()([one, two, three])


def conv_block(x, width):
    return norm_relu(layers.Conv2D(width, 3, padding="same")(x))


def attention_gate(x, gating, width):
    phi = layers.Conv2D(width, 1)(gating)
    theta = layers.Conv2D(width, 1)(x)
    psi = layers.Conv2D(1, 1)(layers.ReLU()(layers.Add()([phi, theta])))
    return layers.BatchNormalization()(layers.Multiply()([layers.Activation("sigmoid")(psi), x]))


def head(x):
    return layers.Softmax()(layers.BatchNormalization()(layers.Conv2D(5, 1)(x)))


def amsegnet(f, attention=True):
    inputs = x = keras.Input((32, 64, 1))
    skips = []
    for width in (f, 2 * f, 4 * f, 8 * f):
        x = squeeze_expand(x, width)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    first = conv_block(x, 64 * f)
    last = conv_block(conv_block(first, 64 * f), 64 * f)
    x = layers.Add()([last, attention_gate(first, last, 64 * f)]) if attention else last
    for step, width in enumerate((16 * f, 8 * f, 4 * f, 2 * f)):
        if step:
            x = layers.Conv2D(2 * width, 3, padding="same")(x)
        x = layers.Concatenate()([layers.UpSampling2D()(x), skips.pop()])
        x = conv_block(x, width)
    return keras.Model(inputs, head(x))


def unet(base):
    inputs = x = keras.Input((32, 64, 1))
    skips = []
    for step in range(4):
        x = conv_block(conv_block(x, base << step), base << step)
        skips.append(x)
        x = layers.MaxPooling2D()(x)
    x = conv_block(conv_block(x, base << 4), base << 4)
    for step in reversed(range(4)):
        x = layers.Concatenate()([layers.UpSampling2D()(x), skips.pop()])
        x = conv_block(conv_block(x, base << step), base << step)
    return keras.Model(inputs, head(x))


NETWORKS = {
    "amsegnet": lambda: amsegnet(4),
    "amsegnet-no-attention": lambda: amsegnet(4, attention=False),
    "amsegnet-named-by-hand": lambda: amsegnet(4),
    "unet": lambda: unet(8),
}


def write(network, folder):
    folder.mkdir()
    model = NETWORKS[network]()
    if network == "amsegnet-named-by-hand":
        for number, layer in enumerate(model.layers):
            layer._name = f"layer_{(number * 37) % len(model.layers)}"
    rng = np.random.default_rng(0)
    for weight in model.weights:
        fan_in = np.prod(weight.shape[:-1]) if len(weight.shape) > 1 else 1
        value = rng.normal(0, 1.2 / fan_in**0.5, weight.shape)
        if "gamma" in weight.name or "variance" in weight.name:
            value = rng.uniform(0.5, 2, weight.shape)
        weight.assign(value)
    frames = rng.uniform(0, 255, (2, 32, 64, 1)).astype(np.float32)
    # The statistics of the last norm are made those of its input, as after a training; otherwise
    # one class would win everywhere and hide an error.
    last_norm = model.layers[-2]
    scores = keras.Model(model.input, last_norm.input).predict(frames, verbose=0)
    last_norm.moving_mean.assign(scores.mean(axis=(0, 1, 2)))
    last_norm.moving_variance.assign(scores.var(axis=(0, 1, 2)))
    np.save(folder / "frames.npy", frames)
    np.save(folder / "out.npy", model.predict(frames, verbose=0))
    model.save_weights(folder / "weights.hdf5")


if __name__ == "__main__":
    for name in NETWORKS:
        write(name, Path(sys.argv[1]) / name)
