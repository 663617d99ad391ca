"""Cut large frames into tiles. The inner parts of the tiles cover each pixel of the frame once."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from amseg_keras.models.ends import MULTIPLE
from amseg_keras.segment.tiling import OVERLAP, tile_shape

Area = tuple[slice, slice]
"""Rows and columns."""


@dataclass(frozen=True)
class Tile:
    """A part of a frame that goes through the network at once.

    Attributes:
        window: Rows and columns of the frame.
        core: Rows and columns of the frame for which this tile alone counts. The core is so far
            from the inner edges of the window that nothing beyond them matters.
    """

    window: Area
    core: Area

    def core_in_window(self, stride: int = 1) -> Area:
        """Give the core in the window, in a layer that is `stride` times coarser."""
        (rows, columns), (top, left) = self.core, (side.start for side in self.window)
        return _coarser(rows, top, stride), _coarser(columns, left, stride)

    def core_in_frame(self, stride: int = 1) -> Area:
        """Give the core in the frame, in a layer that is `stride` times coarser."""
        return _coarser(self.core[0], 0, stride), _coarser(self.core[1], 0, stride)


def cut(height: int, width: int, tile_pixels: int) -> list[Tile]:
    """Cut a frame into tiles; a small frame is one tile.

    Args:
        height: Height of the frame in pixels, a multiple of 16.
        width: Width of the frame in pixels, a multiple of 16.
        tile_pixels: Largest number of pixels of a tile, at least 320 x 320.

    Example:
        >>> [tile.window[1] for tile in cut(256, 512, 1 << 17)]
        [slice(0, 512, None)]
        >>> [(tile.window[1], tile.core[1]) for tile in cut(256, 768, 1 << 17)]
        [(slice(0, 512, None), slice(0, 384, None)), (slice(256, 768, None), slice(384, 768, None))]
    """
    tile = tile_shape(height, width, tile_pixels)
    return [
        Tile((row_window, column_window), (row_core, column_core))
        for row_window, row_core in _spans(height, tile[0])
        for column_window, column_core in _spans(width, tile[1])
    ]


def _spans(length: int, tile: int) -> list[tuple[slice, slice]]:
    """Give window and core of each tile along an axis, on the grid of the poolings."""
    last = length - tile
    starts = [*range(0, last, tile - OVERLAP), last] if last else [0]
    borders = [
        (start + tile + after) // 2 // MULTIPLE * MULTIPLE
        for start, after in itertools.pairwise(starts)
    ]
    return [
        (slice(start, start + tile), slice(first, end))
        for start, first, end in zip(starts, [0, *borders], [*borders, length], strict=True)
    ]


def _coarser(side: slice, origin: int, stride: int) -> slice:
    return slice((side.start - origin) // stride, (side.stop - origin) // stride)
