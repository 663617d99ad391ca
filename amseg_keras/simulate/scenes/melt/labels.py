"""Class ids of melt-pool frames, and what is too faint to have one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from amseg_keras.classes import CLASS_NAMES, IGNORE
from amseg_keras.simulate.scenes.melt.stage import Stage
from amseg_keras.simulate.scenes.melt.voids import Void, path_of

BACKGROUND, POWDER, SUBSTRATE, KEYHOLE, PORE = range(len(CLASS_NAMES))

THINNEST_LAYER = 4
"""Rows below which a powder layer cannot be told from the plate's edge."""

VISIBLE = 3.0
"""Matched-filter signal-to-noise below which a void cannot be seen and is labelled ignore."""

_CORRELATION_AREA = 8.0
"""Pixels of texture that count as one independent sample."""

_GHOST = 0.17
"""Share of the texture that drift leaves in a divided frame: the median over recordings of
`draw_recording`, measured against 18 background frames."""

__all__ = [
    "BACKGROUND",
    "IGNORE",
    "KEYHOLE",
    "PORE",
    "POWDER",
    "SUBSTRATE",
    "LabelSet",
    "Seen",
    "label_layers",
    "visibility",
]


@dataclass(frozen=True)
class Seen:
    """Whether a void can be seen.

    Attributes:
        frame: In a single frame.
        motion: In its difference from a background.
    """

    frame: bool
    motion: bool

    def together(self, other: Seen) -> Seen:
        """Whether two voids that have become one can both be seen."""
        return Seen(self.frame and other.frame, self.motion and other.motion)


@dataclass(frozen=True)
class LabelSet:
    """Class ids in the making, as in `shot.LabelMaps`; changed in place."""

    frame: np.ndarray
    motion: np.ndarray
    divided: np.ndarray

    @property
    def every(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """All three maps."""
        return self.frame, self.motion, self.divided

    def paint(self, window: tuple[slice, slice], mask: np.ndarray, label: int, seen: Seen) -> None:
        """Label a void where it can be seen, and ignore it where it cannot.

        Args:
            window: Where it is.
            mask: Its pixels in that window, bool.
            label: Class id.
            seen: How it can be seen.
        """
        self.frame[window][mask] = label if seen.frame else IGNORE
        self.motion[window][mask] = label if seen.frame or seen.motion else IGNORE
        self.divided[window][mask] = label if seen.motion else IGNORE


def visibility(stage: Stage, void: Void, mask: np.ndarray) -> Seen:
    """Say whether a void can be seen: a matched filter must find it.

    In a single frame its contrast stands against texture and noise; in a divided one against the
    noise of frame and background, and against the ghosts of a texture that drifts.

    Args:
        stage: Texture and noise.
        void: The void.
        mask: Its pixels in the solid, bool.
    """
    if not mask.any():
        return Seen(False, False)
    signal = np.float32(stage.beam.slope) * path_of(void, mask) * mask
    strength = float(np.sqrt(float((signal * signal).sum()) / _CORRELATION_AREA))
    texture = np.sqrt(max(stage.sigma**2 - stage.noise**2, 0.0))
    moving = np.hypot(1.05 * stage.noise, _GHOST * texture)
    return Seen(
        frame=strength >= VISIBLE * stage.sigma,
        motion=void.moves and strength >= VISIBLE * float(moving),
    )


def label_layers(
    stage: Stage, fill_share: float, top: np.ndarray, melted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Label background, powder and substrate; ignore what nobody could tell apart.

    Args:
        stage: What stands still.
        fill_share: Share of the plate's thickness that raised melt has.
        top: Row of the top of the powder at each column.
        melted: Row of the surface with bead and hump.

    Returns:
        Class ids, uint8, and where voids can be, bool, both `(height, width)`.
    """
    rows = np.arange(stage.view.shape[0], dtype=np.float32)[:, None]
    lower = np.maximum(melted, stage.surface)
    labels: np.ndarray = np.zeros(stage.view.shape, np.uint8)
    solid = rows >= lower
    labels[solid] = SUBSTRATE
    first = int(np.clip(min(top.min(), melted.min()) - 1, 0, len(rows)))
    last = int(np.clip(lower.max() + 1, first, len(rows)))
    band, rows = labels[first:last], rows[first:last]
    bulge = (rows >= melted) & (rows < stage.surface)
    # A faint bulge is neither plate nor gas, a strong one in powder neither plate nor powder.
    if stage.powder is None:
        band[bulge] = SUBSTRATE if fill_share > 0.35 else IGNORE
        return labels, labels == SUBSTRATE
    in_layer = (rows >= top) & (rows < lower[None])
    band[in_layer] = POWDER
    band[in_layer & (stage.surface - top < THINNEST_LAYER)] = IGNORE
    band[bulge & (rows < top)] = IGNORE
    band[bulge & in_layer] = POWDER if fill_share < 0.5 else IGNORE
    return labels, solid
