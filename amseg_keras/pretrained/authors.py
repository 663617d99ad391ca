"""Convert the weights that the authors of AM-SegNet publish, from legacy Keras, into a preset."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import keras
import numpy as np

from amseg_keras.layers import AttentionGate, ConvBlock, SqueezeExpand
from amseg_keras.models import AMSegNet, UNet
from amseg_keras.preprocess import GreyScaling
from amseg_keras.pretrained.preset import PresetInfo, write_preset

AUTHORS_GREY_LEVELS = GreyScaling(method="as_is", top=255.0)
ESRF_PIXEL_SIZE_UM = 4.31
TRAINED_ON = (
    "the weights of {source}, converted; the authors trained on real ESRF frames (Li et al. 2024)"
)


def convert_weights(weights: Path, out: Path, class_names: Sequence[str]) -> str:
    """Make a preset folder from a legacy Keras HDF5 weights file of AM-SegNet or U-Net.

    Args:
        weights: file written by `model.save_weights('….hdf5')` of Keras 2.
        class_names: class name of each output channel, which the file does not record; it is
            recorded in the preset.

    Returns:
        Which network it was: `"amsegnet"` or `"unet"`.

    Raises:
        ConversionError: the file cannot be read, or has layers of another network; the
            message names the first that did not match.
    """
    layers = read_legacy_layers(weights)
    model = _empty_network(weights, layers, len(class_names))
    supply = _Supply(weights, layers)
    for layer in model.layers:
        if layer.weights:
            _fill(layer, supply)
    supply.finish()
    try:
        info = PresetInfo(
            name=out.name,
            class_names=tuple(class_names),
            scaling=AUTHORS_GREY_LEVELS,
            pixel_size_um=ESRF_PIXEL_SIZE_UM,
            trained_on=TRAINED_ON.format(source=weights.name),
        )
    except ValueError as error:
        raise ConversionError(f"--class-order: {error}") from error
    write_preset(out, model, info)
    return str(model.name)


def _empty_network(weights: Path, layers: list[LegacyLayer], num_classes: int) -> keras.Model:
    """Build the network of the layers, recognised by layers that only this network has."""
    kernels = [layer.weights[0] for layer in layers if layer.kind == "conv"]
    if not kernels:
        raise ConversionError(f"{weights}: no convolutions in it")
    in_file = kernels[-1].shape[-1]
    if in_file != num_classes:
        raise ConversionError(
            f"{weights}: its last layer has {in_file} classes, but {num_classes} are named"
        )
    base_filters = kernels[0].shape[-1]
    if any(layer.kind == "depthwise" for layer in layers):
        attention = any(kernel.shape[-1] == 1 for kernel in kernels)
        return AMSegNet(num_classes, base_filters, attention)
    return UNet(num_classes, base_filters)


class _Supply:
    """Layers of the file, handed out kind by kind."""

    def __init__(self, weights: Path, layers: list[LegacyLayer]) -> None:
        self.weights = weights
        self.left = {
            kind: [layer for layer in layers if layer.kind == kind]
            for kind in ("conv", "depthwise", "norm")
        }

    def take(self, kind: str, wanted: str) -> LegacyLayer:
        if not self.left[kind]:
            raise ConversionError(f"{self.weights}: ends before {wanted}: no {kind} is left for it")
        return self.left[kind].pop(0)

    def assign(self, target: keras.layers.Layer, source: LegacyLayer, wanted: str) -> None:
        shapes = [tuple(weight.shape) for weight in target.weights]
        found = [weight.shape for weight in source.weights]
        if shapes != found:
            raise ConversionError(
                f"{self.weights}: {source} does not fit {wanted}, which has {shapes[0]}"
            )
        target.set_weights(list(source.weights))

    def finish(self) -> None:
        extra = next((layer for layers in self.left.values() for layer in layers), None)
        if extra is not None:
            raise ConversionError(f"{self.weights}: {extra} has no place in the network")


def _fill(layer: keras.layers.Layer, supply: _Supply) -> None:
    if isinstance(layer, SqueezeExpand):
        _fill_squeeze_expand(layer, supply)
        return
    for kind, target in _parts(layer):
        name = layer.name if target is layer else f"{layer.name}/{target.name}"
        supply.assign(target, supply.take(kind, name), name)


def _parts(layer: keras.layers.Layer) -> Iterator[tuple[str, keras.layers.Layer]]:
    """Return convolutions and norms of a layer in the order in which the authors make them."""
    if isinstance(layer, ConvBlock):
        yield from (("conv", layer.conv), ("norm", layer.norm))
    elif isinstance(layer, AttentionGate):
        yield from (("conv", layer.phi), ("conv", layer.theta), ("conv", layer.psi))
        yield "norm", layer.norm
    elif isinstance(layer, keras.layers.BatchNormalization):
        yield "norm", layer
    else:
        yield "conv", layer


def _fill_squeeze_expand(block: SqueezeExpand, supply: _Supply) -> None:
    """Fill the three branches, which may be in any order in the file, by their kernels."""
    squeeze = supply.take("conv", f"{block.name}/squeeze")
    supply.assign(block.squeeze, squeeze, f"{block.name}/squeeze")
    depthwise = supply.take("depthwise", f"{block.name}/depthwise")
    supply.assign(block.depthwise, depthwise, f"{block.name}/depthwise")
    branches = {
        "residual": (block.residual, block.residual_norm),
        "pointwise": (block.pointwise, block.separable_norm),
        "expand": (block.expand, block.expand_norm),
    }
    for _ in range(len(branches)):
        conv = supply.take("conv", f"{block.name}/{'/'.join(branches)}")
        norm = supply.take("norm", f"{block.name}/{'/'.join(branches)} norm")
        shape = conv.weights[0].shape
        branch = next(
            (name for name, (layer, _) in branches.items() if tuple(layer.kernel.shape) == shape),
            None,
        )
        if branch is None:
            raise ConversionError(
                f"{supply.weights}: {conv} is none of the branches of {block.name} "
                f"({', '.join(branches)})"
            )
        layer, layer_norm = branches.pop(branch)
        supply.assign(layer, conv, f"{block.name}/{branch}")
        supply.assign(layer_norm, norm, f"{block.name}/{branch} norm")


MOST_NUMBERS = 1 << 27
"""Most numbers in a file, as in a preset."""

NORM_WEIGHTS = ("gamma", "beta", "moving_mean", "moving_variance")
AUTOMATIC_NAME = re.compile(r"(?:conv2d|depthwise_conv2d|batch_normalization)(?:_(\d+))?")


class ConversionError(ValueError):
    """A weights file that cannot be converted; the message names the file and what is wrong."""


@dataclass(frozen=True)
class LegacyLayer:
    """A layer with weights.

    Args:
        kind: `"conv"` (kernel, bias), `"depthwise"` (kernel, bias) or `"norm"` (gamma, beta,
            moving mean, moving variance).
        weights: weights in the order in which Keras takes them.
    """

    name: str
    kind: str
    weights: tuple[np.ndarray, ...]

    def __str__(self) -> str:
        return f"layer {self.name!r} ({self.kind} {self.weights[0].shape})"


def read_legacy_layers(path: Path) -> list[LegacyLayer]:
    """Read the layers with weights, in the order in which the network was written.

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
