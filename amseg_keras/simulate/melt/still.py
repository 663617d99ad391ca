"""All that the beam meets in every frame of a melt-pool shot, and what of it can be seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amseg_keras.classes import CLASS_NAMES, IGNORE
from amseg_keras.simulate.absorption import Component, propagate
from amseg_keras.simulate.melt.pool import Void, fill, path_of
from amseg_keras.simulate.melt.stage import PowderLayer, Stage

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
        """Tell whether two voids that have become one can both be seen."""
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
    return Seen(
        frame=strength >= VISIBLE * stage.sigma,
        motion=void.moves and strength >= VISIBLE * moving_noise(stage),
    )


def moving_noise(stage: Stage) -> float:
    """Give the standard deviation of a frame's difference from a background, log intensity.

    It holds the noise of frame and background, and the ghosts of a texture that drifts.
    """
    texture = np.sqrt(max(stage.sigma**2 - stage.noise**2, 0.0))
    return float(np.hypot(1.05 * stage.noise, _GHOST * texture))


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


Window = tuple[slice, slice]


@dataclass(frozen=True)
class OldPore:
    """A pore that stands still: its window, its mask there, and whether it can be seen."""

    window: Window
    mask: np.ndarray
    seen: Seen


@dataclass(frozen=True)
class Still:
    """The static part of all frames, float32 `(height, width)` each, in um of the plate's alloy.

    Attributes:
        solid: Thickness of the plate before it melts.
        hollow: Path through old pores.
        crossed: Softened path of all that stands still.
        fringe: Its phase fringes.
        pores: The old pores.
    """

    solid: np.ndarray
    hollow: np.ndarray
    crossed: np.ndarray
    fringe: np.ndarray
    pores: tuple[OldPore, ...]

    def label(self, maps: LabelSet, body: np.ndarray) -> None:
        """Label the old pores within the solid."""
        for pore in self.pores:
            maps.paint(pore.window, pore.mask & body[pore.window], PORE, pore.seen)

    def join(self, maps: LabelSet, keyhole: np.ndarray, body: np.ndarray, opened: Seen) -> None:
        """Make the old pores that a keyhole has reached part of it."""
        for pore in self.pores:
            reached = keyhole[pore.window]
            if (reached & pore.mask).any():
                rest = pore.mask & body[pore.window] & ~reached
                maps.paint(pore.window, rest, KEYHOLE, pore.seen.together(opened))


def draw_still(stage: Stage, pores: Sequence[Void]) -> Still:
    """Put together what stands still.

    Args:
        stage: Plate, powder, texture and marks.
        pores: Pores of earlier tracks.
    """
    everywhere = (slice(0, stage.view.shape[0]), slice(0, stage.view.shape[1]))
    solid = solid_um(stage, stage.surface, 1.0, everywhere)
    hollow: np.ndarray = np.zeros(stage.view.shape, np.float32)
    found = []
    for pore in pores:
        window, mask = fill(pore.outline, stage.view.shape)
        if not mask.any():
            continue
        hollow[window] = np.maximum(hollow[window], path_of(pore, mask))
        found.append(OldPore(window, mask, visibility(stage, pore, mask)))
    hollow = np.minimum(hollow, solid)
    plate, void = stage.plate_fringe, stage.void_fringe
    layers = [
        propagate(Component(solid, plate.softening, plate.strength)),
        propagate(Component(-hollow, void.softening, void.strength)),
        stage.faces,
    ]
    if stage.marks is not None:
        layers.append(stage.marks)
    if stage.band is not None:
        layers.append(propagate(Component(-stage.band.path, void.softening, void.strength)))
    if stage.powder is not None:
        fringe = stage.powder.fringe
        layer = powder_um(stage, stage.powder, stage.surface, everywhere)
        layers.append(propagate(Component(layer, fringe.softening, fringe.strength)))
    return Still(
        solid,
        hollow,
        np.asarray(np.sum([layer.crossed for layer in layers], axis=0), np.float32),
        np.asarray(np.sum([layer.fringe for layer in layers], axis=0), np.float32),
        tuple(found),
    )


def solid_um(stage: Stage, melted: np.ndarray, fill_share: float, window: Window) -> np.ndarray:
    """Thickness of the plate and of raised melt in a window, um.

    Args:
        stage: What stands still.
        melted: Row of the surface at each column of the frame.
        fill_share: Share of the plate's thickness that raised melt has.
        window: Rows and columns.
    """
    rows = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None]
    columns = window[1]
    line = melted[columns]
    lower = np.maximum(line, stage.surface[columns])
    solid = np.clip(rows - lower + 0.5, 0, 1)
    raised = np.clip(rows - line + 0.5, 0, 1) - solid
    plate_um = np.float32(stage.beam.plate_um)
    thickness = plate_um * stage.plate.thickness[window] * (solid + np.float32(fill_share) * raised)
    if stage.lip:
        edge = np.exp(-(((rows - lower - 1) / 1.3) ** 2)) * (rows >= lower - 0.5)
        thickness += np.float32(stage.lip) * plate_um * edge
    return np.asarray(thickness, np.float32)


def powder_um(stage: Stage, powder: PowderLayer, bottom: np.ndarray, window: Window) -> np.ndarray:
    """Thickness of powder in a window, um: grains with centres between the layer's top and a line.

    Args:
        stage: What stands still.
        powder: The layer.
        bottom: Row of the line at each column of the frame.
        window: Rows and columns.
    """
    top = powder.top
    shape = stage.view.shape
    reach = int(60 / stage.view.pixel_um)
    first = max(int(top.min()) - reach, window[0].start)
    last = max(min(int(bottom.max()) + reach, window[0].stop), first)
    band = (slice(first, last), window[1])
    columns = np.arange(window[1].start, window[1].stop)
    rows = np.arange(first, last, dtype=np.float32)[:, None]
    layer: np.ndarray = np.zeros((last - first, len(columns)), np.float32)
    for sheet in powder.sheets:
        centre = rows + sheet.centre_below[band]
        # The line at the grain's own centre decides, or grains would be cut by columns.
        at = np.clip(columns + sheet.centre_right[band], 0, shape[1] - 1)
        layer += sheet.thickness[band] * ((centre > top[at]) & (centre < bottom[at]))
    whole: np.ndarray = np.zeros(
        (window[0].stop - window[0].start, window[1].stop - window[1].start), np.float32
    )
    whole[first - window[0].start : last - window[0].start] = np.float32(powder.gain) * layer
    return whole
