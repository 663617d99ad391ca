"""Write a network as a model package of bioimage.io, and validate it with their tools.

rdf.yaml            what the model is, what goes in and out
model.onnx          the network; gives the probability of every class
test_input.npy      a simulated frame
test_output.npy     output of the network for this frame
cover.png           the frame under its labels
README.md           training data, and how to check the network on your own frames
preprocessing.json  grey levels, class names, pixel size
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from amseg_keras.engines.engine import EngineMissingError, equal_fraction
from amseg_keras.engines.formats import FORMATS, ExportError
from amseg_keras.engines.graph import Rewritten
from amseg_keras.engines.onnx_file import Size
from amseg_keras.models.ends import MULTIPLE
from amseg_keras.preprocess import BackgroundPolicy, GreyRange, GreyScaling, Inputs
from amseg_keras.pretrained import PresetInfo
from amseg_keras.pretrained.preset import description
from amseg_keras.read import open_stack
from amseg_keras.report.overlay import overlay
from amseg_keras.runs.export import MIN_EQUAL, PREPROCESSING, SAMPLE, Exported, sized, take_place

if TYPE_CHECKING:
    import keras

RDF = "rdf.yaml"
FORMAT = "0.5.4"
"""Version of the description: tools that know later ones read it too."""

_VALIDATOR = ("bioimageio.spec", "pydantic")
_PAPER = {
    "text": "Li et al. 2024, AM-SegNet for additive manufacturing in situ X-ray image segmentation "
    "and feature quantification",
    "doi": "10.1080/17452759.2024.2325572",
}

_README = """# {name}

Segments X-ray frames of melt pools into {classes}. Written by amseg-keras {version}.

**Trained on**: {trained_on}

## Input

{input}

## Output

The probability of every class, in the order {classes}. The label of a pixel is the class of the
highest probability.

## Validation

`amseg evaluate --data FOLDER` scores the preset on labelled frames of your own. Labels of frames
that are unlike those of the training are no measurement: look at them before you count on them.
"""


@dataclass(frozen=True)
class Published:
    """Authors and licence of a package.

    Attributes:
        authors: Names of the authors.
        license: SPDX name of the licence of the weights; None leaves it out.
    """

    authors: tuple[str, ...] = ()
    license: str | None = None


def export_bioimageio(
    model: keras.Model,
    info: PresetInfo,
    folder: Path,
    size: Size = (None, None),
    by: Published = Published(),
) -> Exported:
    """Write a model package of bioimage.io, and check it with the tools of bioimage.io.

    A package that stretches grey levels between two percentiles takes frames as recorded. The
    format has no other scaling and no motion channel; packages that need them take ready inputs,
    and their README says so.

    Args:
        model: Network, from `(batch, height, width, channels)` to class probabilities.
        folder: Output folder, empty or missing before; complete or missing afterwards.
        size: Height and width of the frames, multiples of 16; by default any.

    Raises:
        ExportError: The folder is not empty, the package is not valid, or its network gives
            other labels than Keras.
        EngineMissingError: A package is not installed.
    """
    spec = _bioimageio_spec()
    with take_place(folder) as new:
        rewritten = Rewritten(model)
        FORMATS["onnx"].write(rewritten, "probabilities", size, new / "model.onnx")
        given, ready, frame = _example(info, size)
        output = FORMATS["onnx"].load(new / "model.onnx")(ready)
        expected = rewritten.original.predict_on_batch(ready)
        equal = equal_fraction(output.argmax(axis=-1), expected.argmax(axis=-1))
        if equal < MIN_EQUAL:
            raise ExportError(
                f"bioimageio: only {equal:.2%} of the labels of a sample frame are those of Keras; "
                "nothing was written"
            )
        np.save(new / "test_input.npy", given)
        np.save(new / "test_output.npy", output.astype(np.float32))
        labels = output[0].argmax(axis=-1).astype(np.uint8)
        levels = GreyScaling().measure(frame[None])
        Image.fromarray(overlay(frame, labels, info.class_names, levels)).save(new / "cover.png")
        (new / PREPROCESSING).write_text(json.dumps(description(info), indent=2) + "\n", "utf-8")
        (new / "README.md").write_text(_readme(info), "utf-8")
        rdf = _rdf(info, size, by, new / "model.onnx")
        (new / RDF).write_text(json.dumps(rdf), "utf-8")  # JSON is YAML
        _validate(spec, new / RDF)
    return Exported(folder / RDF, equal)


def takes_recorded_frames(info: PresetInfo) -> bool:
    """Tell whether the package of a preset takes frames as recorded, not ready inputs."""
    return info.scaling.method == "percentile" and not info.channels.has_motion


def _example(info: PresetInfo, size: Size) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the test input, the input of the network, and the frame for the cover."""
    with open_stack(SAMPLE) as stack:
        index = len(stack) // 2
        inputs = Inputs(
            stack, info.channels, info.scaling.measure(stack), BackgroundPolicy().of_stack(stack)
        )
        frame = sized(stack[index][..., None], size)[0, ..., 0]
        if not takes_recorded_frames(info):
            ready = np.ascontiguousarray(sized(inputs.make(index), size))
            return ready, ready, frame
    given = np.ascontiguousarray(frame[None, ..., None], np.float32)
    scaling = info.scaling
    low, high = np.percentile(given, [scaling.low_percent, scaling.high_percent])
    ready = GreyRange(float(low), float(high), scaling.top).apply(given)
    return given, ready, frame


