"""What a user may say of inputs that can be read in two ways."""

from __future__ import annotations

from dataclasses import dataclass

from amseg_keras.read.errors import ReadError


@dataclass(frozen=True)
class ReadOptions:
    """Choose among the readings of a file or folder.

    Attributes:
        axes: Meaning of each axis of an array, such as ``"TYX"``: Y rows, X columns, S colour
            samples, any other letter frames. None leaves it to the file.
        sequence_by: Number in the file names that counts the frames: ``"first"``, ``"last"``, its
            position from 1, or the text in front of it (``"time"``). None finds it.
        separate: Every file is a stack of its own.
        join: Numbered files are one stack, also if each holds several frames or was given by
            itself.

    Example:
        >>> ReadOptions(axes="yxt").axes
        'YXT'
        >>> ReadOptions(separate=True, join=True)
        Traceback (most recent call last):
        amseg_keras.read.errors.ReadError: files can be kept separate or joined, not both
    """

    axes: str | None = None
    sequence_by: str | None = None
    separate: bool = False
    join: bool = False

    def __post_init__(self) -> None:
        if self.separate and self.join:
            raise ReadError("files can be kept separate or joined, not both")
        if self.axes is None:
            return
        axes = self.axes.upper()
        wrong = not axes.isascii() or not axes.isalpha() or len(set(axes)) < len(axes)
        if wrong or not {"X", "Y"} <= set(axes):
            raise ReadError(
                f"--axes {self.axes}: give one letter for each axis, with Y for rows and X for "
                "columns once each, such as TYX or YXT"
            )
        object.__setattr__(self, "axes", axes)


AS_FOUND = ReadOptions()
"""No choice: the files decide."""
