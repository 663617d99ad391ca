"""What the beam meets in every frame of a melt-pool shot, propagated once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from amseg_keras.simulate.physics.radiograph import Component, propagate
from amseg_keras.simulate.scenes.melt.labels import KEYHOLE, PORE, LabelSet, Seen, visibility
from amseg_keras.simulate.scenes.melt.powder import PowderLayer
from amseg_keras.simulate.scenes.melt.stage import Stage
from amseg_keras.simulate.scenes.melt.voids import Void, fill, path_of

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
