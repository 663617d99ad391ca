"""The networks that a visitor can choose from, loaded when they are first asked for."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from amseg_keras import Segmenter, from_pretrained, list_presets
from amseg_keras.pretrained import PresetError, PresetInfo, find_preset
from amseg_keras.pretrained.preset import read_info, weights_digest

LONGEST_S = 2.0
"""A visitor should not wait longer for a frame; else the smaller network is offered first."""

KEPT = 2
"""Networks in memory at a time."""

LITE = "-lite"
"""What the name of a smaller network has behind that of the larger."""

_FRAME = (256, 512)


@dataclass(frozen=True, eq=False)
class Network:
    """A network that is ready.

    Attributes:
        segmenter: The network.
        digest: SHA-256 of its weights.
    """

    segmenter: Segmenter
    digest: str


class Networks:
    """Presets by the names that visitors see.

    Args:
        given: Presets that the server's owner wants first: names, folders or repositories; after
            them come all that the package has.

    Attributes:
        infos: What each is, by its name.

    Raises:
        PresetError: One of those given cannot be found.
    """

    def __init__(self, given: Sequence[str | os.PathLike[str]] = ()) -> None:
        self._folders: dict[str, Path] = {}
        self.infos: dict[str, PresetInfo] = {}
        for preset in (*given, *list_presets()):
            # Of a folder its name alone: where it lies is nobody's business.
            name = os.fspath(preset).removeprefix("hf://")
            name = Path(name).resolve().name if Path(name).is_dir() else name
            if name not in self._folders:
                self._folders[name] = find_preset(preset)
                self.infos[name] = read_info(self._folders[name], name)
        if not self._folders:
            raise PresetError("there is no preset here; give one with --model")
        self._loaded: OrderedDict[str, Network] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def names(self) -> list[str]:
        """Of all of them, the owner's first."""
        return list(self._folders)

    def load(self, name: str) -> Network:
        """A network, from memory if it was used lately.

        Raises:
            PresetError: It cannot be read.
        """
        with self._lock:
            if name not in self._loaded:
                folder = self._folders[name]
                self._loaded[name] = Network(from_pretrained(folder), weights_digest(folder))
            self._loaded.move_to_end(name)
            while len(self._loaded) > KEPT:
                self._loaded.popitem(last=False)
            return self._loaded[name]

    def choose(self, longest_s: float = LONGEST_S) -> tuple[str, str]:
        """The network that is offered first, after one frame to see how fast it is.

        Args:
            longest_s: Seconds that a frame of 256 x 512 pixels may take.

        Returns:
            Its name, and a sentence on how fast it is here.

        Raises:
            PresetError: It cannot be read.
        """
        first = self.names[0]
        seconds = _seconds_a_frame(self.load(first).segmenter)
        lite = f"{first}{LITE}"
        if seconds > longest_s and lite in self._folders:
            return lite, (
                f"{lite} is chosen because {first} takes {seconds:.2g} s a frame on this server; "
                "its labels are coarser."
            )
        return first, f"{first} takes about {seconds:.2g} s a frame on this server."


def _seconds_a_frame(segmenter: Segmenter) -> float:
    frame = np.zeros(_FRAME, np.uint8)
    segmenter.segment(frame)  # the first one is compiled
    started = time.perf_counter()
    segmenter.segment(frame)
    return time.perf_counter() - started
