"""From a functional Keras model to a graph, the package's own blocks taken apart."""

from __future__ import annotations

from typing import Any

import keras

from amseg_keras.rewrite.dissolve import BLOCKS
from amseg_keras.rewrite.graph import Graph, Node, Output, Place, Start, Step
from amseg_keras.rewrite.plain import conv, norm


def read_graph(model: keras.Model, merge_branches: bool) -> Graph:
    """The graph of a functional model.

    Raises:
        ValueError: the model is not functional.
    """
    if not isinstance(model, keras.Function):
        raise ValueError(
            f"{model.name} is a {type(model).__name__}; only a functional model can be rewritten, "
            "of a Sequential one, keras.Model(model.inputs, model.outputs)"
        )
    nodes: dict[int, Node] = {}
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for call in model._nodes_by_depth[depth]:
            if call.is_input:
                (tensor,) = call.outputs
                nodes[id(tensor)] = Start(name=call.operation.name, tensor=tensor)
            else:
                made = _called(call, nodes, merge_branches)
                nodes.update(zip(map(id, call.outputs), made, strict=True))

    def found(tensor: Any) -> Node:
        return nodes[id(tensor)]

    return Graph(
        model.name,
        keras.tree.map_structure(found, model.input),
        keras.tree.map_structure(found, model.output),
    )


def _called(call: Any, nodes: dict[int, Node], merge_branches: bool) -> list[Node]:
    """A node for each output of a layer's call."""
    layer = call.operation
    inputs = tuple(nodes[id(tensor)] for tensor in call.input_tensors)
    if _is_for_inference(call):
        if type(layer) in BLOCKS:
            return [BLOCKS[type(layer)](layer, merge_branches, *inputs)]
        if _is_plain_conv(layer):
            return [conv(inputs[0], layer, layer.name)]
        if _is_plain_norm(layer, len(call.input_tensors[0].shape)):
            return [norm(inputs[0], layer, layer.name)]
        if type(layer) is keras.layers.Dropout:
            return [inputs[0]]
    places = {id(tensor): Place(number) for number, tensor in enumerate(call.input_tensors)}
    whole = Step(
        name=layer.name,
        inputs=inputs,
        layer=layer,
        call=call.arguments.fill_in(places),
        width=call.outputs[0].shape[-1] if len(call.outputs) == 1 else None,
    )
    if len(call.outputs) == 1:
        return [whole]
    return [
        Output(name=layer.name, inputs=(whole,), number=number)
        for number in range(len(call.outputs))
    ]


def _is_for_inference(call: Any) -> bool:
    """Whether a layer was called on tensors alone, not for instance with `training=True`."""
    named = call.arguments.kwargs.values()
    return len(call.arguments.args) == 1 and all(value is None or value is False for value in named)


def _is_plain_conv(layer: Any) -> bool:
    return (
        type(layer) is keras.layers.Conv2D
        and layer.data_format == "channels_last"
        and layer.groups == 1
    )


def _is_plain_norm(layer: Any, rank: int) -> bool:
    return type(layer) is keras.layers.BatchNormalization and layer.axis in (-1, rank - 1)
