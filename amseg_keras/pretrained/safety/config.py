"""Refuse a model configuration that could do more than build one of the known networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MAX_CONFIG_BYTES = 4 << 20

ALLOWED_CLASSES = {
    "keras": {"DTypePolicy", "DTypePolicyMap", "Functional", "Model", "Sequential"},
    "keras.src.models.functional": {"Functional"},
    "keras.dtype_policies": {"DTypePolicy", "DTypePolicyMap"},
    "keras.models": {"Functional", "Model", "Sequential"},
    "keras.constraints": {"MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"},
    "keras.regularizers": {"L1", "L1L2", "L2", "OrthogonalRegularizer"},
    "keras.initializers": {
        "Constant",
        "GlorotNormal",
        "GlorotUniform",
        "HeNormal",
        "HeUniform",
        "LecunNormal",
        "LecunUniform",
        "Ones",
        "OrthogonalInitializer",
        "RandomNormal",
        "RandomUniform",
        "TruncatedNormal",
        "VarianceScaling",
        "Zeros",
    },
    "keras.layers": {
        "Activation",
        "Add",
        "Average",
        "AveragePooling2D",
        "BatchNormalization",
        "Concatenate",
        "Conv2D",
        "Conv2DTranspose",
        "Cropping2D",
        "Dense",
        "DepthwiseConv2D",
        "Dropout",
        "ELU",
        "GlobalAveragePooling2D",
        "GlobalMaxPooling2D",
        "GroupNormalization",
        "InputLayer",
        "LayerNormalization",
        "LeakyReLU",
        "Maximum",
        "MaxPooling2D",
        "Minimum",
        "Multiply",
        "PReLU",
        "ReLU",
        "Rescaling",
        "Reshape",
        "SeparableConv2D",
        "Softmax",
        "SpatialDropout2D",
        "Subtract",
        "UpSampling2D",
        "ZeroPadding2D",
    },
    "amseg_keras.layers": {
        "AttentionGate",
        "ConvBlock",
        "DepthToSpace",
        "FireBlock",
        "ResidualBlock",
        "SqueezeExpand",
    },
    "builtins": set(),
}
"""Every class that a preset may name. A list, not a rule: among Keras' own layers are some that
run code from a file (`Lambda`, `TFSMLayer`, `TorchModuleWrapper`, `JaxLayer`)."""

PLAIN_MARKERS = {"__keras_tensor__", "__tuple__", "__none__"}
"""The only special values that the configuration of a network needs."""


class UnsafeConfigError(ValueError):
    """A model configuration names something that a preset may not hold."""


def read_safe_config(path: Path) -> dict[str, Any]:
    """The configuration of a model, read as data and checked; nothing is imported or built.

    Raises:
        UnsafeConfigError: it names a class, a module or a function that is not one of the layers
            that networks of this package are made of.
        ValueError: it is not JSON, or larger than 4 MiB.
    """
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise ValueError(
            f"{path}: larger than {MAX_CONFIG_BYTES >> 20} MiB, not a network's config"
        )
    try:
        config = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:  # also a number of too many digits
        raise ValueError(f"{path}: not a JSON file ({error})") from error
    if not isinstance(config, dict) or config.get("class_name") not in (
        "Functional",
        "Sequential",
    ):
        raise UnsafeConfigError(f"{path}: does not describe a functional Keras model")
    # How the model was compiled may name functions, and inference has no use for it.
    config = {key: value for key, value in config.items() if key != "compile_config"}
    try:
        _check(config, path)
    except RecursionError as error:
        raise UnsafeConfigError(f"{path}: nested deeper than any network") from error
    return config


def _check(value: Any, path: Path) -> None:
    if isinstance(value, list):
        for item in value:
            _check(item, path)
        return
    if not isinstance(value, dict):
        return
    class_name = value.get("class_name")
    if isinstance(class_name, str) and class_name in PLAIN_MARKERS:
        pass
    elif "class_name" in value or "module" in value or "registered_name" in value:
        _check_class(value, path)
    for key in value:
        if key.startswith("__") and key not in PLAIN_MARKERS:
            raise UnsafeConfigError(f"{path}: holds {key!r}, which a preset may not")
    for item in value.values():
        _check(item, path)


def _check_class(value: dict[str, Any], path: Path) -> None:
    class_name, module = value.get("class_name"), value.get("module")
    named = f"{module}.{class_name}" if module else str(class_name)
    refused = UnsafeConfigError(
        f"{path}: names {named!r}, which is not among the layers that a preset may hold"
    )
    if not isinstance(class_name, str) or not isinstance(module, str | None):
        raise refused
    registered = value.get("registered_name")
    if isinstance(registered, str) and registered.startswith("amseg_keras>"):
        # classes of this package are found by their registered name; the module is not looked at
        if registered != f"amseg_keras>{class_name}":
            raise refused
        module = "amseg_keras.layers"
    elif registered not in (None, class_name):
        raise refused
    if class_name not in ALLOWED_CLASSES.get(module or "", set()):
        raise refused
