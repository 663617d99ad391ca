"""Labelled frames as a network wants them: grey levels, channels and classes; cut and padded."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from amseg_keras.classes import IGNORE
from amseg_keras.datasets.dataset import Dataset, LabelledFrame
from amseg_keras.preprocess import BackgroundPolicy, Backgrounds, Channels, GreyRange, GreyScaling
from amseg_keras.preprocess.background_policy import SHORTEST
from amseg_keras.read import ReadError

_MOST_BACKGROUNDS = 64
"""Sequences whose background frames stay in memory: 0.3 GB for frames of 256 x 512 and 16 bits."""


def without_background(data: Dataset, frames: Sequence[LabelledFrame]) -> int:
    """Count the frames whose sequence is too short for a background: their motion is blank.

    Example:
        >>> from pathlib import Path
        >>> shots = [("long", 20), ("short", 3)]
        >>> made = [LabelledFrame(f"{s}{k}", None, s, k) for s, n in shots for k in range(n)]
        >>> without_background(Dataset(Path("data"), ("gas", "melt"), tuple(made)), made)
        3
    """
    lengths = {name: len(members) for name, members in data.sequences().items()}
    return sum(lengths[frame.sequence] < SHORTEST for frame in frames)


class ScaledFrames:
    """Reads labelled frames, scales them as inference does, and keeps them decoded in memory.

    To decode a PNG or TIFF costs more than all other steps. So decoded frames stay in memory until
    `cache_bytes` are full; later frames are read anew each time. No frame is thrown out: in random
    order, the oldest frame is needed as often as the newest.

    The grey range of a frame is measured once over its whole sequence: over all frames of the data
    set, labelled or not, in any split. So a network sees the same grey levels in training as
    `Segmenter` shows it of the same movie. In the same way, `BackgroundPolicy` makes the background
    of a frame of the other frames of its sequence. If a sequence has too few frames, it has no
    background, and the motion channel is blank.

    Several threads may use it at once.

    Args:
        classes: Names of the network's classes, in the order of its ids.

    Raises:
        ValueError: A class of the data set is not among the network's.
    """

    def __init__(
        self,
        data: Dataset,
        classes: Sequence[str],
        scaling: GreyScaling,
        cache_bytes: int,
        channels: Channels | None = None,
    ) -> None:
        self._data = data
        self._ids = _new_ids(data, classes)
        self._scaling = scaling
        self._sequences = data.sequences()
        self._ranges: dict[str, GreyRange] = {}
        self._measuring = threading.Lock()
        self._channels = channels or Channels()
        self._backgrounds: OrderedDict[str, Backgrounds] = OrderedDict()
        self._comparing = threading.Lock()
        self._cache: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._free_bytes = cache_bytes
        self._caching = threading.Lock()

    def read(self, frame: LabelledFrame) -> tuple[np.ndarray, np.ndarray]:
        """Read one frame and its labels.

        Returns:
            Channels, float32 `(height, width, channels)`, from 0 to `scaling.top`; and the
            network's class ids, uint8 `(height, width)`, 255 where there is none.

        Raises:
            ReadError: Frame or labels cannot be read, differ in size, or hold an unknown id.
        """
        image, labels = self._decoded(frame)
        background = self._background(frame) if self._channels.has_motion else None
        return self._channels.make(image, self._range(frame.sequence), background), labels

    def _background(self, frame: LabelledFrame) -> np.ndarray | None:
        frames = self._sequences[frame.sequence]
        with self._comparing:
            if frame.sequence not in self._backgrounds:
                sequence = _SequenceFrames(self._data, frames)
                self._backgrounds[frame.sequence] = BackgroundPolicy().of_stack(sequence)
            self._backgrounds.move_to_end(frame.sequence)
            while len(self._backgrounds) > _MOST_BACKGROUNDS:
                self._backgrounds.popitem(last=False)
            return self._backgrounds[frame.sequence].of(frames.index(frame))

    def _decoded(self, frame: LabelledFrame) -> tuple[np.ndarray, np.ndarray]:
        # Only reading is free of a lock: two threads may decode one frame, and the second wins.
        if (found := self._cache.get(frame.image)) is not None:
            return found
        image, labels = self._data.image(frame), self._labels(frame)
        if image.shape != labels.shape:
            raise ReadError(
                f"{self._data.folder / frame.image}: is {_by(image)} pixels, but its labels are "
                f"{_by(labels)}; see: amseg dataset validate"
            )
        with self._caching:
            size = image.nbytes + labels.nbytes
            if frame.image not in self._cache and size <= self._free_bytes:
                self._free_bytes -= size
                self._cache[frame.image] = image, labels
        return image, labels

    def _labels(self, frame: LabelledFrame) -> np.ndarray:
        labels = self._data.labels(frame)
        known = len(self._data.class_names)
        unknown = labels[(labels >= known) & (labels != IGNORE)]
        if unknown.size:
            raise ReadError(
                f"{self._data.folder / str(frame.label)}: holds the class id {unknown.min()}, but "
                f"there are {known} classes; see: amseg dataset validate"
            )
        return np.asarray(self._ids[labels])

    def _range(self, sequence: str) -> GreyRange:
        with self._measuring:
            if sequence not in self._ranges:
                frames = _SequenceFrames(self._data, self._sequences[sequence])
                self._ranges[sequence] = self._scaling.measure(frames)
            return self._ranges[sequence]


class _SequenceFrames:
    """The frames of one sequence, read on request, for `GreyScaling.measure`."""

    def __init__(self, data: Dataset, frames: Sequence[LabelledFrame]) -> None:
        self._data, self._frames = data, frames

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self), *self[0].shape)

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int, /) -> np.ndarray:
        return self._data.image(self._frames[index])


def _new_ids(data: Dataset, classes: Sequence[str]) -> np.ndarray:
    """Return the network's class id for each class id of the data set, by name."""
    ids = np.full(256, IGNORE, np.uint8)
    for old, name in enumerate(data.class_names):
        if name not in classes:
            raise ValueError(
                f"{data.folder}: has the class {name!r}, which is not among the network's "
                f"{', '.join(classes)}; rename it in dataset.json or give the network this class"
            )
        ids[old] = classes.index(name)
    return ids


