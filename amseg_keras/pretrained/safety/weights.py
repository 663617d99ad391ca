"""Refuse a weights file that holds anything but the numbers of its network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from amseg_keras.pretrained.errors import PresetError

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"

MAX_PARAMETERS = 1 << 27
"""Eight times those of AM-SegNet; 512 MiB in single precision."""

MAX_WEIGHTS_BYTES = 8 * MAX_PARAMETERS
"""In double precision."""


def check_weights(weights: Path, shapes: Sequence[tuple[int, ...]]) -> None:
    """Make sure that a file holds plain numbers, as many as a network has, before they are read.

    Nothing but the file's table of contents is read.

    Args:
        weights: an HDF5 file.
        shapes: of the weights of the network.

    Raises:
        PresetError: it is no HDF5 file or a broken one, holds links, other files, compressed or
            other than plain numbers, or more or fewer than the network has.
    """
    with weights.open("rb") as file:
        if file.read(len(HDF5_SIGNATURE)) != HDF5_SIGNATURE:
            raise PresetError(
                f"{weights}: not an HDF5 file; weights in another form (a pickle, say) are not read"
            )
    try:
        with h5py.File(weights, "r") as file:
            sizes = _Contents(weights).sizes(file)
    except PresetError:
        raise
    except (OSError, RuntimeError, ValueError, KeyError) as error:  # of h5py, on broken files
        raise PresetError(f"{weights}: a truncated or broken HDF5 file ({error})") from error
    # Keras leaves weights that the file does not have at their random start
    if len(sizes) != len(shapes):
        raise PresetError(
            f"{weights}: holds {len(sizes)} arrays, but the network has {len(shapes)} weights"
        )
    if sum(sizes) != (numbers := sum(map(parameters, shapes))):
        raise PresetError(
            f"{weights}: holds {sum(sizes):,} numbers, but the network has {numbers:,}"
        )


def parameters(shape: tuple[int, ...]) -> int:
    """Numbers in an array; unlike `numpy.prod` right for any size."""
    count = 1
    for side in shape:
        count *= int(side)
    return count


class _Contents:
    """The arrays of an HDF5 file, each group looked at once."""

    def __init__(self, weights: Path) -> None:
        self.weights = weights
        self.seen: set[int] = set()

    def sizes(self, group: h5py.Group) -> list[int]:
        """How many numbers each array holds; refuses all that is not plain numbers, here."""
        found = []
        for key in group:
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise self._refused(f"{group.name}/{key} is a link, which a preset may not hold")
            item = group[key]
            address = h5py.h5o.get_info(item.id).addr
            if address in self.seen:
                raise self._refused(f"{item.name} is in it twice, which a preset may not be")
            self.seen.add(address)
            if isinstance(item, h5py.Group):
                found += self.sizes(item)
            else:
                found.append(self._size(item))
        return found

    def _size(self, item: h5py.HLObject) -> int:
        if not isinstance(item, h5py.Dataset):
            raise self._refused(f"{item.name} is not an array")
        if item.external or item.is_virtual:
            raise self._refused(f"{item.name} is stored in another file")
        if item.dtype.kind != "f":
            raise self._refused(f"{item.name} holds {item.dtype}, not numbers")
        count = parameters(item.shape)
        if item.id.get_storage_size() < count * np.dtype(item.dtype).itemsize:
            raise self._refused(
                f"{item.name} would be larger in memory than in the file, which Keras' own are not"
            )
        return count

    def _refused(self, why: str) -> PresetError:
        return PresetError(f"{self.weights}: {why}")
