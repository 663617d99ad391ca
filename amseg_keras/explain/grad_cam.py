"""Grad-CAM: which parts of a frame speak for a class (the paper's Grad-CAM figures)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops
from PIL import Image

from amseg_keras.explain.gradient import compiled, gradient
from amseg_keras.explain.inner_layers import (
    default_layer,
    layer_names,
    layer_tensor,
    score_tensor,
    tensors_beside,
)
from amseg_keras.explain.tiles import Tile, cut
from amseg_keras.models.ends import MULTIPLE
from amseg_keras.segment import Segmenter
from amseg_keras.segment.segmentation import checked_frames

_PROBE_CELLS = 24
"""Side, in cells of the layer, of the square that tells how far a score looks."""

PASS_PIXELS = 1 << 19
"""Frames of more pixels, half a million, go through the network in several parts. The gradient in
the first layer of AM-SegNet takes 4 GB for so many pixels."""

KEPT_PARTS = 4
"""Largest number of parts whose inner values are kept for the gradient. More would fill the memory;
they are computed again."""


@dataclass(frozen=True)
class ClassMap:
    """What speaks for a class in one frame.

    Attributes:
        heat: Grad-CAM map, float32 `(height, width)`, 0 to 1; all 0 if nothing in the layer speaks
            for the class.
        found: True where the network finds the class, bool `(height, width)`. If it finds the class
            nowhere, `heat` explains the score of the class over all pixels.
        scores: Scores of the classes before the softmax, float32 `(height, width, classes)`.

    Example:
        How much hotter the map is on the keyhole than elsewhere:

        >>> from amseg_keras import from_pretrained
        >>> from amseg_keras.read import open_stack
        >>> segmenter = from_pretrained("amsegnet-esrf-lite")
        >>> with open_stack("sample:esrf-welding") as stack:
        ...     scaled = segmenter.scaling.measure(stack).apply(stack[6])
        >>> index = class_index(segmenter.class_names, "keyhole")
        >>> found = GradCam(segmenter.model, index, "scores").explain(scaled)
        >>> found.heat.shape, found.found.dtype
        ((256, 512), dtype('bool'))
        >>> bool(found.heat[found.found].mean() > 10 * found.heat[~found.found].mean())
        True
    """

    heat: np.ndarray
    found: np.ndarray
    scores: np.ndarray


def grad_cam(
    segmenter: Segmenter, frame: np.ndarray, class_name: str, layer: str | None = None
) -> np.ndarray:
    """Show which parts of a frame make the network find a class: the Grad-CAM map.

    The scores of the class before the softmax are added up over the pixels that the network assigns
    to the class, or over all pixels if there are none. The gradient of this sum by the output of a
    layer, averaged over the positions of the layer, is the weight of each channel. The map is the
    weighted sum of the channels. Negative values are set to 0, the map is divided by its maximum,
    and it is enlarged to the frame (bilinear). Selvaraju et al. 2017, doi 10.1109/ICCV.2017.74; for
    segmentation Vinogradova et al. 2020, doi 10.1609/aaai.v34i10.7244.

    The map depends much on the layer: look at several layers before you draw a conclusion. Frames
    of any size are explained as a whole. Larger ones than half a million pixels go through the
    network in parts, with the same result.

    Args:
        segmenter: Network.
        frame: Grey levels `(height, width)`, any real dtype; scaled by the frame's own percentiles.
        class_name: Name out of `segmenter.class_names`.
        layer: Name out of `layer_names(segmenter.model)`; defaults to the last layer that is
            coarser than the frame, `smooth_4` in AM-SegNet.

    Returns:
        Map, float32 `(height, width)`, 0 to 1; 0 where nothing speaks for the class.

    Raises:
        ValueError: There is no such class or layer (the message lists them), or no such frame.

    Example:
        >>> from amseg_keras import from_pretrained
        >>> from amseg_keras.read import open_stack
        >>> with open_stack("sample:esrf-lpbf") as stack:
        ...     frame = stack[0][80:136, :88]
        >>> heat = grad_cam(from_pretrained("amsegnet-esrf"), frame, "substrate")
        >>> heat.shape, heat.dtype, float(heat.max())
        ((56, 88), dtype('float32'), 1.0)
        >>> bool(heat[-16:].mean() > 2 * heat[:16].mean())  # the substrate is at the bottom
        True
    """
    if np.ndim(frame) != 2:
        raise ValueError(f"a frame of shape {np.shape(frame)}: want (height, width)")
    index = class_index(segmenter.class_names, class_name)
    explainer = GradCam.of(segmenter, index, layer)
    frames = checked_frames(frame)
    return explainer.explain(segmenter.inputs(frames).make(0)).heat


def class_index(class_names: Sequence[str], name: str) -> int:
    """Find the id of a class.

    Args:
        class_names: Name of each class id, as `segmenter.class_names`.
        name: Name of the class.

    Returns:
        Class id, from 0.

    Raises:
        ValueError: There is no class of this name; the message lists all names.

    Example:
        >>> class_index(("background", "substrate", "keyhole"), "keyhole")
        2
    """
    if name not in class_names:
        raise ValueError(f"no class {name!r}; there are {', '.join(class_names)}")
    return list(class_names).index(name)


class GradCam:
    """Grad-CAM of one class in one layer of a network, for many frames; see `grad_cam`.

    You scale the frames. With the grey range of their recording, the maps of all frames can be
    compared; `grad_cam` scales each frame by itself.

    The network is split into two functions. The first goes from the frame to the output of the
    layer and to what skip connections carry past the layer. The second goes from these to the
    scores. So nothing before the layer is computed twice.

    Args:
        model: Functional or sequential model from `(batch, height, width, channels)` to classes.
        class_index: Id of the class.
        layer: Name of the layer; defaults to `default_layer(model)`.
        pass_pixels: Largest number of pixels given to the network at once, at least 320 x 320.

    Attributes:
        layer: Name of the layer.
        class_index: Id of the class.
        pass_pixels: Largest number of pixels given to the network at once.

    Raises:
        ValueError: There is no such layer; the message lists all layers.

    Example:
        >>> from amseg_keras import from_pretrained
        >>> from amseg_keras.read import open_stack
        >>> segmenter = from_pretrained("amsegnet-esrf-lite")
        >>> keyhole = GradCam(segmenter.model, segmenter.class_names.index("keyhole"), "decoder_1")
        >>> with open_stack("sample:esrf-welding") as stack:
        ...     grey_range = segmenter.scaling.measure(stack)
        ...     maps = [keyhole.explain(grey_range.apply(stack[frame])) for frame in (0, 6)]
        >>> keyhole.layer, [one.heat.shape for one in maps]
        ('decoder_1', [(256, 512), (256, 512)])
    """

    def __init__(
        self,
        model: keras.Model,
        class_index: int,
        layer: str | None = None,
        pass_pixels: int = PASS_PIXELS,
    ) -> None:
        self.layer = layer or default_layer(model)
        self.class_index = class_index
        self.pass_pixels = pass_pixels
        tensor, scores = layer_tensor(model, self.layer), score_tensor(model)
        self._has_softmax = isinstance(model.layers[-1], keras.layers.Softmax)
        beside = tensors_beside(model, tensor)
        forward = keras.Function(model.inputs, [tensor, scores, *beside])
        self._forward = compiled(lambda images: forward([images]))
        self._scores_from = keras.Function([tensor, *beside], scores)
        self._widths = [one.shape[-1] for one in (tensor, *beside)]
        self._reach: dict[int, int | None] = {}

    @classmethod
    def of(cls, segmenter: Segmenter, class_index: int, layer: str | None = None) -> GradCam:
        """Explain the network of a segmenter, rewritten where the result is the same.

        Args:
            segmenter: Network.
            class_index: Id of the class.
            layer: Name of the layer; defaults to `default_layer(segmenter.model)`.

        Raises:
            ValueError: There is no such layer; the message lists all layers.

        Example:
            >>> from amseg_keras import from_pretrained
            >>> GradCam.of(from_pretrained("amsegnet-esrf-lite"), 3).layer
            'scores'
        """
        name = layer or default_layer(segmenter.model)
        layer_tensor(segmenter.model, name)
        # A layer that has kept its name in the rewritten network gives the same there.
        fast = segmenter.rewritten.network
        return cls(fast if name in layer_names(fast) else segmenter.model, class_index, name)

    def explain(self, scaled: np.ndarray) -> ClassMap:
        """Explain one frame.

        Args:
            scaled: Input of the network, float32 `(height, width, channels)`, or `(height,
                width)` for one channel.

        Returns:
            The map, and where the network finds the class, both `(height, width)`.
        """
        if scaled.ndim == 2:
            scaled = scaled[..., None]
        height, width = scaled.shape[:2]
        bottom, right = -height % MULTIPLE, -width % MULTIPLE
        padded = np.pad(scaled, ((0, bottom), (0, right), (0, 0)), mode="symmetric")
        tiles = cut(padded.shape[0], padded.shape[1], self.pass_pixels)
        scores: np.ndarray | None = None
        activations, kept = [], []
        for tile in tiles:
            inside, of_classes, *beside = self._forward_of(padded, tile)
            activations.append(np.asarray(ops.convert_to_numpy(ops.cast(inside, "float32")))[0])
            kept.append(beside if len(tiles) <= KEPT_PARTS else None)
            here = np.asarray(ops.convert_to_numpy(ops.cast(of_classes, "float32")))[0]
            if scores is None:
                scores = np.empty((*padded.shape[:2], here.shape[-1]), np.float32)
            scores[tile.core] = here[tile.core_in_window()]
        assert scores is not None
        found = scores.argmax(axis=-1) == self.class_index
        in_frame = np.pad(np.ones((height, width), bool), ((0, bottom), (0, right)))
        found &= in_frame
        counted = found if found.any() else in_frame
        weights = np.zeros(activations[0].shape[-1], np.float32)
        for tile, inside, held in zip(tiles, activations, kept, strict=True):
            past = self._forward_of(padded, tile)[2:] if held is None else held
            weights += self._channel_weights(counted, tile, inside, past)
        coarse = _weighted(padded.shape[:2], tiles, activations, weights)
        size = padded.shape[1], padded.shape[0]
        enlarged = Image.fromarray(coarse).resize(size, Image.Resampling.BILINEAR)
        heat = np.asarray(enlarged)[:height, :width]
        return ClassMap(heat / (heat.max() or 1), found[:height, :width], scores[:height, :width])

    def probabilities(self, found: ClassMap) -> np.ndarray:
        """Compute the probabilities of the classes from the scores of a map.

        Args:
            found: Map of the frame, from `explain`.

        Returns:
            Probabilities, float32 `(height, width, classes)`.
        """
        if not self._has_softmax:
            return found.scores
        powers = np.exp(found.scores - found.scores.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True))

    def _forward_of(self, padded: np.ndarray, tile: Tile) -> list[Any]:
        """Compute the output of the layer, the class scores, and what goes past the layer."""
        return list(self._forward(padded[tile.window][None]))

    def _channel_weights(
        self, counted: np.ndarray, tile: Tile, inside: np.ndarray, beside: list[Any]
    ) -> np.ndarray:
        """Compute what the pixels of a tile add to the weight of each channel, `(channels,)`."""
        here: np.ndarray = np.zeros(counted[tile.window].shape, np.float32)
        here[tile.core_in_window()] = counted[tile.core]
        if not here.any():
            return np.zeros(inside.shape[-1], np.float32)
        stride = _stride(tile, inside)
        positions = counted.size / stride**2
        strides = [here.shape[0] // one.shape[1] for one in beside]
        # Cells that no counted pixel looks at have no gradient.
        rows, columns = _around(here, self._reach_of(stride, strides))
        mask = ops.convert_to_tensor(here[rows, columns])
        past = [
            one[:, _coarser(rows, side), _coarser(columns, side)]
            for one, side in zip(beside, strides, strict=True)
        ]
        near = inside[_coarser(rows, stride), _coarser(columns, stride)]
        return np.asarray(self._gradient(near[None], past, mask).sum(axis=(0, 1, 2)) / positions)

    def _gradient(self, values: np.ndarray, beside: list[Any], mask: Any) -> np.ndarray:
        """Differentiate the score of the class, summed over a mask, by the values of the layer."""

        def score(given: Any) -> Any:
            of_class = self._scores_from([given, *beside])[0, ..., self.class_index]
            return ops.sum(ops.cast(of_class, "float32") * mask)

        return gradient(score, values)

    def _reach_of(self, stride: int, strides: list[int]) -> int | None:
        """Find how many pixels away a score still depends on the layer; None for many.

        Random values in the layer tell: where they change the score of the middle of a small
        square. This is done once.
        """
        if stride not in self._reach:
            side = -(-_PROBE_CELLS * max(stride, *strides, 1) // MULTIPLE) * MULTIPLE
            rng = np.random.default_rng(0)
            values, *beside = (
                rng.uniform(0.5, 1.5, (1, side // of, side // of, width)).astype(np.float32)
                for of, width in zip((stride, *strides), self._widths, strict=True)
            )
            middle = np.zeros((side, side), np.float32)
            middle[side // 2, side // 2] = 1
            past = [ops.convert_to_tensor(one) for one in beside]
            found = self._gradient(values, past, ops.convert_to_tensor(middle))[0]
            touched = np.nonzero(np.abs(found).max(axis=-1))
            cells = len(found)
            far = max(
                (int(np.abs(one - cells // 2).max()) for one in touched if len(one)), default=0
            )
            # One cell more, in case a random value happened to change nothing.
            is_near = len(touched[0]) > 0 and far + 1 < cells // 2
            self._reach[stride] = (far + 2) * stride if is_near else None
        return self._reach[stride]


def _around(here: np.ndarray, reach: int | None) -> tuple[slice, slice]:
    """Find the rows and columns around a mask, on the grid of the poolings."""
    if reach is None:
        return slice(0, here.shape[0]), slice(0, here.shape[1])
    spans = []
    for axis, length in enumerate(here.shape):
        (places,) = np.nonzero(here.any(axis=1 - axis))
        first = max(int(places[0]) - reach, 0) // MULTIPLE * MULTIPLE
        last = min(-(-(int(places[-1]) + 1 + reach) // MULTIPLE) * MULTIPLE, length)
        spans.append(slice(first, last))
    return spans[0], spans[1]


def _coarser(side: slice, stride: int) -> slice:
    return slice(side.start // stride, side.stop // stride)


def _stride(tile: Tile, inside: np.ndarray) -> int:
    """Compute how many times coarser than the frame a layer is."""
    rows = tile.window[0]
    return int((rows.stop - rows.start) // inside.shape[0])


def _weighted(
    shape: tuple[int, ...], tiles: list[Tile], activations: list[np.ndarray], weights: np.ndarray
) -> np.ndarray:
    """Sum the channels with their weights, negative values 0, at the resolution of the layer."""
    stride = _stride(tiles[0], activations[0])
    coarse = np.zeros((shape[0] // stride, shape[1] // stride), np.float32)
    for tile, inside in zip(tiles, activations, strict=True):
        speaking = inside[tile.core_in_window(stride)] @ weights
        coarse[tile.core_in_frame(stride)] = np.maximum(speaking, 0)
    return coarse
