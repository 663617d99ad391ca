"""The networks that a visitor can choose from, by the names that visitors see."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

from amseg_keras.pretrained import PresetError, PresetInfo, find_preset, list_presets
from amseg_keras.pretrained.preset import read_info


class Networks:
    """Presets by name; no network is loaded here.

    Args:
        given: Presets that the server's owner wants first: names, folders or repositories; after
            them come all that the package has.

    Attributes:
        infos: Description of each preset, by its name.
        folders: Folder of each preset, by its name.

    Raises:
        PresetError: One of those given cannot be found.
    """

    def __init__(self, given: Sequence[str | os.PathLike[str]] = ()) -> None:
        self.folders: dict[str, Path] = {}
        self.infos: dict[str, PresetInfo] = {}
        self._lock = threading.Lock()
        for preset in (*given, *list_presets()):
            # Of a folder its name alone: where it lies is nobody's business.
            name = os.fspath(preset).removeprefix("hf://")
            name = Path(name).resolve().name if Path(name).is_dir() else name
            if name not in self.folders:
                self.add(name, find_preset(preset))
        if not self.folders:
            raise PresetError("there is no preset here; give one with --model")

    def add(self, name: str, folder: Path) -> None:
        """Offer another preset.

        Args:
            name: Name for visitors.
            folder: Folder of the preset.
        """
        with self._lock:
            self.infos[name] = read_info(folder, name)
            self.folders[name] = folder
