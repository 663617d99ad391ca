"""What a segmentation gives: label maps, and what is needed to understand them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from amseg_keras.applicability import ApplicabilityWarning
from amseg_keras.preprocess import GreyRange


@dataclass(frozen=True)
class LabelledFrame:
    """One frame of a stack after the network.

    Args:
        index: number of the frame in its stack, from 0.
        labels: class ids, uint8 `(height, width)`; all 255 where the frame is unreadable.
        confidence: probability of the chosen class, float32 `(height, width)`, if requested.
        error: why the frame could not be read, `None` where it could.

    Example:
        >>> from amseg_keras import from_pretrained
        >>> from amseg_keras.read import open_stack
        >>> segmenter = from_pretrained("amsegnet-esrf-lite")
        >>> with open_stack("sample:esrf-welding") as stack:
        ...     frame = next(segmenter.iter_labels(stack, segmenter.scaling.measure(stack)))
        >>> frame.index, frame.labels.shape, frame.error
        (0, (256, 512), None)
    """

    index: int
    labels: np.ndarray
    confidence: np.ndarray | None = None
    error: str | None = None


@dataclass(frozen=True)
class Segmentation:
    """The label maps of a stack.

    Args:
        labels: class ids, uint8 `(frames, height, width)`; `labels == class_names.index("pore")`
            is the mask of the pores. 255 where a frame could not be read.
        class_names: name of each class id.
        grey_range: the grey levels that were scaled to the ends of the network's input.
        confidence: probability of the chosen class, float32 `(frames, height, width)`, if asked.
        errors: for each unreadable frame its index and the reason.
        notes: what the network's input lacked, and whether the recording could not be checked, a
            sentence each.
        warnings: why the recording does not look like what the preset knows; see
            `amseg_keras.applicability`. Empty for a familiar one, and if nobody calibrated the
            preset, which `notes` says.

    Example:
        >>> from amseg_keras import from_pretrained
        >>> segmenter = from_pretrained("amsegnet-esrf-lite")
        >>> result = segmenter.segment("sample:esrf-welding", confidence=True)
        >>> result.labels.shape, result.confidence.dtype, result.errors
        ((12, 256, 512), dtype('float32'), ())
        >>> keyhole_px = result.mask("keyhole").sum(axis=(1, 2))  # of each frame
        >>> bool((keyhole_px > 500).all())
        True
    """

    labels: np.ndarray
    class_names: tuple[str, ...]
    grey_range: GreyRange
    confidence: np.ndarray | None = None
    errors: tuple[tuple[int, str], ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[ApplicabilityWarning, ...] = ()

    def mask(self, class_name: str) -> np.ndarray:
        """Return the mask of a class, bool `(frames, height, width)`.

        Args:
            class_name: one of `class_names`.

        Raises:
            ValueError: there is no class of this name.
        """
        if class_name not in self.class_names:
            raise ValueError(f"no class {class_name!r} among {', '.join(self.class_names)}")
        return np.asarray(self.labels == self.class_names.index(class_name))
