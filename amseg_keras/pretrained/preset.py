"""A preset: a network with its weights, and all that is needed to use them on a frame.

On disk it is a folder that `keras.saving.load_model` reads too:

    config.json          the network, as Keras writes it
    metadata.json        the Keras version that wrote it
    model.weights.h5     the weights
    preprocessing.json   input channels, grey levels, class names, pixel size, what it was trained
                         on, and the SHA-256 of the weights
    README.md            the model card
    applicability.json   what recordings it is good for look like; may be missing
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import re
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from amseg_keras.applicability.knowledge import FILE as APPLICABILITY
from amseg_keras.applicability.knowledge import Knowledge, read_knowledge
from amseg_keras.atomic import complete_or_absent
from amseg_keras.models.ends import refuse_other_sizes
from amseg_keras.preprocess import Channels, GreyScaling
from amseg_keras.pretrained.card import model_card
from amseg_keras.pretrained.safety import (
    MAX_PARAMETERS,
    MAX_WEIGHTS_BYTES,
    PresetError,
    check_weights,
    checked_text,
    parameters,
    plain_text,
    read_safe_config,
)

if TYPE_CHECKING:
    import keras

CONFIG = "config.json"
METADATA = "metadata.json"
WEIGHTS = "model.weights.h5"
PREPROCESSING = "preprocessing.json"
CARD = "README.md"
PRESET_FILES = (CONFIG, METADATA, WEIGHTS, PREPROCESSING, CARD)
ALL_FILES = (*PRESET_FILES, APPLICABILITY)
"""Files of a preset, with the file that may be missing."""
REQUIRED_FILES = (CONFIG, WEIGHTS, PREPROCESSING)

MAX_TEXT_BYTES = 1 << 20
"""Largest size of a text file that is read, in bytes."""

FORMAT = 2
"""Version of `preprocessing.json`. Version 1 has no channels: its networks take the frame."""

WEIGHTS_SHA256 = "weights_sha256"
"""Key in `preprocessing.json`; presets written before it was there have none."""


@dataclass(frozen=True)
class PresetInfo:
    """Description of a preset, without its weights.

    Args:
        name: name of the preset, or of its folder.
        class_names: one for each channel of the output, in order.
        scaling: scaling of the grey levels in the training.
        pixel_size_um: size of a pixel in the frames it was trained on, `None` if not known.
        trained_on: one sentence on the training data; says so when they were simulated.
        channels: input channels of the network.

    Raises:
        ValueError: class names are missing, repeat or are more than 255, or the pixel size cannot
            be.

    Example:
        >>> from amseg_keras import list_presets
        >>> info = list_presets()["amsegnet-esrf"]
        >>> info.class_names.index("keyhole"), info.pixel_size_um, info.scaling.high_percent
        (3, 4.31, 99.9)
    """

    name: str
    class_names: tuple[str, ...]
    scaling: GreyScaling
    pixel_size_um: float | None
    trained_on: str
    channels: Channels = field(default_factory=Channels)

    def __post_init__(self) -> None:
        if not self.class_names or len(set(self.class_names)) != len(self.class_names):
            raise ValueError(f"class names {self.class_names} are empty or repeat")
        if len(self.class_names) > 255:
            raise ValueError("more than 255 classes do not fit a uint8 label map")
        if not all(name and name.isprintable() for name in self.class_names):
            raise ValueError(f"class names {self.class_names} must be printable text")
        if self.pixel_size_um is not None and not 0 < self.pixel_size_um < 1e6:
            raise ValueError(f"a pixel size of {self.pixel_size_um} um cannot be")

    def __str__(self) -> str:
        return f"{self.name}: {', '.join(self.class_names)}; {self.trained_on}"


def read_info(folder: Path, name: str | None = None) -> PresetInfo:
    """Read a preset folder's `preprocessing.json`.

    Raises:
        PresetError: the file is missing or does not say what it must, or says it in markup.
    """
    record = _read_record(folder)
    try:
        _check_format(record.get("format", 1))
        return PresetInfo(
            name=name or _checked_name(record.get("name", folder.name)),
            class_names=tuple(checked_text(one, "class name") for one in record["class_names"]),
            scaling=GreyScaling(**record["grey_levels"]),
            pixel_size_um=None if (size := record["pixel_size_um"]) is None else float(size),
            trained_on=checked_text(record["trained_on"], "trained_on"),
            channels=_channels(record),
        )
    except (ValueError, KeyError, TypeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise PresetError(
            f"{folder / PREPROCESSING}: not a valid preset description ({reason})"
        ) from error


def read_checked_config(folder: Path) -> dict[str, Any]:
    """Check the files of a preset, and read the configuration of its network.

    Raises:
        PresetError: A file is missing or broken, the weights are not the weights that the preset
            was written with, or the configuration names anything but known layers.
    """
    check_files(folder)
    try:
        return read_safe_config(folder / CONFIG)
    except ValueError as error:
        raise PresetError(str(error)) from error


def read_model(folder: Path, info: PresetInfo) -> keras.Model:
    """Build a preset's network and load its weights; runs no code that came with them.

    Raises:
        PresetError: a file is missing or broken, the weights are not those that the preset was
            written with, the configuration names anything but known layers, or the weights, the
            network and the class names do not fit one another.
    """
    config = read_checked_config(folder)
    # First without memory for its weights: how much that is, a config decides.
    outline = _outline(folder, config)
    classes = outline.output_shape[-1] if isinstance(outline.output_shape, tuple) else None
    if classes != len(info.class_names) or outline.input_shape[-1] != len(info.channels):
        raise PresetError(
            f"{folder}: the network turns {outline.input_shape} into {outline.output_shape}, but "
            f"{PREPROCESSING} names {len(info.class_names)} classes of {info.channels!s}"
        )
    shapes = [tuple(weight.shape) for weight in outline.weights]
    if sum(map(parameters, shapes)) > MAX_PARAMETERS:
        raise PresetError(
            f"{folder / CONFIG}: a network of {sum(map(parameters, shapes)):,} weights; more than "
            f"{MAX_PARAMETERS:,} are not loaded"
        )
    check_weights(folder / WEIGHTS, shapes)
    model = _build(folder, config)
    try:
        model.load_weights(folder / WEIGHTS)
    except Exception as error:  # Keras raises many kinds
        reason = _first_line(error)
        raise PresetError(
            f"{folder / WEIGHTS}: the weights do not fit the network in {CONFIG} ({reason})"
        ) from error
    if not all(np.isfinite(weight).all() for weight in model.get_weights()):
        raise PresetError(f"{folder / WEIGHTS}: holds NaN or infinite weights")
    return refuse_other_sizes(model)


def check_files(folder: Path) -> None:
    """Make sure that a preset's files are there, not too large, and have the recorded weights.

    Raises:
        PresetError: they are not; the message names the file.
    """
    missing = [name for name in REQUIRED_FILES if not (folder / name).is_file()]
    if missing:
        raise PresetError(f"{folder}: not a preset folder, {', '.join(missing)} is missing")
    for name in ALL_FILES:
        _check_link(folder, name)
    weights = folder / WEIGHTS
    if weights.stat().st_size > MAX_WEIGHTS_BYTES:
        raise PresetError(
            f"{weights}: larger than {MAX_WEIGHTS_BYTES >> 20} MiB, which is not read"
        )
    if (folder / CARD).is_file():
        _read_text(folder / CARD)
    recorded = _read_record(folder).get(WEIGHTS_SHA256)
    if recorded is not None and recorded != weights_digest(folder):
        raise PresetError(
            f"{weights}: not the weights that {PREPROCESSING} records (another SHA-256): broken on "
            "the way here, or exchanged; get the preset again"
        )


def write_preset(
    folder: str | os.PathLike[str],
    model: keras.Model,
    info: PresetInfo,
    card: str | None = None,
    half_precision: bool = False,
) -> Path:
    """Write a preset folder; an existing preset is replaced only when the new one is complete.

    Args:
        folder: output folder, made if missing. Other files in it are left alone.
        model: network with its weights; its compilation is not written.
        card: text of the model card; by default one made from `info`.
        half_precision: write kernels as float16.

    Returns:
        The folder.
    """
    import keras

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    uncompiled = type(model).from_config(model.get_config())
    uncompiled.set_weights(model.get_weights())
    record = description(info)
    card = card or model_card(info.name, record)
    with tempfile.TemporaryDirectory(prefix=".preset-", dir=folder) as scratch:
        new = Path(scratch) / "preset"
        keras.saving.save_model(uncompiled, new, zipped=False)
        if half_precision:
            halve_weights(new / WEIGHTS)
        record[WEIGHTS_SHA256] = weights_digest(new)
        (new / PREPROCESSING).write_text(json.dumps(record, indent=2) + "\n", "utf-8")
        (new / CARD).write_text(card, "utf-8")
        # Statistics of the weights that are replaced say nothing of the new ones.
        (folder / APPLICABILITY).unlink(missing_ok=True)
        for name in PRESET_FILES:
            os.replace(new / name, folder / name)
    return folder


def read_known(folder: Path) -> Knowledge | None:
    """Read what recordings a preset is good for; None if it does not say.

    Raises:
        PresetError: `applicability.json` is there and is not valid, is a link out of the preset, or
            was made for other weights.
    """
    _check_link(folder, APPLICABILITY)
    try:
        known = read_knowledge(folder)
    except ValueError as error:
        raise PresetError(str(error)) from error
    if known is not None and known.weights_sha256 != weights_digest(folder):
        raise PresetError(
            f"{folder / APPLICABILITY}: was made for other weights; delete it, or run "
            "hub/calibrate_applicability.py again"
        )
    return known


def description(info: PresetInfo) -> dict[str, Any]:
    """Return the entries of `preprocessing.json`, without the SHA-256 of the weights."""
    return {
        "format": FORMAT,
        "name": plain_text(info.name).replace("/", "-"),
        "class_names": list(info.class_names),
        "channels": info.channels.description(),
        "grey_levels": asdict(info.scaling),
        "pixel_size_um": info.pixel_size_um,
        "trained_on": plain_text(info.trained_on),
    }


def weights_digest(folder: Path) -> str:
    """Compute the SHA-256 of a preset's weights file, which identifies its version."""
    with (folder / WEIGHTS).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_preset(source: Path, target: Path) -> None:
    """Copy the files of a preset, and none beside them, each whole or not at all."""
    target.mkdir(parents=True, exist_ok=True)
    for name in ALL_FILES:
        if (source / name).is_file():
            with complete_or_absent(target / name) as temporary:
                shutil.copyfile(source / name, temporary)


