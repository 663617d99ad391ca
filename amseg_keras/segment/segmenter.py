"""The segmenter: a trained network with its class names, grey levels and pixel size."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from amseg_keras.applicability import ApplicabilityWarning, Knowledge, write_knowledge
from amseg_keras.applicability.check import check_recording
from amseg_keras.applicability.sentences import not_checked
from amseg_keras.preprocess import BackgroundPolicy, Channels, GreyRange, GreyScaling, Inputs
from amseg_keras.preprocess.inputs import checked_scale, scale_between
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
from amseg_keras.read import Frames, open_stack
from amseg_keras.segment.bounds import find_bounds
from amseg_keras.segment.running import RunningNetwork, sample_of
from amseg_keras.segment.segmentation import (
    Labelled,
    LabelledFrame,
    Read,
    Segmentation,
    checked_frames,
    default_batch_size,
    label_batch,
)
from amseg_keras.segment.tiling import OnTile

if TYPE_CHECKING:
    import keras

    from amseg_keras.engines.choose import Compiled
    from amseg_keras.engines.graph import Rewritten


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
    text = card.read_text("utf-8") if card.is_file() else None
    return Segmenter(read_network(folder, info), info, text, read_known(folder))


class Segmenter:
    """A network, its class names, its input channels, its grey levels and its pixel size.

    A preset runs on OpenVINO or ONNX Runtime if one of them is installed and there is no GPU; then
    Keras and its backend are imported only for what needs the Keras model. A Keras model of your
    own runs in Keras until `compile_inference` is called.

    Args:
        model: Keras model from `(batch, height, width, channels)` to class probabilities; sides of
            the input multiples of 16. Or the network of a preset.
        info: description of the preset, with its training data.
        card: text of its model card, written with it.
        known: statistics of typical recordings; `None` if nobody calibrated the preset.

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
        self._network = RunningNetwork(model)
        self._network.check_channels(info)
        self.info = info
        self.card = card
        self.known = known

    def __repr__(self) -> str:
        """Describe the network in a line.

        Example:
            >>> from_pretrained("amsegnet-esrf-lite")
            Segmenter('amsegnet-esrf-lite': background, powder, substrate, keyhole, pore; input
            frame; 4.31 um; 531,281 parameters; engine openvino, float32)
        """
        size = "pixel size unknown" if self.pixel_size_um is None else f"{self.pixel_size_um:g} um"
        parts = (
            f"{self.info.name!r}: {', '.join(self.class_names)}",
            f"input {self.channels!s}",
            size,
            f"{self._network.parameters:,} parameters",
            f"engine {self.engine}, {self.precision}",
        )
        return f"Segmenter({'; '.join(parts)})"

    @property
    def model(self) -> keras.Model:
        """The Keras model; the model of a preset is made at the first call.

        Raises:
            PresetError: The files of the preset have changed.
            ImportError: No backend of Keras is installed; the message says how to get one.
        """
        return self._network.model

    @property
    def rewritten(self) -> Rewritten:
        """The network with less to compute, for engines and exports."""
        return self._network.rewritten

    def another(self) -> Segmenter:
        """Return the same network without an engine, to put it on another one."""
        return Segmenter(self._network.given, self.info, self.card, self.known)

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
        """Scaling of grey levels before the network."""
        return self.info.scaling

    @property
    def channels(self) -> Channels:
        """Input channels of the network."""
        return self.info.channels

    @property
    def temperature(self) -> float:
        """Divisor of the scores that calibrates the confidence; 1 if unknown."""
        return 1.0 if self.known is None else self.known.temperature

    @property
    def engine(self) -> str:
        """Name of the engine that runs the network; `"predict"` for Keras without an engine."""
        engine = self._network.engine
        return "predict" if engine is None else engine.name

    @property
    def precision(self) -> str:
        """Precision of the engine; labels in `"float32"` differ between engines at ties only."""
        engine = self._network.engine
        return "float32" if engine is None else engine.precision

    def compile_inference(
        self, engine: str = "auto", sample: Frames | None = None, *, exact: bool = True
    ) -> Compiled:
        """Make the network fast: `segment` and `iter_labels` then run it on an engine.

        The network is rewritten so that it computes the same result with less work. Labels in
        float32 differ at ties only. Except on a GPU, every frame is computed alone, so that
        results do not depend on the batch size.

        Args:
            engine: `"auto"`: the first of OpenVINO, ONNX Runtime and Keras that is installed, on a
                GPU Keras. `"keras"`: the Keras backend, on a GPU in mixed precision. `"openvino"`,
                `"onnxruntime"` or `"ncnn"`: float32. `"openvino-bf16"`: bfloat16, twice as fast on
                processors that support it. `"openvino-int8"`: 8-bit integers, except in layers
                that would lose too much; refused if labels of `sample` differ too much.
            sample: typical frames `(frames, height, width)` before scaling; 16 of them are used.
                `"openvino-int8"` needs them.
            exact: keep `"auto"` in float32; `False` allows bfloat16.

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
        # Only what is less than exact is measured on frames.
        measured = engine in ("openvino-bf16", "openvino-int8") or (engine == "auto" and not exact)
        scaled = sample_of(self.inputs(sample)) if measured and sample is not None else None
        return self._network.compile(engine, scaled, exact)

    def probabilities(self, scaled: np.ndarray) -> np.ndarray:
        """Compute class probabilities, float32 `(batch, height, width, classes)`.

        Args:
            scaled: inputs from `Inputs.make`, float32 `(batch, height, width, channels)`, of any
                height and width.
        """
        return self._network.probabilities(scaled)

    def inputs(
        self,
        frames: Frames,
        grey_range: GreyRange | None = None,
        *,
        background: str | BackgroundPolicy = "auto",
        scale: float | Literal["auto"] = 1.0,
        pixel_size_um: float | None = None,
    ) -> Inputs:
        """Prepare the inputs of the network for a stack; frames are read when needed.

        Args:
            frames: a stack `(frames, height, width)`: an array, or a `FrameStack`.
            grey_range: grey levels; by default `scaling.measure(frames)`.
            background: frames of the background, for networks with a motion channel: a
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
            confidence: return the probability of the chosen class too.
            batch_size: frames given to the network at once; by default up to 4, on a GPU 16, fewer
                when large.
            background: as in `inputs`.
            scale: as in `inputs`; labels have the size of the frames.
            pixel_size_um: as in `inputs`.

        Returns:
            Label maps, always `(frames, height, width)`. Frames of a path that cannot be read are
            labelled 255 and listed in `.errors`; `.notes` name what the input lacked.

        Raises:
            ReadError: the path cannot be read at all.
            ValueError: the array has another number of dimensions, no pixels, no real numbers, or
                NaN or infinite values.
        """
        with contextlib.ExitStack() as opened:
            is_path = isinstance(frames, str | os.PathLike)
            stack = opened.enter_context(open_stack(frames)) if is_path else checked_frames(frames)
            inputs = self.inputs(
                stack, background=background, scale=scale, pixel_size_um=pixel_size_um
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
            grey_range: grey levels; by default `scaling.measure(frames)`.
            start: first frame, a multiple of the batch size for results that do not depend on it
                without `compile_inference`.
            batch_size: as in `segment`.
            confidence: as in `segment`.
            on_tile: function of the number of tiles of a large frame that are done, and of all
                tiles.
        """
        inputs = frames if isinstance(frames, Inputs) else self.inputs(frames, grey_range)
        count = len(inputs.frames)
        size = batch_size or default_batch_size(inputs.frame_shape)
        last: tuple[Read, LabelledFrame] | None = None

        def label(scaled: np.ndarray) -> list[Labelled]:
            if confidence:
                return self._network.labels_and_confidence(scaled, self.temperature)
            return self._network.labels(scaled, on_tile)

        for first in range(start, count, size):
            indices = range(first, min(first + size, count))
            # Only where a frame's labels do not depend on its batch: others would differ from
            # those of a resumed run.
            known = last if size == 1 or self._network.engine is not None else None
            for read, labelled in label_batch(inputs, indices, label, known):
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
        names, levels = self.class_names, inputs.grey_range
        notes = (*inputs.notes, *self.unchecked)
        return Segmentation(labels, names, levels, confidences, tuple(errors), notes, warnings)

    @property
    def unchecked(self) -> tuple[str, ...]:
        """Sentence for a preset without statistics, which `check` needs; else empty."""
        return () if self.known is not None else (not_checked(self.info.name),)

    def check(
        self,
        inputs: Inputs,
        labels_of: Callable[[int], np.ndarray | None],
        pixel_size_um: float | None = None,
    ) -> tuple[ApplicabilityWarning, ...]:
        """Warn if a labelled recording does not look like the recordings that the preset knows.

        Args:
            inputs: inputs of the network, from `inputs`.
            labels_of: function from the number of a frame to its class ids, uint8
                `(height, width)`, or None; called for `applicability.check.looked_at`.
            pixel_size_um: size of a pixel of the frames in um; by default what the stack says.
        """
        size = pixel_size_um or getattr(inputs.frames, "pixel_size_um", None)
        background = None if inputs.backgrounds is None else inputs.backgrounds.of
        names, levels = self.class_names, inputs.grey_range
        return check_recording(
            inputs.frames, labels_of, names, levels, self.known, size, inputs.scale, background
        )

    def bounds(
        self, inputs: Inputs, labels: Mapping[int, np.ndarray | None]
    ) -> dict[int, FrameBounds]:
        """Find label maps between which the truth lies, for intervals of what is measured.

        Args:
            inputs: inputs of the network, from `inputs`.
            labels: class ids of some frames, uint8 `(height, width)`, by their numbers. Each of
                these frames goes through the network three more times.

        Returns:
            Bounds of each frame, for `quantify.measure`; empty for networks without keyhole and
            pores, and for frames of more than eight megapixels, whose probabilities take too much
            memory.
        """
        factors = {} if self.known is None else self.known.interval_factors
        return find_bounds(
            inputs, self.probabilities, self.class_names, self.temperature, labels, factors
        )
