"""Label maps of a recording that can be corrected, with undo in every frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from amseg_keras.classes import IGNORE
from amseg_keras.corrections.shapes import Point, class_around, piece, region
from amseg_keras.read import Frames

MOST_STEPS = 100
"""Steps that can be undone in a frame; older ones are forgotten."""


@dataclass(frozen=True)
class _Step:
    """Pixels that a step changed, by their flat position, with their classes before and after."""

    where: np.ndarray
    before: np.ndarray
    after: np.ndarray


class LabelStack:
    """Label maps of a recording that can be corrected.

    The label maps that it was made from are never written to: only frames that were corrected are
    kept in memory. One stack is for one thread at a time.

    Args:
        labels: Class ids, uint8 `(frames, height, width)`: an array, or a stack that is read frame
            by frame.
        class_names: Name of each class id.

    Attributes:
        class_names: Name of each class id.
        revision: Number of changes so far, undone ones included: what was computed at another
            revision is stale.

    Raises:
        ValueError: The label maps have no three dimensions, or there are no class names.

    Example:
        >>> from amseg_keras.corrections import LabelStack, brush
        >>> stack = LabelStack(np.zeros((3, 40, 60), np.uint8), ("plate", "pore"))
        >>> stack.paint(1, brush((40, 60), [(20, 30)], radius=3), "pore")
        True
        >>> stack.corrected, int(stack[1].sum())
        ((1,), 29)
        >>> stack.undo(1), stack.corrected
        (True, ())
    """

    def __init__(self, labels: Frames, class_names: Sequence[str]) -> None:
        if len(labels.shape) != 3 or not class_names:
            raise ValueError(
                f"label maps of shape {tuple(labels.shape)} with {len(class_names)} class names: "
                "give (frames, height, width), and a name for each class id"
            )
        self.class_names = tuple(class_names)
        self.revision = 0
        self._found = labels
        self._mended: dict[int, np.ndarray] = {}
        self._done: dict[int, list[_Step]] = {}
        self._undone: dict[int, list[_Step]] = {}

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, height and width."""
        frames, height, width = self._found.shape
        return frames, height, width

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, frame: int) -> np.ndarray:
        """Give the label map of a frame as it is corrected, uint8; it must not be written to."""
        self._check(frame)
        if frame in self._mended:
            labels = self._mended[frame].view()
        else:
            labels = np.asarray(self._found[frame], np.uint8).view()
        labels.flags.writeable = False
        return labels

    def found(self, frame: int) -> np.ndarray:
        """Give the label map of a frame as it was before all corrections.

        Args:
            frame: Number of the frame, from 0.
        """
        self._check(frame)
        return np.asarray(self._found[frame], np.uint8)

    @property
    def corrected(self) -> tuple[int, ...]:
        """Frames whose label maps differ from those that were found, in order."""
        return tuple(sorted(self._mended))

    def class_id(self, name: str | int) -> int:
        """Give the id of a class.

        Args:
            name: Name or id of the class; 255, "ignore", is allowed.

        Raises:
            ValueError: There is no such class.

        Example:
            >>> LabelStack(np.zeros((1, 4, 4), np.uint8), ("plate", "pore")).class_id("pore")
            1
        """
        if isinstance(name, str) and name in self.class_names:
            return self.class_names.index(name)
        if isinstance(name, int | np.integer) and (
            0 <= name < len(self.class_names) or name == IGNORE
        ):
            return int(name)
        raise ValueError(f"no class is called {name!r}; there are {', '.join(self.class_names)}")

    def paint(self, frame: int, mask: np.ndarray, name: str | int) -> bool:
        """Give the pixels of a mask a class.

        Args:
            frame: Number of the frame, from 0.
            mask: Pixels to paint, bool `(height, width)`; see `amseg_keras.corrections.shapes`.
            name: Name or id of the class.

        Returns:
            Whether any pixel changed.

        Raises:
            ValueError: There is no such class, or the mask has another shape than the frames.
        """
        if mask.shape != self.shape[1:]:
            raise ValueError(f"the mask is {mask.shape}, and the frames are {self.shape[1:]}")
        painted = self[frame].copy()
        painted[mask] = self.class_id(name)
        return self.replace(frame, painted)

    def erase(self, frame: int, mask: np.ndarray, name: str | int) -> bool:
        """Take a class away from the pixels of a mask: they get the nearest other class.

        Args:
            frame: Number of the frame, from 0.
            mask: Pixels to erase, bool `(height, width)`; other classes stay.
            name: Name or id of the class to take away.

        Returns:
            Whether any pixel changed.

        Raises:
            ValueError: There is no such class, or the mask has another shape than the frames.

        Example:
            >>> labels = np.zeros((1, 20, 20), np.uint8)
            >>> labels[0, 5:9, 5:9] = 1
            >>> stack = LabelStack(labels, ("plate", "pore"))
            >>> stack.erase(0, np.ones((20, 20), bool), "pore"), int(stack[0].sum())
            (True, 0)
        """
        if mask.shape != self.shape[1:]:
            raise ValueError(f"the mask is {mask.shape}, and the frames are {self.shape[1:]}")
        number, labels = self.class_id(name), self[frame].copy()
        lost = mask & (labels == number)
        if not lost.any() or (labels == number).all():
            return False
        row, column = ndimage.distance_transform_edt(
            labels == number, return_distances=False, return_indices=True
        )
        labels[lost] = self[frame][row[lost], column[lost]]
        return self.replace(frame, labels)

    def fill(self, frame: int, point: Point, name: str | int) -> bool:
        """Give the piece that a point lies in another class.

        Args:
            frame: Number of the frame, from 0.
            point: Row and column in pixels.
            name: Name or id of the class.

        Returns:
            Whether any pixel changed.

        Raises:
            ValueError: There is no such class, or the point is outside the frame.
        """
        return self.paint(frame, piece(self[frame], point), name)

    def remove_piece(self, frame: int, point: Point) -> str:
        """Remove the piece that a point lies in: it gets the class of what is around it.

        Args:
            frame: Number of the frame, from 0.
            point: Row and column in pixels.

        Returns:
            Name of the class that the piece has now.

        Raises:
            ValueError: The point is outside the frame.

        Example:
            >>> labels = np.zeros((1, 20, 20), np.uint8)
            >>> labels[0, 5:9, 5:9] = 1
            >>> LabelStack(labels, ("plate", "pore")).remove_piece(0, (6, 6))
            'plate'
        """
        mask = piece(self[frame], point)
        around = class_around(self[frame], mask)
        self.paint(frame, mask, around)
        return self.class_names[around] if around < len(self.class_names) else "ignore"

    def add_piece(self, frame: int, grey: np.ndarray, point: Point, name: str | int) -> bool:
        """Add what stands out around a point of the frame as a piece of a class.

        Args:
            frame: Number of the frame, from 0.
            grey: Grey levels of the frame, `(height, width)`.
            point: Row and column in pixels of a pixel inside the piece.
            name: Name or id of the class.

        Returns:
            Whether any pixel changed.

        Raises:
            ValueError: There is no such class, or the point is outside the frame.
        """
        return self.paint(frame, region(grey, point), name)

    def replace(self, frame: int, labels: np.ndarray) -> bool:
        """Replace the label map of a frame, as one step that can be undone.

        Args:
            frame: Number of the frame, from 0.
            labels: Class ids, uint8 `(height, width)`.

        Returns:
            Whether any pixel changed.

        Raises:
            ValueError: The label map has another shape, or an id that is no class.
        """
        before = self[frame].ravel()
        after = np.asarray(labels)
        if after.shape != self.shape[1:]:
            raise ValueError(f"the labels are {after.shape}, and the frames are {self.shape[1:]}")
        where = np.flatnonzero(after.ravel() != before)
        if not len(where):
            return False
        values = after.ravel()[where]
        for value in np.unique(values).tolist():
            self.class_id(int(value))
        step = _Step(where, before[where], values.astype(np.uint8))
        self._done.setdefault(frame, []).append(step)
        del self._done[frame][:-MOST_STEPS]
        self._undone.pop(frame, None)
        self._put(frame, step.where, step.after)
        return True

    def undo(self, frame: int) -> bool:
        """Take the last step in a frame back.

        Args:
            frame: Number of the frame, from 0.

        Returns:
            Whether there was one.
        """
        if not self._done.get(frame):
            return False
        step = self._done[frame].pop()
        self._undone.setdefault(frame, []).append(step)
        self._put(frame, step.where, step.before)
        return True

    def redo(self, frame: int) -> bool:
        """Do the last step that was undone in a frame again.

        Args:
            frame: Number of the frame, from 0.

        Returns:
            Whether there was one.
        """
        if not self._undone.get(frame):
            return False
        step = self._undone[frame].pop()
        self._done.setdefault(frame, []).append(step)
        self._put(frame, step.where, step.after)
        return True

    def can_undo(self, frame: int) -> bool:
        """Say whether there is a step to undo in a frame.

        Args:
            frame: Number of the frame, from 0.
        """
        return bool(self._done.get(frame))

    def can_redo(self, frame: int) -> bool:
        """Say whether there is an undone step in a frame.

        Args:
            frame: Number of the frame, from 0.
        """
        return bool(self._undone.get(frame))

    def reset(self, frame: int) -> bool:
        """Take all corrections of a frame back, as one step that can be undone.

        Args:
            frame: Number of the frame, from 0.

        Returns:
            Whether any pixel changed.
        """
        return self.replace(frame, self.found(frame))

    def _put(self, frame: int, where: np.ndarray, values: np.ndarray) -> None:
        labels = self[frame].copy()
        labels.ravel()[where] = values
        self.revision += 1
        if np.array_equal(labels, self._found[frame]):
            self._mended.pop(frame, None)
        else:
            self._mended[frame] = labels

    def _check(self, frame: int) -> None:
        if not 0 <= frame < len(self):
            raise IndexError(f"there is no frame {frame} among {len(self)}")
