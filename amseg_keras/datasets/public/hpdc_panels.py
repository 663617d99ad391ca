"""Where the three panels of the authors' video are, and what lies under their legends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from amseg_keras.read import ReadError

FRAME_SHAPE = (256, 512)
"""Of the frames that were scaled up for the video."""

_WHITE = 250  # of 255: the page, with the noise of the compression
_BLACK = 60  # no overlay is so dark in all three colours, only the legend's lines and letters
_LEAST_HEIGHT = 100
_MARGIN = 3  # px of the video that the legend's outline is blurred over


@dataclass(frozen=True)
class Panel:
    """A part of the picture that shows one frame.

    Attributes:
        top, bottom, left, right: Its edges in pixels of the picture, with their fractions.
        legend: Frame pixels that a legend hides, bool `(256, 512)`.
    """

    top: float
    bottom: float
    left: float
    right: float
    legend: np.ndarray

    def resample(self, picture: np.ndarray, mix: np.ndarray) -> np.ndarray:
        """Bring the panel of a picture back to the size of its frame, by area.

        Args:
            picture: The whole picture, `(height, width, channels)`.
            mix: How much of each channel to add up, float32 `(channels,)`.

        Returns:
            float32 `(256, 512)`.
        """
        first_row, rows = area_weights(self.top, self.bottom, FRAME_SHAPE[0])
        first_column, columns = area_weights(self.left, self.right, FRAME_SHAPE[1])
        part = picture[
            first_row : first_row + rows.shape[1], first_column : first_column + columns.shape[1]
        ]
        return rows @ (part.astype(np.float32) @ mix) @ columns.T


@lru_cache(maxsize=16)
def area_weights(start: float, stop: float, parts: int) -> tuple[int, np.ndarray]:
    """Weights that average the pixels of an interval into equal parts, edges by their share.

    Returns:
        The first pixel, and float32 `(parts, pixels)`, read-only, whose rows add up to 1.

    Example:
        >>> area_weights(0.5, 2.5, 2)
        (0, array([[0.5, 0.5, 0. ], [0. , 0.5, 0.5]], dtype=float32))
    """
    first, last = int(np.floor(start)), int(np.ceil(stop))
    edges = np.linspace(start, stop, parts + 1)
    pixels = np.arange(first, last)
    lower = np.maximum(edges[:-1, None], pixels)
    upper = np.minimum(edges[1:, None], pixels + 1)
    weights = np.clip(upper - lower, 0, None) * (parts / (stop - start))
    weights = weights.astype(np.float32)
    weights.flags.writeable = False
    return first, weights


def find_panels(picture: np.ndarray, where: str) -> tuple[Panel, Panel, Panel]:
    """Find the raw frame, the labels and the prediction, which stand on white in this order.

    Args:
        picture: First picture of the video, uint8 RGB `(height, width, 3)`.
        where: Start of the error's message.

    Raises:
        ReadError: There are not three panels of one size and twice as wide as high.
    """
    page = picture.min(axis=-1).astype(np.float32)
    inked = page < _WHITE
    rows = [run for run in _runs(inked.mean(axis=1) > 0.5) if run[1] - run[0] >= _LEAST_HEIGHT]
    panels = []
    for top, bottom in rows:
        columns = _runs(inked[top:bottom].mean(axis=0) > 0.5)
        left, right = max(columns, key=lambda run: run[1] - run[0])
        vertical = _edges(page[:, left + 3 : right - 3].mean(axis=1), top, bottom)
        horizontal = _edges(page[top + 3 : bottom - 3].mean(axis=0), left, right)
        panels.append(Panel(*vertical, *horizontal, np.zeros(FRAME_SHAPE, bool)))
    if len(panels) != 3 or not _alike(panels):
        raise ReadError(
            f"{where}: does not show three frames one below the other on white, as the authors' "
            "Supplementary Video S2 does; give that video"
        )
    raw, labels, prediction = panels
    return raw, _with_legend(labels, picture), _with_legend(prediction, picture)


def _with_legend(panel: Panel, picture: np.ndarray) -> Panel:
    dark = picture.max(axis=-1) < _BLACK
    # The outermost pixels are half white page, half frame.
    top, bottom = int(panel.top) + 2, int(panel.bottom) - 2
    left, right = int(panel.left) + 2, int(panel.right) - 2
    rows, columns = np.nonzero(dark[top:bottom, left:right])
    hidden = np.zeros((*dark.shape, 1), np.float32)
    if len(rows):
        hidden[
            max(top + rows.min() - _MARGIN, 0) : top + rows.max() + 1 + _MARGIN,
            max(left + columns.min() - _MARGIN, 0) : left + columns.max() + 1 + _MARGIN,
        ] = 1
    return replace(panel, legend=panel.resample(hidden, np.ones(1, np.float32)) > 0)


def _alike(panels: list[Panel]) -> bool:
    heights = [panel.bottom - panel.top for panel in panels]
    widths = [panel.right - panel.left for panel in panels]
    return (
        max(heights) - min(heights) <= 2
        and max(widths) - min(widths) <= 2
        and abs(widths[0] / heights[0] / 2 - 1) < 0.02
    )


def _edges(profile: np.ndarray, start: int, stop: int) -> tuple[float, float]:
    """Edges of a dark run on white to a fraction of a pixel, from how grey its ends are."""
    inside_start, inside_stop = start + 2, stop - 2
    before = _share(profile[max(start - 2, 0) : inside_start], profile[inside_start])
    after = _share(profile[inside_stop : stop + 2], profile[inside_stop - 1])
    return inside_start - before, inside_stop + after


def _share(ends: np.ndarray, inside: float) -> float:
    return float(np.clip((255 - ends) / (255 - inside), 0, 1).sum())


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    changes = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    return [(int(start), int(stop)) for start, stop in changes.reshape(-1, 2)]
