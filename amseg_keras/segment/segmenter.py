"""The segmenter: a pretrained network together with what it needs to know about frames."""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from amseg_keras.applicability import ApplicabilityWarning, Knowledge, tempered, write_knowledge
from amseg_keras.applicability.check import check_recording
from amseg_keras.applicability.sentences import not_checked
from amseg_keras.backend import accelerators
from amseg_keras.preprocess import BackgroundPolicy, Channels, GreyRange, GreyScaling, Inputs
from amseg_keras.preprocess.inputs import checked_scale, scale_between
from amseg_keras.preprocess.lazy import spread
from amseg_keras.pretrained import find_preset, hub
from amseg_keras.pretrained.network import PresetNetwork, read_network
from amseg_keras.pretrained.preset import (
    CARD,
    PresetInfo,
    read_info,
    read_known,
    weights_digest,
    write_preset,
)
from amseg_keras.quantify.intervals import FrameBounds
from amseg_keras.read import Frames, ReadError, open_stack
from amseg_keras.segment.batch import Labelled, Read, label_batch
from amseg_keras.segment.bounds import VOIDS, find_bounds
from amseg_keras.segment.segmentation import LabelledFrame, Segmentation
from amseg_keras.segment.tiling import (
    TILE_PIXELS,
    OnTile,
    label_any_size,
    padded_frames,
    predict_any_size,
    tile_pixels_for,
    tile_shape,
)

if TYPE_CHECKING:
    import keras

    from amseg_keras.engines.choose import Compiled
    from amseg_keras.engines.engine import Engine
    from amseg_keras.engines.graph import Rewritten

LARGEST_BOUNDED = 1 << 23
"""Pixels of the largest frames whose probabilities are looked at for bounds."""

MAX_BATCH = 4
MAX_BATCH_PIXELS = 1 << 20
GPU_BATCHES = 4
MAX_SAMPLE = 16


def from_pretrained(name: str | os.PathLike[str], revision: str | None = None) -> Segmenter:
    """Load a trained network, ready to segment frames.

    Args:
        name: a preset that comes with the package (`list_presets()`; works without a network),
            `"auto"` for the one that measures best, a folder written by
            `Segmenter.save_pretrained`, or a repository on the Hugging Face Hub as `owner/repo` or
            `hf://owner/repo`.
        revision: tag, branch or commit of a repository.

    Raises:
        PresetError: it cannot be found, read, or trusted; no code that comes with it is ever run.

    Example:
        >>> segmenter = from_pretrained("amsegnet-esrf")
        >>> segmenter.class_names
        ('background', 'powder', 'substrate', 'keyhole', 'pore')
        >>> import numpy as np
        >>> segmenter.segment(np.zeros((2, 100, 200), "uint16")).labels.shape
        (2, 100, 200)
    """
    folder = find_preset(name, revision)
    info = read_info(folder)
    card = folder / CARD
    return Segmenter(
        read_network(folder, info),
        info,
        card.read_text("utf-8") if card.is_file() else None,
        read_known(folder),
    )


