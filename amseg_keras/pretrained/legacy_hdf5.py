"""Read the weights file that `model.save_weights('….hdf5')` of legacy Keras (2.x) wrote."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

MOST_NUMBERS = 1 << 27
"""As many as a preset may have."""

NORM_WEIGHTS = ("gamma", "beta", "moving_mean", "moving_variance")
AUTOMATIC_NAME = re.compile(r"(?:conv2d|depthwise_conv2d|batch_normalization)(?:_(\d+))?")


class ConversionError(ValueError):
    """A weights file that cannot be converted; the message names the file and what is wrong."""


@dataclass(frozen=True)
class LegacyLayer:
    """A layer with weights.

    Args:
        name: in the file.
        kind: `"conv"` (kernel, bias), `"depthwise"` (kernel, bias) or `"norm"` (gamma, beta,
            moving mean, moving variance).
        weights: in the order in which Keras takes them.
    """

    name: str
    kind: str
    weights: tuple[np.ndarray, ...]

    def __str__(self) -> str:
        return f"layer {self.name!r} ({self.kind} {self.weights[0].shape})"


def read_legacy_layers(path: Path) -> list[LegacyLayer]:
    """The layers of the file that have weights, in the order in which the network was written.

    Raises:
        ConversionError: the file is missing, truncated, no HDF5, not from legacy Keras, or holds a
            layer that no network of the authors has.
    """
    if not path.is_file():
        raise ConversionError(f"{path}: no such file")
    try:
        with h5py.File(path, "r") as file:
            # `model.save` puts the same group one level down
            group = file.get("model_weights", file)
            if "layer_names" not in group.attrs:
                raise ConversionError(
                    f"{path}: not a weights file of legacy Keras (no 'layer_names' in it); "
                    "Keras 3 files need no conversion"
                )
            _check_sizes(path, group)
            names = np.atleast_1d(group.attrs["layer_names"]).ravel()
            layers = [_layer(path, _text(name), group[_text(name)]) for name in names]
    except ConversionError:
        raise
    except MemoryError as error:
        raise ConversionError(f"{path}: needs more memory than there is ({error})") from error
    except Exception as error:  # h5py raises many kinds on a damaged file
        raise ConversionError(
            f"{path}: truncated, or not an HDF5 file ({error}); download it again"
        ) from error
    return _in_order_of_creation([layer for layer in layers if layer is not None])


def _check_sizes(path: Path, group: h5py.Group) -> None:
    """Raise if the datasets of a file declare more numbers than any network of the authors has.

    Compressed datasets of zeros are small in the file and fill the memory.
    """
    declared = 0

    def add(name: str, item: object) -> None:
        nonlocal declared
        if isinstance(item, h5py.Dataset):
            declared += math.prod(item.shape or ())

    group.visititems(add)
    if declared > MOST_NUMBERS:
        raise ConversionError(
            f"{path}: declares {declared:,} numbers; more than {MOST_NUMBERS:,} are not read"
        )


def _layer(path: Path, name: str, group: h5py.Group) -> LegacyLayer | None:
    names = [_text(weight) for weight in np.atleast_1d(group.attrs["weight_names"]).ravel()]
    if not names:
        return None
    weights = {}
    for weight in names:
        dataset = group[weight]
        if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind != "f":
            raise ConversionError(f"{path}: {name}/{weight} holds no floating-point numbers")
        if dataset.external or dataset.is_virtual:
            raise ConversionError(f"{path}: {name}/{weight} is stored in another file")
        weights[weight.rsplit("/", 1)[-1].split(":")[0]] = dataset[()].astype(np.float32)
    kinds: dict[str, tuple[str, ...]] = {
        "conv": ("kernel", "bias"),
        "depthwise": ("depthwise_kernel", "bias"),
        "norm": NORM_WEIGHTS,
    }
    for kind, wanted in kinds.items():
        if set(weights) == set(wanted):
            values = tuple(weights[key] for key in wanted)
            if not all(np.isfinite(value).all() for value in values):
                raise ConversionError(f"{path}: layer {name!r} holds NaN or infinite weights")
            return LegacyLayer(name, kind, values)
    raise ConversionError(
        f"{path}: layer {name!r} holds {', '.join(weights)}, which is neither a convolution nor a "
        "depthwise convolution with bias nor a batch norm"
    )


def _in_order_of_creation(layers: list[LegacyLayer]) -> list[LegacyLayer]:
    """Sort by the numbers in Keras' automatic names, which tell the order better than the file.

    The file lists layers by their distance from the output, where parallel branches tie. Layers
    that were named by hand are left in the file's order.
    """
    numbers = [AUTOMATIC_NAME.fullmatch(layer.name) for layer in layers]
    if not all(numbers):
        return layers
    return sorted(layers, key=lambda layer: _number(layer.name))


def _number(name: str) -> int:
    match = AUTOMATIC_NAME.fullmatch(name)
    assert match is not None
    return int(match.group(1) or 0)


def _text(value: str | bytes) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
