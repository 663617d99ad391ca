"""Steps one after the other: from a raw stack to a ready one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol, get_args

import numpy as np

from amseg_keras.preprocess.lazy import LazyFrames
from amseg_keras.read import Frames

STEP_ORDER = ("repair", "flat-field", "register", "background", "stretch", "median", "nlm", "crop")
"""The order of the steps unless another is chosen.

Dead pixels are repaired first, since they are known by the value that the detector stored.
Frames are registered before the background is divided out, because both the texture that
registration holds on to and the sharpness of the background are gone afterwards.
"""

DType = Literal["uint8", "uint16", "float32"]

_OUT_OF_UNIT = ("flat-field", "background")


class Step(Protocol):
    """One step: frozen parameters, and the lazy stack they make of another.

    `FlatField`, `Register`, `PreviousFrames`, `FirstFrames`, `Stretch`, `Median`,
    `NonLocalMeans`, `Crop` and `FollowLaser` are steps; so is any class with these three members.

    Example:
        >>> from amseg_keras.preprocess.lazy import EachFrame
        >>> class Absorbance:
        ...     name = "absorbance"
        ...
        ...     def parameters(self):
        ...         return {}
        ...
        ...     def apply(self, frames):
        ...         return EachFrame(frames, lambda frame: -np.log(frame))
        >>> ready = prepare(np.full((8, 2, 3), 0.5), [Absorbance()], "float32")
        >>> ready[0][0].round(2)
        array([0.69, 0.69, 0.69], dtype=float32)
    """

    @property
    def name(self) -> str:
        """Name of the step, as in `STEP_ORDER`, or another name for your own step."""

    def parameters(self) -> dict[str, Any]:
        """Return plain values for the record of a run."""

    def apply(self, frames: Frames) -> LazyFrames:
        """Return the stack after this step; what the step needs of the stack is measured here.

        Args:
            frames: stack before the step, `(frames, height, width)`.
        """


class Prepared(LazyFrames):
    """A stack after all its steps, in the dtype of a file; made by `prepare`.

    Args:
        frames: raw frames, `(frames, height, width)`.
        steps: steps in their order.
        dtype: `"uint8"`, `"uint16"` or `"float32"`.

    Attributes:
        steps: The steps, in their order.
        stages: The lazy stack that each step made, with what it `measured`.
        dtype: Dtype of every frame.
        notes: Warnings about the steps, a sentence each.

    Raises:
        ReadError, ValueError: as `prepare`.

    Example:
        >>> from amseg_keras.preprocess import Box, Crop, Stretch
        >>> from amseg_keras.read import open_stack
        >>> with open_stack("sample:esrf-welding") as raw:
        ...     ready = prepare(raw, [Stretch(), Crop(Box(200, 64, 256, 128))], "uint16")
        ...     print(ready.shape, ready[3].dtype, ready[3].max())
        (12, 128, 256) uint16 65535
        >>> ready.stages[0].measured, ready.positions(3)
        ({'low': 0.0, 'high': 251.0}, {'left_px': 200, 'top_px': 64})
    """

    def __init__(self, frames: Frames, steps: Sequence[Step], dtype: DType) -> None:
        if dtype not in get_args(DType):
            raise ValueError(f"frames of {dtype} are not offered; take uint8, uint16 or float32")
        self._full_scale = _full_scale(frames, steps, dtype)
        stages: list[LazyFrames] = []
        last = frames
        for step in steps:
            last = step.apply(last)
            stages.append(last)
        super().__init__(last)
        self.steps = tuple(steps)
        self.stages = tuple(stages)
        self.dtype = np.dtype(dtype)
        self.notes = _notes([step.name for step in steps])

    def compute(self, index: int) -> np.ndarray:
        """Compute frame `index` after all steps, `(height, width)` of `dtype`; integers round."""
        frame = np.asarray(self.frames[index], np.float32)
        if self.dtype.kind == "f":
            return frame
        # Splines overshoot by a little at edges.
        top = np.iinfo(self.dtype).max
        return np.asarray(
            np.clip(np.rint(frame * np.float32(self._full_scale)), 0, top).astype(self.dtype)
        )

    def positions(self, index: int) -> dict[str, float]:
        """Return what each step did to frame `index`: shift and place of the crop, in pixels."""
        return {name: at for stage in self.stages for name, at in stage.positions(index).items()}


def prepare(frames: Frames, steps: Sequence[Step], dtype: DType = "uint8") -> Prepared:
    """Apply steps to a stack frame by frame, as in section 2.2 of the paper.

    The result is a stack of frames like any other: read it frame by frame, or give it to
    `Segmenter.iter_labels`.

    Args:
        frames: raw frames: an `amseg_keras.read.FrameStack`, an array `(frames, height, width)`,
            or another lazy stack.
        steps: steps in their order; `STEP_ORDER` is a good order.
        dtype: `"uint8"` and `"uint16"` hold 0..255 and 0..65535 after `Stretch`; without it, and
            without steps that divide, the counts of the frames. `"float32"` holds what the last
            step gives: 0..1 after `Stretch`, ratios after `FlatField` or a background.

    Returns:
        The ready stack; nothing is computed before a frame is asked for, but what the steps
        measure on the whole stack.

    Raises:
        ValueError: a step does not fit the frames, or their grey levels do not fit the dtype.
        ReadError: none of the frames can be read.

    Example:
        >>> from amseg_keras.preprocess import Median, PreviousFrames, Stretch, prepare
        >>> from amseg_keras.read import open_stack
        >>> with open_stack("sample:esrf-lpbf") as raw:
        ...     ready = prepare(raw, [PreviousFrames(n=5, skip=5), Stretch(), Median(3)])
        ...     print(ready.shape, ready.dtype, ready[20].shape)
        (24, 256, 512) uint8 (256, 512)
    """
    return Prepared(frames, steps, dtype)


def _full_scale(frames: Frames, steps: Sequence[Step], dtype: DType) -> float:
    """Return the factor that turns the grey levels after the last step into integers."""
    levels = "counts"
    for step in steps:
        if step.name == "stretch":
            levels = "unit"
        elif step.name in _OUT_OF_UNIT:
            levels = "ratios"
    if dtype == "float32":
        return 1.0
    if levels == "unit":
        return float(np.iinfo(dtype).max)
    if levels == "ratios":
        raise ValueError(
            f"ratios are no whole numbers for {dtype}; stretch after flat-field and background, "
            "or take float32"
        )
    counted = np.dtype(getattr(frames, "dtype", np.float32))
    if not np.can_cast(counted, dtype):
        raise ValueError(
            f"counts of {counted} do not fit into {dtype} without a stretch; stretch them, or "
            "take uint16 or float32"
        )
    return 1.0


def _notes(names: list[str]) -> tuple[str, ...]:
    if "register" in names and "background" in names[: names.index("register")]:
        return (
            "registered after the background was divided out, when little is left to hold on to; "
            "register before it",
        )
    return ()
