"""The highest value around each pixel."""

from __future__ import annotations

from typing import Any

from keras import ops


def highest_near(values: Any, rows: int, columns: int) -> Any:
    """Give each pixel the highest value within so many rows and columns of it.

    As max pooling does, but by shifted copies: Keras' max pooling takes 2 to 30 times as long on
    a CPU, for such small windows.

    Args:
        values: None below 0, `(batch, height, width)`.
        rows: Distance in rows.
        columns: Distance in columns.

    Example:
        >>> import numpy as np
        >>> values = np.array([[[0, 3, 0, 0, 5]]], "float32")
        >>> print(np.asarray(highest_near(values, rows=0, columns=1)))
        [[[3. 3. 3. 5. 5.]]]
    """
    highest = values
    for axis, reach in ((1, rows), (2, columns)):
        around = [(0, 0)] * 3
        around[axis] = (reach, reach)
        padded = ops.pad(highest, around)
        size = ops.shape(values)[axis]
        for start in range(2 * reach + 1):
            window = slice(start, start + size)
            shifted = padded[:, window] if axis == 1 else padded[:, :, window]
            highest = ops.maximum(highest, shifted)
    return highest
