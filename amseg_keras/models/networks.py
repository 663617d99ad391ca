"""The networks by the names that the command line has for them; their titles are in `titles`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import keras

from amseg_keras.models.amsegnet import AMSegNet
from amseg_keras.models.lite import AMSegNetLite
from amseg_keras.models.unet import ResUNet, SqueezeUNet, UNet

NETWORKS: Mapping[str, Callable[..., keras.Model]] = {
    "amsegnet": AMSegNet,
    "amsegnet-no-gate": functools.partial(AMSegNet, attention=False),
    "resunet": ResUNet,
    "unet": UNet,
    "squeezeunet": SqueezeUNet,
    "amsegnet-lite": AMSegNetLite,
}
"""All take `num_classes`, `base_filters`, `dropout` and `input_shape`."""
