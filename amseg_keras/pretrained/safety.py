"""Check a preset from elsewhere before any part of it is used."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np


class PresetError(ValueError):
    """A preset that cannot be found, read or trusted; the message says which and what to do.

    Example:
        >>> from amseg_keras import from_pretrained
        >>> try:
        ...     segmenter = from_pretrained("amsegnet-esfr")
        ... except PresetError as error:
        ...     print(str(error).partition(";")[0])
        amsegnet-esfr: no preset, folder or repository (owner/repo) of this name
    """


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
    """Read and check the configuration of a model as data; nothing is imported or built.

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
    if not isinstance(config, dict) or config.get("class_name") not in ("Functional", "Sequential"):
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


HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"

MAX_PARAMETERS = 1 << 27
"""Most parameters: eight times AM-SegNet, 512 MiB in single precision."""

MAX_WEIGHTS_BYTES = 8 * MAX_PARAMETERS
"""Most bytes of the weights, in double precision."""


def check_weights(weights: Path, shapes: Sequence[tuple[int, ...]]) -> None:
    """Make sure that a file holds plain numbers, as many as a network has, before they are read.

    Nothing but the file's table of contents is read.

    Args:
        weights: an HDF5 file.

    Raises:
        PresetError: it is no HDF5 file or a broken one, holds links, other files, compressed or
            other than plain numbers, or more or fewer than the network has.
    """
    with weights.open("rb") as file:
        if file.read(len(HDF5_SIGNATURE)) != HDF5_SIGNATURE:
            raise PresetError(
                f"{weights}: not an HDF5 file; weights in another form (a pickle, say) are not read"
            )
    try:
        with h5py.File(weights, "r") as file:
            sizes = _Contents(weights).sizes(file)
    except PresetError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError) as error:  # of h5py, on broken files
        raise PresetError(f"{weights}: a truncated or broken HDF5 file ({error})") from error
    # Keras leaves weights that the file does not have at their random start
    if len(sizes) != len(shapes):
        raise PresetError(
            f"{weights}: holds {len(sizes)} arrays, but the network has {len(shapes)} weights"
        )
    if sum(sizes) != (numbers := sum(map(parameters, shapes))):
        raise PresetError(
            f"{weights}: holds {sum(sizes):,} numbers, but the network has {numbers:,}"
        )


def parameters(shape: tuple[int, ...]) -> int:
    """Count the numbers in an array; unlike `numpy.prod`, right for any size."""
    count = 1
    for side in shape:
        count *= int(side)
    return count


class _Contents:
    """The arrays of an HDF5 file, each group looked at once."""

    def __init__(self, weights: Path) -> None:
        self.weights = weights
        self.seen: set[int] = set()

    def sizes(self, group: h5py.Group) -> list[int]:
        """Count the numbers in each array, and refuse anything but plain numbers."""
        found = []
        for key in group:
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise self._refused(f"{group.name}/{key} is a link, which a preset may not hold")
            item = group[key]
            address = h5py.h5o.get_info(item.id).addr
            if address in self.seen:
                raise self._refused(f"{item.name} is in it twice, which a preset may not be")
            self.seen.add(address)
            if isinstance(item, h5py.Group):
                found += self.sizes(item)
            else:
                found.append(self._size(item))
        return found

    def _size(self, item: h5py.HLObject) -> int:
        if not isinstance(item, h5py.Dataset):
            raise self._refused(f"{item.name} is not an array")
        if item.external or item.is_virtual:
            raise self._refused(f"{item.name} is stored in another file")
        if item.dtype.kind != "f":
            raise self._refused(f"{item.name} holds {item.dtype}, not numbers")
        count = parameters(item.shape)
        if item.id.get_storage_size() < count * np.dtype(item.dtype).itemsize:
            raise self._refused(
                f"{item.name} would be larger in memory than in the file, which Keras' own are not"
            )
        return count

    def _refused(self, why: str) -> PresetError:
        return PresetError(f"{self.weights}: {why}")


MAX_TEXT = 2000
"""Characters; a sentence or two on the training data need a tenth of it."""

MARKUP = re.compile(r"<[A-Za-z/!?]|\]\s*[(\[]|javascript:", re.IGNORECASE)
"""Beginning of an HTML element, or a Markdown link or image, unlike `pores < 10 um`."""


def checked_text(text: object, what: str) -> str:
    """Return the text if it is one plain line, harmless in a page and in a terminal.

    Raises:
        ValueError: it is no text, too long, holds line breaks or control characters, or markup.

    Example:
        >>> checked_text("real frames of APS", "trained_on")
        'real frames of APS'
        >>> checked_text("<script>alert(1)</script>", "trained_on")
        Traceback (most recent call last):
        ...
        ValueError: trained_on holds markup: '<script>alert(1)</script>'
    """
    if not isinstance(text, str):
        raise ValueError(f"{what} is not text")
    if len(text) > MAX_TEXT:
        raise ValueError(f"{what} is longer than {MAX_TEXT} characters")
    if not text.isprintable():
        raise ValueError(f"{what} is not one line of printable text")
    if MARKUP.search(text):
        raise ValueError(f"{what} holds markup: {text[:60]!r}")
    return text


def plain_text(text: str) -> str:
    """Make the text acceptable for `checked_text`: one line, without markup.

    Example:
        >>> plain_text("frames of <https://a.b>,\\n[see](https://c.d)")
        'frames of https://a.b, see (https://c.d)'
    """
    printable = "".join(one if one.isprintable() else " " for one in text)
    unlinked = re.sub(r"\[([^][]*)\]\s*(?=[(\[])", r"\1 ", printable)
    bare = re.sub(r"[<>]|\]\s*(?=[(\[])|javascript:", "", unlinked, flags=re.IGNORECASE)
    return " ".join(bare.split())[:MAX_TEXT]