class Segmenter:
    """A network, its class names, its input channels, its grey levels and its pixel size.

    A preset runs on OpenVINO or ONNX Runtime if one of them is installed and there is no GPU; then
    Keras and its backend are imported only for what needs the Keras model. A Keras model of your
    own runs in Keras until `compile_inference` is called.

    Args:
        model: Keras model from `(batch, height, width, channels)` to class probabilities; sides of
            the input multiples of 16. Or the network of a preset.
        info: what the network was trained on.
        card: text of its model card, written with it.
        known: what recordings of its kind look like; `None` if nobody calibrated it.

    Raises:
        ValueError: The model has another number of input channels than `info` names.
    """

    def __init__(
        self,
        model: keras.Model | PresetNetwork,
        info: PresetInfo,
        card: str | None = None,
        known: Knowledge | None = None,
    ) -> None:
        if isinstance(model, PresetNetwork):
            self._preset: PresetNetwork | None = model
            self._model: keras.Model | None = None
            channels = model.channels
        else:
            self._preset, self._model = None, model
            channels = model.input_shape[-1]
        if channels != len(info.channels):
            raise ValueError(
                f"the network takes {channels} channels, but {info.name} describes "
                f"{len(info.channels)}: {info.channels!s}"
            )
        self.info = info
        self.card = card
        self.known = known
        self._engine: Engine | None = None
        self._asked = False

    def __repr__(self) -> str:
        """The network in a line, as a prompt or a notebook shows it.

        Example:
            >>> from_pretrained("amsegnet-esrf-lite")
            Segmenter('amsegnet-esrf-lite': background, powder, substrate, keyhole, pore; input
            frame; 4.31 um; 531,281 parameters; engine openvino, float32)
        """
        count = self.model.count_params() if self._preset is None else self._preset.parameters
        size = "pixel size unknown" if self.pixel_size_um is None else f"{self.pixel_size_um:g} um"
        parts = (
            f"{self.info.name!r}: {', '.join(self.class_names)}",
            f"input {self.channels!s}",
            size,
            f"{count:,} parameters",
            f"engine {self.engine}, {self.precision}",
        )
        return f"Segmenter({'; '.join(parts)})"

    @property
    def model(self) -> keras.Model:
        """The Keras model; of a preset it is made when it is first asked for.

        Raises:
            PresetError: The files of the preset have changed.
            ImportError: No backend of Keras is installed; the message says how to get one.
        """
        if self._model is None:
            assert self._preset is not None
            self._model = self._preset.load()
        return self._model

    @property
    def rewritten(self) -> Rewritten:
        """The network with less to compute, for engines and exports."""
        from amseg_keras.engines.graph import Rewritten

        if self._preset is None:
            return Rewritten(self.model)
        return Rewritten(lambda: self.model, self._preset)

    def another(self) -> Segmenter:
        """The same network, to be put on another engine."""
        network = self.model if self._preset is None else self._preset
        return Segmenter(network, self.info, self.card, self.known)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of each class id."""
        return self.info.class_names

    @property
    def pixel_size_um(self) -> float | None:
        """Size of a pixel in the training frames, in um."""
        return self.info.pixel_size_um

    @property
    def scaling(self) -> GreyScaling:
        """How grey levels are scaled before the network."""
        return self.info.scaling

    @property
    def channels(self) -> Channels:
        """What the network is given of a frame."""
        return self.info.channels

    @property
    def temperature(self) -> float:
        """Number by which scores are divided for a confidence that is calibrated; 1 if unknown."""
        return 1.0 if self.known is None else self.known.temperature

    @property
    def engine(self) -> str:
        """What runs the network: Keras' `"predict"`, or an engine, as of `compile_inference`."""
        engine = self._running()
        return "predict" if engine is None else engine.name

    @property
    def precision(self) -> str:
        """In which it computes; labels in `"float32"` are the same on every engine but for ties."""
        engine = self._running()
        return "float32" if engine is None else engine.precision

    def _running(self) -> Engine | None:
        """The engine; for a preset the automatic one, if it does without Keras."""
        if self._engine is None and self._preset is not None and not self._asked:
            from amseg_keras.engines.choose import WITHOUT_KERAS, automatic

            self._asked = True
            name = automatic(self.rewritten)
            if name in WITHOUT_KERAS:
                self.compile_inference(name)
        return self._engine

    def compile_inference(
        self, engine: str = "auto", sample: Frames | None = None, *, exact: bool = True
    ) -> Compiled:
        """Make the network fast: `segment` and `iter_labels` then run it on an engine.

        The network is rewritten to one that computes the same with less, and given to what runs
        it fastest on this machine. Labels in float32 are the same but for ties. But on
        a GPU every frame is computed for itself, so results do not depend on the batch size.

        Args:
            engine: `"keras"`, the Keras backend, on a GPU in mixed precision; `"openvino"`,
                `"onnxruntime"` and `"ncnn"`, in float32, the last with Winograd convolutions;
                `"openvino-bf16"` in bfloat16, twice as fast on processors that have it;
                `"openvino-int8"` in 8-bit integers but for what would lose too much, kept only if
                it finds nearly the same on `sample`; or `"auto"`: the first of OpenVINO, ONNX
                Runtime and Keras that is installed, and on a GPU Keras.
            sample: frames like those to come, `(frames, height, width)` before scaling. A few are
                enough; of longer stacks 16 are taken. `"openvino-int8"` needs them.
            exact: have `"auto"` compute in float32; without it in bfloat16 where the processor
                has it.

        Returns:
            The engine and what was measured; its `str` is one line to print.

        Raises:
            EngineMissingError: a package is not installed; the message says how to get it.
            ValueError: there is no such engine, or it cannot run here.

        Example:
            >>> segmenter = from_pretrained("amsegnet-esrf")
            >>> print(segmenter.compile_inference("keras"))
            engine keras, float32
        """
        # Most of it is needed by engines only.
        from amseg_keras.engines.choose import compile_engine
        from amseg_keras.engines.engine import give_back_memory

        # Only what is less than exact is measured on frames.
        measured = sample is not None and engine in ("auto", "openvino-bf16", "openvino-int8")
        if engine == "auto" and exact:
            measured = False
        scaled = self._sample(sample) if measured and sample is not None else None
        compiled = compile_engine(self.rewritten, engine, scaled, exact)
        self._engine = compiled.engine
        give_back_memory()
        return compiled

    def probabilities(self, scaled: np.ndarray) -> np.ndarray:
        """Class probabilities of what the network takes, float32 `(batch, height, width, classes)`.

        Args:
            scaled: inputs as `Inputs.make` gives them, float32 `(batch, height, width, channels)`,
                of any size.
        """
        engine = self._running()
        predict = self.model.predict_on_batch if engine is None else engine.probabilities
        return predict_any_size(predict, scaled)

    def inputs(
        self,
        frames: Frames,
        grey_range: GreyRange | None = None,
        *,
        background: str | BackgroundPolicy = "auto",
        scale: float | Literal["auto"] = 1.0,
        pixel_size_um: float | None = None,
    ) -> Inputs:
        """Prepare what the network is given of a stack; frames are read when needed.

        Args:
            frames: a stack `(frames, height, width)`: an array, or a `FrameStack`.
            grey_range: from `scaling.measure(frames)`, which is the default.
            background: for networks with a motion channel, the frames of the background: a
                `BackgroundPolicy` or its short form, such as `"previous:10,5"`.
            scale: factor by which frames are enlarged for the network; `"auto"` gives them the
                pixel size of the training where both are known.
            pixel_size_um: size of a pixel of the frames in um; by default what the stack says.

        Raises:
            ValueError: The background or the scale is not possible.

        Example:
            >>> stack = np.random.default_rng(0).integers(0, 4096, (3, 64, 96))
            >>> inputs = from_pretrained("amsegnet-esrf-lite").inputs(stack, scale=0.5)
            >>> inputs.make(0).shape
            (32, 48, 1)
        """
        if scale == "auto":
            own = pixel_size_um or getattr(frames, "pixel_size_um", None)
            factor = scale_between(own, self.pixel_size_um)
        else:
            factor = checked_scale(scale)
        policy = BackgroundPolicy.parse(background) if isinstance(background, str) else background
        backgrounds = policy.of_stack(frames) if self.channels.has_motion else None
        levels = self.scaling.measure(frames) if grey_range is None else grey_range
        return Inputs(frames, self.channels, levels, backgrounds, factor)

    def segment(
        self,
        frames: Any,
        *,
        confidence: bool = False,
        batch_size: int | None = None,
        background: str | BackgroundPolicy = "auto",
        scale: float | Literal["auto"] = 1.0,
        pixel_size_um: float | None = None,
    ) -> Segmentation:
        """Segment a frame or a stack.

        Args:
            frames: an array `(height, width)` or `(frames, height, width)` of any real dtype, or
                the path of anything that `amseg segment` reads: a file, a folder, a glob,
                `file.h5::/dataset`.
            confidence: give the probability of the chosen class too.
            batch_size: frames given to the network at once; by default up to 4, on a GPU 16, fewer
                when large.
            background: as in `inputs`.
            scale: as in `inputs`; labels have the size of the frames.
            pixel_size_um: as in `inputs`.

        Returns:
            Label maps, always `(frames, height, width)`. Frames of a path that cannot be read are
            labelled 255 and listed in `.errors`. What the input lacked is said in `.notes`.

        Raises:
            ReadError: the path cannot be read at all.
            ValueError: the array has another number of dimensions, no pixels, no real numbers, or
                NaN or infinite values.
        """
        if isinstance(frames, str | os.PathLike):
            with open_stack(frames) as stack:
                inputs = self.inputs(
                    stack, background=background, scale=scale, pixel_size_um=pixel_size_um
                )
                return self._segment(inputs, confidence, batch_size)
        inputs = self.inputs(
            checked_frames(frames), background=background, scale=scale, pixel_size_um=pixel_size_um
        )
        return self._segment(inputs, confidence, batch_size)

    def iter_labels(
        self,
        frames: Frames | Inputs,
        grey_range: GreyRange | None = None,
        *,
        start: int = 0,
        batch_size: int | None = None,
        confidence: bool = False,
        on_tile: OnTile = lambda done, tiles: None,
    ) -> Iterator[LabelledFrame]:
        """Segment a stack of any length frame by frame, holding one batch in memory.

        Args:
            frames: a stack `(frames, height, width)`: an array, or a `FrameStack`; or what
                `inputs` made of one, with a background or a scale of your choice.
            grey_range: from `scaling.measure(frames)`, which is the default.
            start: first frame, a multiple of the batch size for results that do not depend on it
                without `compile_inference`.
            batch_size: as in `segment`.
            confidence: as in `segment`.
            on_tile: told how many tiles of a frame that is larger than a tile are done, and how
                many there are.
        """
        inputs = frames if isinstance(frames, Inputs) else self.inputs(frames, grey_range)
        count = len(inputs.frames)
        size = batch_size or default_batch_size(inputs.frame_shape)
        last: tuple[Read, LabelledFrame] | None = None
        for first in range(start, count, size):
            indices = range(first, min(first + size, count))
            # Only where a frame's labels do not depend on its batch: others would differ from
            # those of a resumed run.
            known = last if size == 1 or self._running() is not None else None
            batch = label_batch(
                inputs, indices, lambda given: self._labels_of(given, confidence, on_tile), known
            )
            for read, labelled in batch:
                yield labelled
                if read is not None:
                    last = read, labelled

    def save_pretrained(
        self, folder: str | os.PathLike[str], *, half_precision: bool = False
    ) -> Path:
        """Write the network as a preset folder, which `from_pretrained` and Keras read.

        Args:
            folder: created; a preset in it is replaced.
            half_precision: store kernels as float16, at half the size.
        """
        written = write_preset(folder, self.model, self.info, self.card, half_precision)
        if self.known is not None:
            digest = weights_digest(written)
            write_knowledge(written, replace(self.known, weights_sha256=digest))
        return written

    def push_to_hub(
        self, repo_id: str, *, private: bool = False, revision: str | None = None
    ) -> str:
        """Publish on the Hugging Face Hub, for `from_pretrained("owner/repo")`.

        Args:
            repo_id: `owner/repo`; made if it does not exist.
            private: make a new repository private.
            revision: branch to commit to.

        Returns:
            The address of the commit.

        Raises:
            PresetError: no access, or the Hub refused.
        """
        with tempfile.TemporaryDirectory() as scratch:
            # not the preset's own name, which came with it and could be a path to anywhere
            folder = self.save_pretrained(Path(scratch) / "preset")
            return hub.push(folder, repo_id, private, revision)

    def _segment(self, inputs: Inputs, confidence: bool, batch_size: int | None) -> Segmentation:
        shape = inputs.frames.shape
        labels = np.empty(shape, np.uint8)
        confidences = np.zeros(shape, np.float32) if confidence else None
        errors = []
        for frame in self.iter_labels(inputs, batch_size=batch_size, confidence=confidence):
            labels[frame.index] = frame.labels
            if confidences is not None and frame.confidence is not None:
                confidences[frame.index] = frame.confidence
            if frame.error is not None:
                errors.append((frame.index, frame.error))
        warnings = self.check(inputs, lambda index: labels[index])
        return Segmentation(
            labels,
            self.class_names,
            inputs.grey_range,
            confidences,
            tuple(errors),
            (*inputs.notes, *self.unchecked),
            warnings,
        )

    @property
    def unchecked(self) -> tuple[str, ...]:
        """Sentence that says that nobody calibrated the preset, so that `check` finds nothing."""
        return () if self.known is not None else (not_checked(self.info.name),)

    def check(
        self,
        inputs: Inputs,
        labels_of: Callable[[int], np.ndarray | None],
        pixel_size_um: float | None = None,
    ) -> tuple[ApplicabilityWarning, ...]:
        """Say whether a labelled recording looks like what the preset knows.

        Args:
            inputs: what the network was given, from `inputs`.
            labels_of: gives the class ids of a frame, uint8 `(height, width)`, or None. It is asked
                for the frames of `applicability.check.looked_at`.
            pixel_size_um: size of a pixel of the frames in um; by default what the stack says.
        """
        size = pixel_size_um or getattr(inputs.frames, "pixel_size_um", None)
        return check_recording(
            inputs.frames,
            labels_of,
            self.class_names,
            inputs.grey_range,
            self.known,
            size,
            inputs.scale,
            None if inputs.backgrounds is None else inputs.backgrounds.of,
        )

    def bounds(
        self, inputs: Inputs, labels: Mapping[int, np.ndarray | None]
    ) -> dict[int, FrameBounds]:
        """Find label maps between which the truth lies, for intervals of what is measured.

        Args:
            inputs: what the network was given, from `inputs`.
            labels: class ids of some frames, uint8 `(height, width)`, by their numbers. Each of
                these frames goes through the network three more times.

        Returns:
            Bounds of each frame, for `quantify.measure`; empty for networks without keyhole and
            pores, and for frames of more than eight megapixels, whose probabilities take too much
            memory.
        """
        if math.prod(inputs.frame_shape) > LARGEST_BOUNDED:
            return {}
        if not set(VOIDS) & set(self.class_names):
            return {}
        factors = {} if self.known is None else self.known.interval_factors
        return find_bounds(
            inputs, self.probabilities, self.class_names, self.temperature, labels, factors
        )

    def _labels_of(self, scaled: np.ndarray, confidence: bool, on_tile: OnTile) -> list[Labelled]:
        """Labels and confidence of each input of `(batch, height, width, channels)`."""
        engine = self._running()
        if not confidence:
            label = self._predicted_labels if engine is None else engine.labels
            labels = label_any_size(label, scaled, self._tile_pixels, on_tile)
            return [(of_frame, None) for of_frame in labels]
        probabilities = self.probabilities(scaled)
        labels = probabilities.argmax(axis=-1).astype(np.uint8)
        sure = tempered(probabilities, self.temperature).max(axis=-1)
        return list(zip(labels, sure, strict=True))

    def _predicted_labels(self, scaled: np.ndarray) -> np.ndarray:
        probabilities = np.asarray(self.model.predict_on_batch(scaled))
        return np.asarray(probabilities.argmax(axis=-1), np.uint8)

    @property
    def _tile_pixels(self) -> int:
        """Most pixels given to the network at once: the more, the smaller its tensors are."""
        return TILE_PIXELS if self._preset is None else tile_pixels_for(self._preset.plain.width)

    def _sample(self, frames: Frames) -> np.ndarray:
        """Some of the frames as the network sees them, no larger than it sees at once."""
        inputs = self.inputs(frames)
        taken = []
        for index in spread(len(frames), MAX_SAMPLE):
            with contextlib.suppress(ReadError):  # the grey levels are those of frames that can be
                taken.append(inputs.make(index))
        scaled = padded_frames(np.stack(taken))
        height, width = tile_shape(*scaled.shape[1:3])
        top = (scaled.shape[1] - height) // 2
        left = (scaled.shape[2] - width) // 2
        return np.ascontiguousarray(scaled[:, top : top + height, left : left + width])


def default_batch_size(frame_shape: tuple[int, ...]) -> int:
    """Frames given to the network at once: up to 4 that hold a megapixel; on a GPU 4 times that."""
    times = GPU_BATCHES if accelerators() else 1
    pixels = times * MAX_BATCH_PIXELS
    return max(1, min(times * MAX_BATCH, pixels // math.prod(frame_shape)))


def checked_frames(frames: Any) -> np.ndarray:
    """An array of frames as `(frames, height, width)`; a `ValueError` says what is wrong."""
    array = np.asarray(frames)
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or not array.size:
        raise ValueError(
            f"frames of shape {np.shape(frames)}: want (height, width) or (frames, height, width), "
            "grey, not empty"
        )
    if array.dtype == bool:
        array = array.astype(np.uint8)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"frames of dtype {array.dtype}: want real numbers")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = int(np.argmin(np.isfinite(array).all(axis=(1, 2))))
        raise ValueError(
            f"frame {bad} holds NaN or infinite values; replace them "
            "(for example by the median of their neighbours)"
        )
    return array
