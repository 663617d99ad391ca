"""Where the keyhole is in every frame, as far as pores beside it are concerned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True, eq=False)
class KeyholePlaces:
    """The keyhole of each readable frame as a thick line from its aperture to its tip.

    NaN in frames without a keyhole. Columns and rows are those of the frame, in pixels.

    Attributes:
        top: Middle of the aperture (column, row), float `(readable frames, 2)`.
        tip: Deepest point, of the same shape.
        half_width: Half the keyhole's width, float `(readable frames,)`.
    """

    top: np.ndarray
    tip: np.ndarray
    half_width: np.ndarray

    @classmethod
    def of(cls, frames: pd.DataFrame, width: int) -> KeyholePlaces:
        """From the table of frames, for frames of a width."""

        def column(name: str) -> np.ndarray:
            return np.asarray(frames[name].to_numpy(np.float64))

        tip = np.column_stack((column("keyhole_tip_x_px"), column("keyhole_tip_y_px")))
        x = column("keyhole_x_px")
        surface = column("surface_y_px") + column("surface_slope") * (x - (width - 1) / 2)
        top = np.column_stack((x, surface))
        # Without a plate there is no line to begin at: the tip alone has to do.
        top = np.where(np.isfinite(top).all(axis=1, keepdims=True), top, tip)
        return cls(top, tip, column("keyhole_width_px") / 2)

    def gap(self, row: int, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Distance of points from the keyhole of one frame in pixels, below 0 inside.

        Args:
            row: Which of the readable frames.
            x: Columns of the points, of any shape.
            y: Their rows, of the same shape.

        Returns:
            float64 of that shape; infinite where there is no keyhole.

        Example:
            >>> place = KeyholePlaces(
            ...     np.array([[10.0, 5.0]]), np.array([[10.0, 25.0]]), np.array([4.0])
            ... )
            >>> place.gap(0, np.array([10.0, 20.0, 10.0]), np.array([15.0, 15.0, 30.0]))
            array([-4.,  6.,  1.])
        """
        return _gap(self.top[row], self.tip[row], self.half_width[row], x, y)

    def gaps(self, x: float, y: float) -> np.ndarray:
        """Distance of one point from the keyhole of every frame in pixels, below 0 inside.

        Args:
            x: Column of the point.
            y: Its row.

        Returns:
            float64 `(readable frames,)`; infinite where there is no keyhole.
        """
        return _gap(self.top.T, self.tip.T, self.half_width, np.array(x), np.array(y))


def _gap(
    top: np.ndarray,
    tip: np.ndarray,
    half_width: np.ndarray | float,
    x: np.ndarray,
    y: np.ndarray,
) -> np.ndarray:
    (left, upper), (right, lower) = top, tip
    along, down = right - left, lower - upper
    squared = along**2 + down**2
    share = ((x - left) * along + (y - upper) * down) / np.where(squared == 0, 1, squared)
    share = np.clip(share, 0, 1)
    gap = np.hypot(x - left - share * along, y - upper - share * down) - half_width
    return np.where(np.isnan(gap), np.inf, gap)
