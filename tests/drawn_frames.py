"""Label maps drawn from shapes of known geometry: a plate, tilted or not, and what is in it."""

import numpy as np
from skimage.measure import points_in_poly

from amseg_keras.classes import CLASS_NAMES

NAMES = CLASS_NAMES
GAS, POWDER, PLATE, KEYHOLE, PORE = range(len(NAMES))


class Drawing:
    """A plate under gas, to draw in; places are `u` along its surface and `v` below it.

    Args:
        shape: Height and width in pixels.
        tilt_deg: By how much the surface falls to the right.
        row: Where the surface is in the middle of the frame, at u = 0.
    """

    def __init__(self, shape=(160, 240), tilt_deg=0.0, row=49.5):
        y, x = np.mgrid[: shape[0], : shape[1]]
        self.origin = ((shape[1] - 1) / 2, row)
        self.cosine, self.sine = np.cos(np.deg2rad(tilt_deg)), np.sin(np.deg2rad(tilt_deg))
        x, y = x - self.origin[0], y - row
        self.u = x * self.cosine + y * self.sine
        self.v = y * self.cosine - x * self.sine
        self.labels = np.where(self.v > 0, PLATE, GAS).astype(np.uint8)

    def at(self, u, v):
        """Column and row of a place."""
        return (
            self.origin[0] + u * self.cosine - v * self.sine,
            self.origin[1] + u * self.sine + v * self.cosine,
        )

    def polygon(self, points, label=KEYHOLE):
        """Draw a polygon with corners (u, v) into the plate."""
        inside = points_in_poly(np.column_stack((self.u.ravel(), self.v.ravel())), points)
        self.labels[inside.reshape(self.u.shape) & (self.v > 0)] = label
        return self

    def disc(self, u, v, radius, label=PORE):
        """Draw a disc."""
        self.labels[np.hypot(self.u - u, self.v - v) < radius] = label
        return self


def polygon_area(points):
    """Area of a polygon, by the shoelace formula."""
    u, v = np.array(points, float).T
    return abs(np.sum(u * np.roll(v, -1) - v * np.roll(u, -1))) / 2


def is_close(found, wanted):
    """Whether a length is right within a pixel or 2 %, whichever is more."""
    return abs(found - wanted) <= max(1.0, 0.02 * abs(wanted))
