"""A network that wants multiples of 16 and fits a memory, applied to frames of any size."""

from __future__ import annotations

import functools
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from amseg_keras.models.ends import MULTIPLE

TILE_PIXELS = 5 << 18
"""Frames of more pixels than this, 1.3 million, are cut into tiles of at most as many."""

WIDEST = 48
"""Channels of AM-SegNet at the resolution of the frame, for which this is chosen."""

LARGEST_TILE = 6 << 20
"""Pixels of a tile for the smallest networks: the larger, the less is computed twice."""

MARGIN = 112
"""Pixels at a tile's inner edge that are thrown away: all networks here look 107 pixels far."""

OVERLAP = 256
"""Pixels that neighbouring tiles share; between the margins they are blended."""

OnTile = Callable[[int, int], None]
"""Called with the number of tiles that are done, and of all."""

Predict = Callable[[np.ndarray], np.ndarray]
"""From `(batch, height, width, channels)`, sides multiples of 16, to
`(batch, height, width, classes)`."""


def predict_any_size(
    predict: Predict, frames: np.ndarray, tile_pixels: int = TILE_PIXELS
) -> np.ndarray:
    """Compute probabilities of frames of any size.

    Frames are padded at the bottom and right by their mirror image and the result is cropped
    back. Larger ones are cut into overlapping tiles, one at a time in memory, on the grid of the
    poolings; since the networks see no farther than the margin, the tiled result is that of the
    whole frame.

    Args:
        frames: inputs of the network, float32 `(batch, height, width, channels)`, or
            `(batch, height, width)` for one channel.
        tile_pixels: most pixels given to the network at once, at least 320 x 320.

    Returns:
        float32 `(batch, height, width, classes)`.
    """
    height, width = frames.shape[1:3]
    padded = padded_frames(frames)
    tile = tile_shape(*padded.shape[1:3], tile_pixels)
    if tile == padded.shape[1:3]:
        probabilities = predict(padded)
    else:
        probabilities = np.concatenate([_tiled(predict, frame[None], tile) for frame in padded])
    return probabilities[:, :height, :width]


def label_any_size(
    label: Predict,
    frames: np.ndarray,
    tile_pixels: int = TILE_PIXELS,
    on_tile: OnTile = lambda done, tiles: None,
) -> np.ndarray:
    """Compute class ids of frames of any size.

    Larger frames are cut into overlapping tiles, one at a time in memory. A pixel takes the label
    of the tile whose edges are farthest from it. As the networks see no farther than the margin,
    that is the label of the whole frame.

    Args:
        label: function that runs the network up to class ids, `(batch, height, width)`.
        frames: inputs, as for `predict_any_size`.
        on_tile: function of the number of tiles that are done, and of all tiles.

    Returns:
        uint8 `(batch, height, width)`.
    """
    if frames.ndim == 3:
        frames = frames[..., None]
    height, width = frames.shape[1:3]
    whole = height + -height % MULTIPLE, width + -width % MULTIPLE
    tile = tile_shape(*whole, tile_pixels)
    if tile == whole:
        return label(padded_frames(frames))[:, :height, :width]
    parts = [
        (number, rows, columns)
        for number in range(len(frames))
        for rows in _cores(height, whole[0], tile[0])
        for columns in _cores(width, whole[1], tile[1])
    ]
    labels = np.empty(frames.shape[:3], np.uint8)
    for done, (number, (top, rows), (left, columns)) in enumerate(parts, start=1):
        window = frames[number, None, top : top + tile[0], left : left + tile[1]]
        found = label(padded_frames(window))[0]
        inner_rows = slice(rows.start - top, rows.stop - top)
        inner_columns = slice(columns.start - left, columns.stop - left)
        labels[number, rows, columns] = found[inner_rows, inner_columns]
        on_tile(done, len(parts))
    return labels