def _by(pixels: np.ndarray) -> str:
    return " x ".join(map(str, pixels.shape[::-1]))


def fit_to_shape(
    image: np.ndarray,
    labels: np.ndarray,
    shape: tuple[int, int],
    rng: np.random.Generator | None,
    focus: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Cut what is too large and pad what is too small; the pixel size stays.

    Args:
        image: Grey levels `(height, width)`, or channels `(height, width, channels)`.
        labels: Class ids `(height, width)`.
        rng: Draws where to cut; None cuts from the middle.
        focus: Share of the cuts, from 0 to 1, that are placed on a pixel of the frame's
            rarest class.

    Returns:
        Both with `shape`. Padding is at the bottom and right, as in inference: mirrored pixels,
        labelled 255.

    Example:
        >>> image, labels = np.arange(6.0).reshape(2, 3), np.zeros((2, 3), np.uint8)
        >>> image, labels = fit_to_shape(image, labels, (3, 2), np.random.default_rng(0))
        >>> image.shape, labels[-1].tolist()
        ((3, 2), [255, 255])
    """
    spare = [max(have - want, 0) for have, want in zip(labels.shape, shape, strict=True)]
    if rng is None:
        start = [extra // 2 for extra in spare]
    elif any(spare) and rng.random() < focus and (pixel := _rare_pixel(labels, rng)) is not None:
        start = [
            int(np.clip(at - rng.integers(want), 0, extra))
            for at, want, extra in zip(pixel, shape, spare, strict=True)
        ]
    else:
        start = [int(rng.integers(extra + 1)) for extra in spare]
    window = tuple(slice(s, s + want) for s, want in zip(start, shape, strict=True))
    image, labels = image[window], labels[window]
    missing = [(0, want - have) for have, want in zip(labels.shape, shape, strict=True)]
    if any(after for _, after in missing):
        image = np.pad(image, missing + [(0, 0)] * (image.ndim - 2), mode="symmetric")
        labels = np.pad(labels, missing, constant_values=IGNORE)
    return image, labels


def _rare_pixel(labels: np.ndarray, rng: np.random.Generator) -> tuple[int, int] | None:
    """Choose a pixel of the rarest class in a frame; None if all pixels are ignored."""
    counts = np.bincount(labels.ravel(), minlength=256)
    counts[IGNORE] = 0
    if not counts.any():
        return None
    rarest = np.where(counts > 0, counts, labels.size + 1).argmin()
    places = np.flatnonzero(labels == rarest)
    row, column = divmod(int(rng.choice(places)), labels.shape[1])
    return row, column


def resize(
    image: np.ndarray, labels: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Resize a frame bilinearly and its class ids to the nearest, on the same grid.

    Args:
        image: Grey levels, float32 `(height, width)`, or channels `(height, width, channels)`.
        labels: Class ids, uint8 `(height, width)`.

    Returns:
        Both with `shape` and their dtypes.

    Example:
        >>> image, labels = np.eye(2, dtype="float32"), np.eye(2, dtype="uint8")
        >>> resize(image, labels, (2, 4))[1].tolist()
        [[1, 1, 0, 0], [0, 0, 1, 1]]
    """
    size = shape[::-1]
    planes = image[..., None] if image.ndim == 2 else image
    resized = [
        np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR))
        for plane in np.moveaxis(planes, -1, 0)
    ]
    return (
        resized[0] if image.ndim == 2 else np.stack(resized, axis=-1),
        np.asarray(Image.fromarray(labels).resize(size, Image.Resampling.NEAREST)),
    )


