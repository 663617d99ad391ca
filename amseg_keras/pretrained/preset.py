"""A preset: a network with its weights, and all that is needed to use them on a frame.

On disk it is a folder that `keras.saving.load_model` reads too:

    config.json          the network, as Keras writes it
    metadata.json        the Keras version that wrote it
    model.weights.h5     the weights
    preprocessing.json   grey levels, class names, pixel size, what it was trained on
    README.md            the model card
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from amseg_keras.preprocess import GreyScaling
from amseg_keras.pretrained.card import model_card
from amseg_keras.pretrained.half_precision import halve_weights
from amseg_keras.pretrained.safe_config import read_safe_config

CONFIG = "config.json"
METADATA = "metadata.json"
WEIGHTS = "model.weights.h5"
PREPROCESSING = "preprocessing.json"
CARD = "README.md"
PRESET_FILES = (CONFIG, METADATA, WEIGHTS, PREPROCESSING, CARD)
REQUIRED_FILES = (CONFIG, WEIGHTS, PREPROCESSING)

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


class PresetError(ValueError):
    """A preset that cannot be found, read or trusted; the message says which and what to do."""


@dataclass(frozen=True)
class PresetInfo:
    """What a preset is, without its weights.

    Args:
        name: how it is asked for, or the folder's name.
        class_names: one for each channel of the output, in order.
        scaling: the grey levels it was trained on.
        pixel_size_um: size of a pixel in the frames it was trained on, `None` if not known.
        trained_on: one sentence on the training data; says so when they were simulated.
    """

    name: str
    class_names: tuple[str, ...]
    scaling: GreyScaling
    pixel_size_um: float | None
    trained_on: str

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
        PresetError: the file is missing or does not say what it must.
    """
    path = folder / PREPROCESSING
    try:
        record: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return PresetInfo(
            name=name or str(record.get("name", folder.name)),
            class_names=tuple(str(name) for name in record["class_names"]),
            scaling=GreyScaling(**record["grey_levels"]),
            pixel_size_um=None if (size := record["pixel_size_um"]) is None else float(size),
            trained_on=str(record["trained_on"]),
        )
    except FileNotFoundError as error:
        raise PresetError(
            f"{folder}: not a preset folder, {PREPROCESSING} is missing; "
            "Segmenter.save_pretrained writes one"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PresetError(f"{path}: not a valid preset description ({error!r})") from error


def read_model(folder: Path, info: PresetInfo) -> keras.Model:
    """Build a preset's network and load its weights; runs no code that came with them.

    Raises:
        PresetError: a file is missing or broken, the configuration names anything but known
            layers, or the weights, the network and the class names do not fit one another.
    """
    arrays = _checked_arrays(folder)
    try:
        config = read_safe_config(folder / CONFIG)
    except ValueError as error:
        raise PresetError(str(error)) from error
    try:
        model = keras.saving.deserialize_keras_object(config, safe_mode=True)
    except Exception as error:  # Keras raises many kinds on a config that does not fit together
        raise PresetError(
            f"{folder / CONFIG}: no network can be built from it ({error})"
        ) from error
    channels = model.output_shape[-1] if isinstance(model.output_shape, tuple) else None
    if channels != len(info.class_names) or model.input_shape[-1] != 1:
        raise PresetError(
            f"{folder}: the network turns {model.input_shape} into {model.output_shape}, but "
            f"{PREPROCESSING} names {len(info.class_names)} classes of grey frames"
        )
    # Keras leaves weights that the file does not have at their random start
    if arrays != len(model.weights):
        raise PresetError(
            f"{folder / WEIGHTS}: holds {arrays} arrays, but the network in {CONFIG} has "
            f"{len(model.weights)} weights"
        )
    try:
        model.load_weights(folder / WEIGHTS)
    except Exception as error:  # as above
        reason = str(error).strip().splitlines()[0]
        raise PresetError(
            f"{folder / WEIGHTS}: the weights do not fit the network in {CONFIG} ({reason})"
        ) from error
    if not all(np.isfinite(weight).all() for weight in model.get_weights()):
        raise PresetError(f"{folder / WEIGHTS}: holds NaN or infinite weights")
    return model


def write_preset(
    folder: str | os.PathLike[str],
    model: keras.Model,
    info: PresetInfo,
    card: str | None = None,
    half_precision: bool = False,
) -> Path:
    """Write a preset folder; an existing preset is replaced only when the new one is complete.

    Args:
        folder: where to; created. Files of other names in it are left alone.
        model: the network with its weights; how it was compiled is not written.
        info: the description.
        card: text of the model card; by default one made from `info`.
        half_precision: write kernels as float16.

    Returns:
        The folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    uncompiled = type(model).from_config(model.get_config())
    uncompiled.set_weights(model.get_weights())
    record = description(info)
    with tempfile.TemporaryDirectory(prefix=".preset-", dir=folder) as scratch:
        new = Path(scratch) / "preset"
        keras.saving.save_model(uncompiled, new, zipped=False)
        if half_precision:
            halve_weights(new / WEIGHTS)
        (new / PREPROCESSING).write_text(json.dumps(record, indent=2) + "\n", "utf-8")
        (new / CARD).write_text(card or model_card(info.name, record), "utf-8")
        for name in PRESET_FILES:
            os.replace(new / name, folder / name)
    return folder


def description(info: PresetInfo) -> dict[str, Any]:
    """What `preprocessing.json` says of a preset."""
    return {
        "format": 1,
        "name": info.name,
        "class_names": list(info.class_names),
        "grey_levels": asdict(info.scaling),
        "pixel_size_um": info.pixel_size_um,
        "trained_on": info.trained_on,
    }


def weights_digest(folder: Path) -> str:
    """SHA-256 of a preset's weights file, which tells one version from another."""
    with (folder / WEIGHTS).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_preset(source: Path, target: Path) -> None:
    """Copy the files of a preset, and none beside them."""
    target.mkdir(parents=True, exist_ok=True)
    for name in PRESET_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)


def _checked_arrays(folder: Path) -> int:
    """How many arrays a preset's weights file holds, after making sure that it is only that."""
    missing = [name for name in REQUIRED_FILES if not (folder / name).is_file()]
    if missing:
        raise PresetError(f"{folder}: not a preset folder, {', '.join(missing)} is missing")
    weights = folder / WEIGHTS
    with weights.open("rb") as file:
        if file.read(len(HDF5_SIGNATURE)) != HDF5_SIGNATURE:
            raise PresetError(
                f"{weights}: not an HDF5 file; weights in another form (a pickle, say) are not read"
            )
    try:
        with h5py.File(weights, "r") as file:
            return _plain_arrays(file, weights)
    except OSError as error:
        raise PresetError(f"{weights}: a truncated or broken HDF5 file ({error})") from error


def _plain_arrays(group: h5py.Group, weights: Path) -> int:
    """Count the arrays; refuse all that points to other files or is not plain numbers."""
    count = 0
    for key in group:
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            raise PresetError(
                f"{weights}: {group.name}/{key} is a link, which a preset may not hold"
            )
        item = group[key]
        if isinstance(item, h5py.Group):
            count += _plain_arrays(item, weights)
            continue
        if item.external or item.is_virtual:
            raise PresetError(f"{weights}: {item.name} is stored in another file")
        if item.dtype.kind != "f":
            raise PresetError(f"{weights}: {item.name} holds {item.dtype}, not numbers")
        count += 1
    return count