def padded_frames(frames: np.ndarray) -> np.ndarray:
    """Mirror rows and columns at the end, up to sides that are multiples of 16.

    Args:
        frames: `(batch, height, width, channels)`, or `(batch, height, width)` for one channel.

    Example:
        >>> padded_frames(np.zeros((2, 30, 64))).shape
        (2, 32, 64, 1)
    """
    if frames.ndim == 3:
        frames = frames[..., None]
    bottom, right = (-side % MULTIPLE for side in frames.shape[1:3])
    if not bottom and not right:
        return frames
    return np.pad(frames, ((0, 0), (0, bottom), (0, right), (0, 0)), mode="symmetric")


@functools.cache
def tile_shape(height: int, width: int, tile_pixels: int = TILE_PIXELS) -> tuple[int, int]:
    """Return height and width of the tiles that cover a frame with the fewest pixels.

    Args:
        height: height of the frame, a multiple of 16.
        tile_pixels: most pixels of a tile.

    Example:
        >>> tile_shape(400, 1024), tile_shape(2160, 1568)
        ((400, 1024), (1216, 912))
    """
    grids = [
        (rows * columns * _side(height, rows) * _side(width, columns), rows, columns)
        for rows in range(1, height // MULTIPLE + 1)
        for columns in range(1, width // MULTIPLE + 1)
        if _side(height, rows) * _side(width, columns) <= tile_pixels
    ]
    _, rows, columns = min(grids)
    return _side(height, rows), _side(width, columns)


def _side(length: int, tiles: int) -> int:
    """Return the side of tiles that cover a length with overlap, a multiple of 16."""
    if tiles == 1:
        return length
    return -(-(length + (tiles - 1) * OVERLAP) // (tiles * MULTIPLE)) * MULTIPLE


def _tiled(predict: Predict, frame: np.ndarray, tile: tuple[int, int]) -> np.ndarray:
    rows = _spans(frame.shape[1], tile[0])
    columns = _spans(frame.shape[2], tile[1])
    total: np.ndarray | None = None
    weights = np.zeros((1, *frame.shape[1:3], 1), np.float32)
    for top, row_weight in rows:
        for left, column_weight in columns:
            here = (
                slice(None),
                slice(top, top + len(row_weight)),
                slice(left, left + len(column_weight)),
            )
            probabilities = predict(frame[here])
            if total is None:
                total = np.zeros((1, *frame.shape[1:3], probabilities.shape[-1]), np.float32)
            weight = (row_weight[:, None] * column_weight)[None, :, :, None]
            total[here] += probabilities * weight
            weights[here] += weight
    assert total is not None
    return total / weights


def tile_pixels_for(width: float) -> int:
    """Return the pixels of a tile for which a network needs as much memory as AM-SegNet.

    Args:
        width: channels of its widest tensor, for each pixel of the frame.

    Example:
        >>> tile_pixels_for(48) == TILE_PIXELS, tile_pixels_for(5) == LARGEST_TILE
        (True, True)
    """
    return int(min(max(TILE_PIXELS * WIDEST / width, TILE_PIXELS), LARGEST_TILE))


def _cores(length: int, padded: int, tile: int) -> list[tuple[int, slice]]:
    """Start of each tile along an axis, and the part of the axis that is taken from it."""
    starts = _starts(padded, tile)
    # Between two tiles, in the middle of what they share.
    cuts = [(start + tile + after) // 2 for start, after in pairwise(starts)]
    ends = zip([0, *cuts], [*cuts, length], strict=True)
    return [(start, slice(*span)) for start, span in zip(starts, ends, strict=True)]


def _starts(length: int, tile: int) -> list[int]:
    last = length - tile
    return [*range(0, last, tile - OVERLAP), last] if last > 0 else [0]


def _spans(length: int, tile: int) -> list[tuple[int, np.ndarray]]:
    """Start of each tile along an axis, and the weight of each of its pixels."""
    if length <= tile:
        return [(0, np.ones(length, np.float32))]
    last, starts = length - tile, _starts(length, tile)
    rise = np.clip((np.arange(tile) - MARGIN + 0.5) / (OVERLAP - 2 * MARGIN), 0, 1)
    spans = []
    for start in starts:
        weight = np.ones(tile)
        if start > 0:
            weight = np.minimum(weight, rise)
        if start < last:
            weight = np.minimum(weight, rise[::-1])
        spans.append((start, weight.astype(np.float32)))
    return spans
