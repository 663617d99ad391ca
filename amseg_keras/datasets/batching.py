"""Batches of labelled frames for `model.fit`, the same on TensorFlow, JAX and PyTorch."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

import keras
import numpy as np

from amseg_keras.datasets.augmentation import SeededAugmentation, strong_augmentation
from amseg_keras.datasets.dataset import Dataset, LabelledFrame
from amseg_keras.datasets.frames import Crop, ScaledFrames, draw_crops, fit_to_shape
from amseg_keras.preprocess import Channels, GreyScaling
from amseg_keras.read import ReadError

GIBIBYTE = 1 << 30


@dataclass(frozen=True)
class BatchOptions:
    """Options of batches that are seldom changed.

    Attributes:
        shape: Height and width of all frames in a batch: larger frames are cut, smaller ones
            padded with their mirror image, labelled 255. None: whole frames as they are, which
            must then be of one size.
        shuffle: True, for training: frames in random order, cut at random places. False, for
            validation: keep the order of the data set, and cut from the middle.
        focus: Share of the cuts that are placed such that they hold a pixel of the frame's rarest
            class; for large frames with a small keyhole.
        repeat: Number of times that a frame is in an epoch, cut and augmented anew each time.
        classes: Names of the network's classes in the order of its ids, if they are not the data
            set's; ids are translated by name.
        scaling: Grey levels of the network; `preset.scaling` for a pretrained network.
        channels: Input channels of the network; `preset.channels` of a pretrained one. The
            background of a frame is made of the other frames of its sequence.
        blank: Share of the frames whose motion channel is blank, as of single frames.
        skip_unlabelled: Leave frames without labels out, rather than to raise an error.
        cache_bytes: Memory for decoded frames and labels, at most; what does not fit is read again
            in each epoch. The usual 1 GiB holds 2,700 frames of 256 x 512 pixels and 16 bits.
        first_epoch: Number of the epoch to begin with; `initial_epoch` of `model.fit`.
        workers: Threads that make batches ahead, and so many batches; 0 makes each when it is
            asked for. A layer is used by one thread at a time, while the others read.

    Example:
        Batches as a pretrained network wants them, cut where a pore is in half of the cases:

        >>> from amseg_keras import list_presets
        >>> info = list_presets()["amsegnet-esrf"]
        >>> options = BatchOptions(
        ...     shape=(128, 256), focus=0.5, classes=info.class_names, scaling=info.scaling
        ... )
        >>> options.scaling.low_percent, options.repeat
        (0.1, 1)
    """

    shape: tuple[int, int] | None = (256, 512)
    shuffle: bool = True
    focus: float = 0.0
    repeat: int = 1
    classes: Sequence[str] | None = None
    scaling: GreyScaling = field(default_factory=GreyScaling)
    channels: Channels = field(default_factory=Channels)
    blank: float = 0.0
    skip_unlabelled: bool = False
    cache_bytes: int = GIBIBYTE
    first_epoch: int = 0
    workers: int = 1


@dataclass(frozen=True)
class _Sample:
    frame: LabelledFrame
    crop: Crop | None = None


class Batches(keras.utils.PyDataset):
    """Batches of one split; made by `batches`.

    `made[index]` is `(images, labels)`: float32 `(batch, height, width, channels)` and int32
    `(batch, height, width)`. It depends on the seed, on `epoch` and on `index`, and on nothing
    else: not on what was asked for before, nor on the number of threads.

    Attributes:
        epoch: Number of the pass through the frames. It goes up at the end of a Keras epoch in
            which the last batch was asked for, and not at other ends: `model.fit` reports the end
            of an epoch, and may ask for a batch or two, before it begins to train. (With a single
            batch in an epoch the two cannot be told apart.) It may be set at any time, for
            example from `on_epoch_begin` of a callback.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from amseg_keras.datasets.dataset import write_frame
        >>> folder, grey = Path(tempfile.mkdtemp()), np.arange(512, dtype="uint16").reshape(16, 32)
        >>> frames = tuple(
        ...     write_frame(folder, grey, grey % 2, LabelledFrame("", None, "shot", number))
        ...     for number in range(5)
        ... )
        >>> data = Dataset(folder, ("gas", "melt"), frames)
        >>> made = batches(data, batch_size=2, options=BatchOptions(shape=(16, 16)))
        >>> len(made), made.samples, made[0][0].shape, made[2][1].shape
        (3, 5, (2, 16, 16, 1), (1, 16, 16))

        `model.fit(made)` takes them as they are.
    """

    def __init__(
        self,
        frames: ScaledFrames,
        samples: Sequence[_Sample],
        augmentation: SeededAugmentation | None,
        batch_size: int,
        seed: int,
        options: BatchOptions,
    ) -> None:
        super().__init__()
        self.epoch = options.first_epoch
        self._frames = frames
        self._samples = samples
        self._augmentation = augmentation
        self._batch_size = batch_size
        self._seed = seed
        self._options = options
        self._last_was_asked_for = False
        self._ahead = (
            MadeAhead(self._batch, len(self), options.workers) if options.workers else None
        )

    def __len__(self) -> int:
        """Count the batches in an epoch; the last may be smaller than the others."""
        return math.ceil(len(self._samples) / self._batch_size)

    @property
    def samples(self) -> int:
        """Frames in an epoch, the added crops among them."""
        return len(self._samples)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Make a batch of this pass through the frames.

        Args:
            index: Number of the batch, from 0 to `len(made) - 1`.

        Returns:
            Images, float32 `(batch, height, width, channels)` from 0 to `scaling.top` of the
            options, and class ids, int32 `(batch, height, width)`, 255 for "ignore".

        Raises:
            IndexError: There is no such batch.
            ReadError: A frame or its labels cannot be read.
            ValueError: Whole frames of a batch differ in size, or the augmentation mixes class
                ids.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        self._last_was_asked_for |= index == len(self) - 1
        if self._ahead is None:
            return self._batch(self.epoch, index)
        return self._ahead.get(self.epoch, index)

    def on_epoch_end(self) -> None:
        """Begin the next pass after the last batch of this one; Keras calls it."""
        if self._last_was_asked_for:
            self.epoch += 1
        self._last_was_asked_for = False

    def _batch(self, epoch: int, index: int) -> tuple[np.ndarray, np.ndarray]:
        order = self._order(epoch)[index * self._batch_size : (index + 1) * self._batch_size]
        made = [self._make(self._samples[number], epoch, int(number)) for number in order]
        images, labels = _stack([image for image, _ in made], [ids for _, ids in made])
        if self._augmentation is not None:
            top = np.float32(self._options.scaling.top)
            seed = (self._seed, epoch, index)
            images, labels = self._augmentation.apply(images / top, labels, seed)
            images = images * top
        if self._options.channels.has_motion:
            # After the augmentation, which would change a blank channel.
            blank = np.random.default_rng((self._seed, epoch, index, 1)).random(len(images))
            images[blank < self._options.blank, ..., 1:] = self._options.scaling.top / 2
        return images, labels.astype(np.int32)

    def _order(self, epoch: int) -> np.ndarray:
        if not self._options.shuffle:
            return np.arange(len(self._samples))
        return np.random.default_rng((self._seed, epoch)).permutation(len(self._samples))

    def _make(self, sample: _Sample, epoch: int, number: int) -> tuple[np.ndarray, np.ndarray]:
        image, labels = self._frames.read(sample.frame)
        shape = self._options.shape
        if sample.crop is not None:
            return sample.crop.apply(image, labels, shape or labels.shape)
        if shape is None:
            return image, labels
        drawn = (
            np.random.default_rng((self._seed, epoch, number)) if self._options.shuffle else None
        )
        return fit_to_shape(image, labels, shape, drawn, self._options.focus)


def batches(
    data: Dataset,
    split: str | None = None,
    batch_size: int = 16,
    augment: Literal["paper", "strong"] | keras.layers.Layer | None = None,
    seed: int = 0,
    options: BatchOptions | None = None,
) -> Batches:
    """Feed the labelled frames of a split to `model.fit`, whatever the backend.

    Grey levels are scaled as in inference, over the whole of a frame's sequence.

    A training that is broken off and resumed sees the same batches as one that is not, if
    `first_epoch` of the options is `initial_epoch` of `model.fit`, and if `model.fit` has
    `shuffle=False`: it would put whole batches into an order of its own.

    Args:
        data: The whole data set, not only the split: the grey range of a sequence is measured
            on all its frames.
        split: "train", "validation" or "test"; None takes all frames.
        batch_size: Frames in a batch; the paper has 16.
        augment: ``"paper"``: a random 10 % of the frames is cropped and added (section 2.3).
            ``"strong"``: see `strong_augmentation`. Or any layer that takes and gives `{"images",
            "segmentation_masks"}`, as the augmentation layers of `keras.layers` do: it gets
            float32 images from 0 to 1, and float32 masks `(batch, height, width, 1)` of class
            ids plus 1, with 0 for "ignore", as such layers fill with 0. A motion channel comes
            from -0.5 to 0.5, with 0 where nothing moved.
        seed: Seed of order, cuts and augmentation.
        options: The rest.

    Returns:
        Batches `(images, labels)`: float32 `(batch, height, width, channels)` from 0 to
        `options.scaling.top`, and int32 class ids `(batch, height, width)` with 255 for "ignore".

    Raises:
        ReadError: There are no frames, or frames without labels.
        ValueError: An argument is out of range, or a class of the data set is not among
            `options.classes`.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from amseg_keras.datasets.dataset import write_frame
        >>> folder = Path(tempfile.mkdtemp())
        >>> image, labels = np.arange(12, dtype="uint16").reshape(3, 4), np.zeros((3, 4), "uint8")
        >>> frame = write_frame(folder, image, labels, LabelledFrame("", None, "shot", 1))
        >>> data = Dataset(folder, ("gas", "melt"), (frame,))
        >>> images, labels = batches(data, options=BatchOptions(shape=(4, 4)))[0]
        >>> images.shape, labels.shape, labels[0, :, 0].tolist()
        ((1, 4, 4, 1), (1, 4, 4), [0, 0, 0, 255])
    """
    options = options or BatchOptions()
    _check_numbers(batch_size, seed, options)
    chosen = _labelled(data, split, options.skip_unlabelled)
    samples = [_Sample(frame) for frame in chosen] * options.repeat
    augmentation = None
    if isinstance(augment, str):
        if augment == "paper":
            samples += [_Sample(chosen[n], crop) for n, crop in draw_crops(len(chosen), seed)]
        elif augment == "strong":
            augmentation = SeededAugmentation(strong_augmentation())
        else:
            raise ValueError(f"augment is {augment!r}, it must be 'paper', 'strong' or a layer")
    elif augment is not None:
        augmentation = SeededAugmentation(augment)
    frames = ScaledFrames(
        data,
        options.classes or data.class_names,
        options.scaling,
        options.cache_bytes,
        options.channels,
    )
    return Batches(frames, samples, augmentation, batch_size, seed, options)


def _check_numbers(batch_size: int, seed: int, options: BatchOptions) -> None:
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, it must be 1 or more")
    for name, value in (
        ("seed", seed),
        ("first_epoch", options.first_epoch),
        ("workers", options.workers),
        ("cache_bytes", options.cache_bytes),
    ):
        if value < 0:
            raise ValueError(f"{name} is {value}, it must be 0 or more")
    if not 0 <= options.focus <= 1:
        raise ValueError(f"focus is {options.focus}, it must be from 0 to 1")
    if not 0 <= options.blank <= 1:
        raise ValueError(f"blank is {options.blank}, it must be from 0 to 1")
    if options.repeat < 1:
        raise ValueError(f"repeat is {options.repeat}, it must be 1 or more")
    if options.shape is not None and min(options.shape) < 1:
        raise ValueError(f"shape is {options.shape}, height and width must be 1 or more")


def _labelled(data: Dataset, split: str | None, skip_unlabelled: bool) -> list[LabelledFrame]:
    frames = (data if split is None else data.of_split(split)).frames
    where = f"{data.folder}" if split is None else f"{data.folder}: the split {split!r}"
    if not frames:
        raise ReadError(f"{where}: has no frames; split the data set with: amseg dataset split")
    labelled = [frame for frame in frames if frame.label is not None]
    if not labelled:
        raise ReadError(f"{where}: has no labels; label frames, or import masks that there are")
    if len(labelled) < len(frames) and not skip_unlabelled:
        first = next(frame.image for frame in frames if frame.label is None)
        raise ReadError(
            f"{where}: {len(frames) - len(labelled)} of {len(frames)} frames have no labels, the "
            f"first is {first}; label them or leave them out with skip_unlabelled=True"
        )
    return labelled


def _stack(images: list[np.ndarray], labels: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    sizes = {image.shape[:2] for image in images}
    if len(sizes) > 1:
        found = " and ".join(" x ".join(map(str, size[::-1])) for size in sorted(sizes))
        raise ValueError(
            f"frames of {found} pixels are in one batch; give a shape (height, width) to cut or "
            "pad them to, or batch_size=1"
        )
    return np.stack(images), np.stack(labels)


Batch = tuple[np.ndarray, np.ndarray]


class MadeAhead:
    """Makes the next batches while the network is busy with this one.

    Keras has threads for this too (`PyDataset(workers=...)`), but what they made and was not
    asked for is handed out in the next epoch (Keras 3.15, JAX and PyTorch), so that a resumed
    training would see other batches. Here a batch is known by its epoch and index, and one that
    turns out not to be wanted is dropped.

    Args:
        make: Makes the batch of an epoch and index; called by several threads at once.
        pool: Threads or processes that make the batches; defaults to threads of its own.

    Example:
        >>> ahead = MadeAhead(lambda epoch, index: (np.array(epoch), np.array(index)), 3, 2)
        >>> [int(ahead.get(0, index)[1]) for index in (0, 1, 2)]
        [0, 1, 2]
    """

    def __init__(
        self,
        make: Callable[[int, int], Batch],
        count: int,
        workers: int,
        pool: Executor | None = None,
    ) -> None:
        self._make = make
        self._count = count
        self._workers = workers
        self._pool = pool or ThreadPoolExecutor(workers, thread_name_prefix="amseg-batches")
        self._lock = threading.Lock()
        self._started: dict[tuple[int, int], Future[Batch]] = {}
        self._expected = (0, 0)

    def get(self, epoch: int, index: int) -> Batch:
        """Return the batch, made ahead or now. An error in making it is raised here."""
        with self._lock:
            wanted = [(epoch, index)]
            # Guessing what comes next is a waste where batches are asked for in another order.
            if index == 0 or (epoch, index) == self._expected:
                wanted += [self._later(epoch, index + k) for k in range(1, self._workers + 1)]
            self._expected = self._later(epoch, index + 1)
            for key in set(self._started) - set(wanted):
                self._started.pop(key).cancel()
            for key in wanted:
                if key not in self._started:
                    self._started[key] = self._pool.submit(self._make, *key)
            future = self._started.pop((epoch, index))
        return future.result()

    def _later(self, epoch: int, index: int) -> tuple[int, int]:
        return epoch + index // self._count, index % self._count