def _read_record(folder: Path) -> dict[str, Any]:
    """Read `preprocessing.json` as data, without checks."""
    path = folder / PREPROCESSING
    if not path.is_file():
        raise PresetError(
            f"{folder}: not a preset folder, {PREPROCESSING} is missing; "
            "Segmenter.save_pretrained writes one"
        )
    _check_link(folder, PREPROCESSING)
    try:
        record = json.loads(_read_text(path))
    except PresetError:
        raise
    except (ValueError, RecursionError) as error:  # also a number of too many digits
        raise PresetError(f"{path}: not a JSON file ({error})") from error
    if not isinstance(record, dict):
        raise PresetError(f"{path}: not a valid preset description (no JSON object)")
    return record


def _check_link(folder: Path, name: str) -> None:
    """Refuse a file that is a link out of its preset; the Hub's cache links to its own blobs."""
    path = folder / name
    if not path.is_symlink():
        return
    target, home = path.resolve(), folder.resolve()
    # Blobs of one repository, or of all that the cache holds.
    blobs = home.parent.parent / "blobs", home.parent.parent.parent / "blobs"
    cached = home.parent.name == "snapshots" and any(map(target.is_relative_to, blobs))
    if not target.is_relative_to(home) and not cached:
        raise PresetError(
            f"{path}: is a link to {target}, outside the preset, and is not followed; copy the file"
        )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _check_format(version: object) -> None:
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ValueError(f"format {str(version)[:20]!r} is no version")
    if version > FORMAT:
        raise ValueError(
            f"it was written by a newer amseg-keras, as format {version}; this one reads formats "
            f"up to {FORMAT}: update amseg-keras"
        )


