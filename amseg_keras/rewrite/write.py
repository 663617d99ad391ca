"""From a graph to a functional Keras model in float32."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from amseg_keras.rewrite.graph import (
    Affine,
    Conv,
    Graph,
    Node,
    Output,
    Place,
    Start,
    Step,
    UpConv,
)

# Both are exact in float32 and so is their sum, one: a norm with them multiplies and adds only.
_EPSILON = 2.0**-10
_VARIANCE = 1 - _EPSILON


def write_model(graph: Graph) -> keras.Model:
    """The model of a graph, its weights rounded to float32 only now."""
    writer = _Writer()
    for node in graph.nodes():
        writer.write(node)
    inputs, outputs = (
        keras.tree.map_structure(writer.tensors.__getitem__, ends)
        for ends in (graph.inputs, graph.outputs)
    )
    model = keras.Model(inputs, outputs, name=graph.name)
    model.trainable = False
    return model


class _Writer:
    """Calls a layer for each node and remembers what it gave."""

    def __init__(self) -> None:
        self.tensors: dict[Node, Any] = {}
        self._names: set[str] = set()
        self._layers: dict[int, Any] = {}  # by the id of the original one, which may be shared

    def write(self, node: Node) -> None:
        self.tensors[node] = self._called(node, [self.tensors[before] for before in node.inputs])

    def _called(self, node: Node, inputs: list[Any]) -> Any:
        match node:
            case Start():
                shape, dtype = node.tensor.shape, node.tensor.dtype
                return keras.Input(batch_shape=shape, dtype=dtype, name=self._unused(node.name))
            case Output():
                return keras.tree.flatten(inputs[0])[node.number]
            case Step():
                return self._step(node, inputs)
            case _:
                layer, weights = _with_weights(node, self._unused(node.name))
                made = layer(*inputs)
                layer.set_weights([value.astype(np.float32) for value in weights])
                return made

    def _step(self, node: Step, inputs: list[Any]) -> Any:
        layer = self._layers.get(id(node.layer))
        if layer is None:
            layer = _copied(node.layer, self._unused(node.name))
            self._layers[id(node.layer)] = layer

        def filled(argument: Any) -> Any:
            return inputs[argument.number] if isinstance(argument, Place) else argument

        args, kwargs = keras.tree.map_structure(filled, node.call)
        made = layer(*args, **kwargs)
        if isinstance(layer, keras.layers.Layer):
            layer.set_weights(node.layer.get_weights())
        return made

    def _unused(self, name: str) -> str:
        number, unused = 1, name
        while unused in self._names:
            number, unused = number + 1, f"{name}_{number}"
        self._names.add(unused)
        return unused


def _with_weights(node: Node, name: str) -> tuple[keras.layers.Layer, list[np.ndarray]]:
    """The layer of a node, not built, and the weights that it is to get."""
    common = {"name": name, "dtype": "float32"}
    # random kernels would take longer to make than all the rest
    kernels = {**common, "kernel_initializer": "zeros", "data_format": "channels_last"}
    match node:
        case Conv():
            layer = keras.layers.Conv2D(
                node.kernel.shape[-1],
                node.kernel.shape[:2],
                strides=node.strides,
                padding=node.padding,
                dilation_rate=node.dilation,
                use_bias=node.bias is not None,
                **kernels,
            )
            return layer, _present(node.kernel, node.bias)
        case UpConv():
            layer = keras.layers.Conv2DTranspose(
                node.kernel.shape[-1],
                node.kernel.shape[:2],
                strides=2,
                padding="same",
                use_bias=node.bias is not None,
                **kernels,
            )
            return layer, _present(node.kernel.swapaxes(2, 3), node.bias)
        case Affine():
            # Every exporter knows this layer and every engine runs it as one multiplication and
            # addition; depthwise convolutions are slow on many.
            layer = keras.layers.BatchNormalization(epsilon=_EPSILON, **common)
            zeros = np.zeros_like(node.shift)
            return layer, [node.scale, node.shift, zeros, np.full_like(zeros, _VARIANCE)]
    raise TypeError(f"no layer for {node}")


def _present(*weights: np.ndarray | None) -> list[np.ndarray]:
    return [weight for weight in weights if weight is not None]


def _copied(layer: Any, name: str) -> Any:
    """A layer or operation of its own for the new model, without weights yet."""
    config = {**layer.get_config(), "name": name}
    if getattr(layer, "compute_dtype", None) in ("float16", "bfloat16"):
        config["dtype"] = "float32"
    return type(layer).from_config(config)
