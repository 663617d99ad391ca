"""Draw AM-SegNet as it is built: `python docs/make_architecture.py`.

Every box is a layer of the Keras model, with the channels of its output; boxes of one resolution
stand in one row. With `--check` nothing is written, and it fails where the drawing is of another
network.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path

import keras

from amseg_keras.models import AMSegNet

PICTURE = Path(__file__).with_name("drawings") / "architecture.svg"
HEIGHT, WIDTH = 256, 512
BOX, TALL, GAP, ROW, LEFT = 126, 44, 22, 88, 88
DECODER = 3
"""Column in which the decoder's rows begin."""

COLOURS = {
    "InputLayer": "#e8e8e8",
    "SqueezeExpand": "#ffe08a",
    "ConvBlock": "#a9d8da",
    "AttentionGate": "#f0a9a9",
    "Conv2D": "#d3ebec",
    "BatchNormalization": "#e8e8e8",
    "Softmax": "#e8e8e8",
    "Concatenate": "#ffffff",
    "Add": "#ffffff",
}
ARROWS = {"MaxPooling2D": "max pooling", "UpSampling2D": "nearest upsampling"}
"""Layers that lead from row to row and are drawn as arrows."""
ARROW_COLOURS = {"max pooling": "#c0392b", "nearest upsampling": "#2471a3"}


def sources(layer: keras.Layer) -> Iterator[keras.Layer]:
    """The layers whose outputs a layer takes."""
    for node in layer._inbound_nodes:
        for tensor in node.input_tensors:
            yield tensor._keras_history.operation


def through(layer: keras.Layer) -> tuple[keras.Layer, str]:
    """The box that an arrow comes from, and what happens on the way."""
    kind = type(layer).__name__
    return (next(sources(layer)), ARROWS[kind]) if kind in ARROWS else (layer, "")


def row_of(layer: keras.Layer) -> int:
    """How often its output was halved."""
    height = layer.output.shape[1]
    return round(math.log2(HEIGHT / height))


model = AMSegNet(input_shape=(HEIGHT, WIDTH, 1))
boxes = [layer for layer in model.layers if type(layer).__name__ not in ARROWS]
deepest = max(map(row_of, boxes))

# Down in the column of the first block, up in one of its own; along a row to the right.
column: dict[str, int] = {}
for layer in boxes:
    before = [start for start, _ in map(through, sources(layer))]
    if any(row_of(start) > row_of(layer) for start in before):
        column[layer.name] = DECODER
    else:
        step = all(row_of(start) == row_of(layer) for start in before)
        column[layer.name] = max((column[start.name] for start in before), default=-1) + step


def middle(layer: keras.Layer) -> tuple[float, float]:
    """Where the box is."""
    return LEFT + column[layer.name] * (BOX + GAP) + BOX / 2, 40 + row_of(layer) * ROW + TALL / 2


def arrow(start: keras.Layer, end: keras.Layer, how: str) -> str:
    """From one box to another."""
    (x, y), (to_x, to_y) = middle(start), middle(end)
    half, tip = TALL / 2, TALL / 2 + 2
    if how:
        turn = (y + to_y) / 2
        sign = 1 if to_y > y else -1
        path = f"M{x} {y + sign * half}V{turn}H{to_x}V{to_y - sign * tip}"
        return f'<path d="{path}" marker-end="url(#tip)" stroke="{ARROW_COLOURS[how]}"/>'
    between = [
        layer
        for layer in boxes
        if row_of(layer) == row_of(end)
        and column[start.name] < column[layer.name] < column[end.name]
    ]
    if between:
        turn = y + half + 8 * len(between)
        path = f"M{x} {y + half}V{turn}H{to_x}V{to_y + tip}"
    else:
        path = f"M{x + BOX / 2} {y}H{to_x - BOX / 2 - 2}"
    dashes = ' stroke-dasharray="5 4"' if column[end.name] - column[start.name] > 1 else ""
    return f'<path d="{path}" marker-end="url(#tip)"{dashes}/>'


def box(layer: keras.Layer) -> str:
    """A layer with its name, its kind and its channels."""
    x, y = middle(layer)
    kind = type(layer).__name__.replace("BatchNormalization", "BatchNorm")
    if isinstance(layer, keras.layers.Conv2D):
        kind += " {}x{}".format(*layer.kernel_size)
    return (
        f'<rect x="{x - BOX / 2}" y="{y - TALL / 2}" width="{BOX}" height="{TALL}" rx="4" '
        f'fill="{COLOURS[type(layer).__name__]}" stroke="#555"/>'
        f'<text x="{x}" y="{y - 4}">{escape(kind)}</text>'
        f'<text x="{x}" y="{y + 13}" class="small">{escape(layer.name)} · '
        f"{layer.output.shape[-1]}</text>"
    )


arrows = [
    arrow(start, layer, how) for layer in boxes for start, how in map(through, sources(layer))
]
sizes = [
    f'<text x="{LEFT - 12}" y="{40 + row * ROW + TALL / 2 + 5}" text-anchor="end" class="small">'
    f"{HEIGHT >> row} x {WIDTH >> row}</text>"
    for row in range(deepest + 1)
]
right = LEFT + (max(column.values()) + 1) * (BOX + GAP)
bottom = 40 + deepest * ROW + TALL + 44
legend = (
    f'<text x="{LEFT}" y="{bottom - 4}" text-anchor="start" class="small">'
    f"red: {ARROWS['MaxPooling2D']} by 2; blue: {ARROWS['UpSampling2D']} by 2; "
    "dashed: skip connections. Numbers: channels.</text>"
)
svg = f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {right} {bottom + 8}" role="img"
 aria-label="The layers of AM-SegNet" font-family="system-ui, sans-serif" font-size="13"
 text-anchor="middle" fill="#222">
<style>.small {{ font-size: 11px }}</style>
<defs><marker id="tip" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="7" markerHeight="7"
 orient="auto"><path d="M1 1 9 5 1 9" fill="none" stroke="#555" stroke-width="1.6"/></marker></defs>
<rect width="100%" height="100%" fill="#fff"/>
<g fill="none" stroke="#555" stroke-width="1.4">
{chr(10).join(arrows)}
</g>
{chr(10).join(map(box, boxes))}
{chr(10).join(sizes)}
{legend}
</svg>
"""

if sys.argv[1:] == ["--check"]:
    if PICTURE.read_text(encoding="utf-8") != svg:
        sys.exit(f"{PICTURE}: is of another network; run python docs/make_architecture.py")
else:
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(svg, encoding="utf-8")