def _channels(record: dict[str, Any]) -> Channels:
    if record.get("format", 1) == 1:
        return Channels()
    return Channels.from_description(record["channels"])


def _checked_name(name: object) -> str:
    if re.search(r"[/\\]", text := checked_text(name, "name")):
        raise ValueError(f"name holds a path: {text!r}")
    return text


def _read_text(path: Path) -> str:
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise PresetError(f"{path}: larger than {MAX_TEXT_BYTES >> 20} MiB, which is not read")
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PresetError(f"{path}: not a text file ({error})") from error


def _outline(folder: Path, config: dict[str, Any]) -> keras.Model:
    """Build the network with weights that have a shape and no values."""
    import keras

    def build() -> keras.Model:
        with keras.StatelessScope(initialize_variables=False):
            return _build(folder, config)

    # Keras gives such weights their values the next time that it traces a layer in this thread.
    with ThreadPoolExecutor(1) as other:
        return other.submit(build).result()


def _build(folder: Path, config: dict[str, Any]) -> keras.Model:
    import keras

    try:
        # Keras takes the config apart while it reads it
        return keras.saving.deserialize_keras_object(copy.deepcopy(config), safe_mode=True)
    except Exception as error:  # Keras raises many kinds on a config that does not fit together
        reason = _first_line(error)
        raise PresetError(
            f"{folder / CONFIG}: no network can be built from it ({reason})"
        ) from error


LARGEST_HALF = float(np.finfo(np.float16).max)


def halve_weights(weights_file: Path) -> None:
    """Rewrite a Keras `.weights.h5` file with its kernels as float16, in place and atomically.

    Vectors (biases and batch-norm statistics: 0.2 % of the bytes) stay in float32, since a variance
    may lie outside float16's range; so does a kernel that does. Keras casts back on loading.
    """
    temporary = weights_file.with_name(weights_file.name + ".half")
    with h5py.File(weights_file, "r") as source, h5py.File(temporary, "w") as target:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):
                copied = target.create_dataset(name, data=_halved(item[()]))
            else:
                copied = target.require_group(name)
            copied.attrs.update(item.attrs)

        target.attrs.update(source.attrs)
        source.visititems(copy)
    os.replace(temporary, weights_file)


def _halved(values: np.ndarray) -> np.ndarray:
    is_kernel = values.dtype == np.float32 and values.ndim >= 2
    if is_kernel and np.abs(values).max(initial=0) <= LARGEST_HALF:
        return values.astype(np.float16)
    return values