SHARE = 0.1
"""Fraction of the frames that are cropped and added (section 2.3)."""

SIDES = (0.5, 0.9)
"""Smallest and largest side of a crop, in sides of the largest window that fits the frame."""


@dataclass(frozen=True)
class Crop:
    """A window in a frame of any size.

    Args:
        side: Size, as a fraction of the largest window of the wanted proportions in the frame.
        top: Place between the upper (0) and the lower (1) end of the frame.
        left: Place between the left (0) and the right (1) end of the frame.
    """

    side: float
    top: float
    left: float

    def apply(
        self, image: np.ndarray, labels: np.ndarray, shape: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Cut the window out and resize it to `shape`, its proportions kept.

        Args:
            image: Grey levels, float32 `(height, width)`, or `(height, width, channels)`.
            labels: Class ids, uint8 `(height, width)`.
            shape: Height and width to come out; the window has their proportions.

        Returns:
            Image (bilinear) and labels (nearest), both with `shape`.

        Example:
            >>> image, labels = np.eye(8, dtype="float32"), np.eye(8, dtype="uint8")
            >>> Crop(0.5, 0, 0).apply(image, labels, (2, 4))[0].shape
            (2, 4)
        """
        have = labels.shape
        scale = self.side * min(have[0] / shape[0], have[1] / shape[1])
        height, width = (max(1, round(scale * want)) for want in shape)
        top = round(self.top * (have[0] - height))
        left = round(self.left * (have[1] - width))
        window = slice(top, top + height), slice(left, left + width)
        return resize(image[window], labels[window], shape)


def draw_crops(frames: int, seed: int) -> list[tuple[int, Crop]]:
    """Choose a tenth of the frames, and a window in each.

    Section 2.3 of the paper crops a random 10 % of the images and adds them to the set; they are
    drawn once, so the same crops are in the set in every epoch. How large a crop is, is a choice
    of this package: 0.5 to 0.9 of the frame, see `SIDES`.

    Returns:
        Number of a frame and its window, one for each frame to add; at least one.

    Example:
        >>> len(draw_crops(200, seed=0)), len(draw_crops(3, seed=0))
        (20, 1)
    """
    rng = np.random.default_rng((seed, frames))
    chosen = np.sort(rng.choice(frames, max(1, round(SHARE * frames)), replace=False))
    return [
        (int(frame), Crop(float(rng.uniform(*SIDES)), float(rng.random()), float(rng.random())))
        for frame in chosen
    ]