def _rdf(info: PresetInfo, size: Size, by: Published, network: Path) -> dict[str, Any]:
    import onnx

    opset = onnx.load(network, load_external_data=False).opset_import[0].version
    channels = [str(name) for name in info.channels.names]
    space = [_space(axis, side, info.pixel_size_um) for axis, side in zip("yx", size, strict=True)]
    batch = {"type": "batch"}
    outputs = [{**axis, "size": {"tensor_id": "frames", "axis_id": axis["id"]}} for axis in space]
    return {
        "type": "model",
        "format_version": FORMAT,
        "name": f"{info.name} for X-ray frames of melt pools"[:128],
        "description": f"Segments X-ray frames of melt pools into {', '.join(info.class_names)}",
        "authors": [{"name": name} for name in by.authors],
        "cite": [_PAPER],
        **({} if by.license is None else {"license": by.license}),
        "documentation": "README.md",
        "covers": ["cover.png"],
        "attachments": [{"source": PREPROCESSING}],
        "tags": ["x-ray", "additive-manufacturing", "melt-pool", "segmentation", "keras"],
        "inputs": [
            {
                "id": "frames",
                "description": "X-ray frames as recorded"
                if takes_recorded_frames(info)
                else "inputs made as README.md says",
                "axes": [batch, *space, {"type": "channel", "channel_names": channels}],
                "data": {"type": "float32", "range": [None, None]},
                "test_tensor": {"source": "test_input.npy"},
                "preprocessing": _preprocessing(info),
            }
        ],
        "outputs": [
            {
                "id": "probabilities",
                "description": "probability of every class",
                "axes": [
                    batch,
                    *outputs,
                    {"type": "channel", "channel_names": [_word(n) for n in info.class_names]},
                ],
                "data": {"type": "float32", "range": [0.0, 1.0]},
                "test_tensor": {"source": "test_output.npy"},
            }
        ],
        "weights": {"onnx": {"source": "model.onnx", "opset_version": opset}},
        "config": {"amseg_keras": {"version": importlib.metadata.version("amseg-keras")}},
    }


def _space(axis: str, side: int | None, pixel_size_um: float | None) -> dict[str, Any]:
    space: dict[str, Any] = {"type": "space", "id": axis}
    space["size"] = side or {"min": 4 * MULTIPLE, "step": MULTIPLE}
    if pixel_size_um is not None:
        space |= {"unit": "micrometer", "scale": pixel_size_um}
    return space


def _preprocessing(info: PresetInfo) -> list[dict[str, Any]]:
    if not takes_recorded_frames(info):
        return []
    scaling = info.scaling
    percentiles = {"min_percentile": scaling.low_percent, "max_percentile": scaling.high_percent}
    steps: list[dict[str, Any]] = [
        {"id": "scale_range", "kwargs": {"axes": ["batch", "y", "x"], **percentiles}},
        {"id": "clip", "kwargs": {"min": 0.0, "max": 1.0}},
    ]
    if scaling.top != 1:
        steps.append({"id": "scale_linear", "kwargs": {"gain": scaling.top, "offset": 0.0}})
    return steps


def _word(name: str) -> str:
    """Return a class name in the letters that a channel may have."""
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def _readme(info: PresetInfo) -> str:
    scaling = info.scaling
    percent = f"{scaling.low_percent:g} and {scaling.high_percent:g} percentiles"
    if takes_recorded_frames(info):
        said = (
            f"Frames as they were recorded. The package stretches them between the {percent} of "
            f"all frames of a batch to 0..{scaling.top:g}."
        )
    else:
        said = (
            f"This package does not make the input: grey levels by the method {scaling.method!r} "
            f"({percent}) to 0..{scaling.top:g}, channels {', '.join(info.channels.names)}. "
            "`amseg export --format onnx` writes Python that makes it."
        )
    size = info.pixel_size_um
    if size is not None:
        said += f" The pixels of the training frames are {size:g} um."
    return _README.format(
        name=info.name,
        classes=", ".join(info.class_names),
        version=importlib.metadata.version("amseg-keras"),
        trained_on=info.trained_on,
        input=said,
    )


def _bioimageio_spec() -> ModuleType:
    try:
        return importlib.import_module("bioimageio.spec")
    except ModuleNotFoundError as error:
        raise EngineMissingError(
            "a bioimage.io package needs bioimageio.spec: pip install 'amseg-keras[bioimageio]'"
        ) from error


def _validate(spec: ModuleType, rdf: Path) -> None:
    """Validate the description with the tools of bioimage.io, and write it in their form."""
    with _quiet():
        read = spec.load_description(rdf)
        if not isinstance(read, spec.ModelDescr):
            errors = [error for one in read.validation_summary.details for error in one.errors]
            said = "; ".join(f"{'.'.join(map(str, one.loc))} {one.msg}".strip() for one in errors)
            versions = " and ".join(
                f"{name} {importlib.metadata.version(name)}" for name in _VALIDATOR
            )
            raise ExportError(
                f"bioimageio: {versions} find the package not valid, nothing was written: {said}"
            )
        spec.save_bioimageio_yaml_only(read, rdf)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the log of the tools of bioimage.io."""
    from loguru import logger

    logger.disable("bioimageio")
    logging.getLogger("bioimageio").setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.enable("bioimageio")
