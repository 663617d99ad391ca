"""Find the folder of a preset by its name."""

from __future__ import annotations

import difflib
import os
from importlib.resources import files
from pathlib import Path

from amseg_keras.pretrained import hub
from amseg_keras.pretrained.preset import PREPROCESSING, PresetInfo, read_info
from amseg_keras.pretrained.safety import PresetError

AUTO = "auto"
"""Name that stands for the preset that measures best; `amseg segment` uses it by default."""

BEST = "amsegnet-movie"
"""Preset that measures best on recordings: benchmarks/README.md, "Accuracy on frames that no
training has seen"."""

BEST_FOR_A_FRAME = "amsegnet-esrf-lite"
"""Preset that measures best on single frames, by the same table."""


def list_presets() -> dict[str, PresetInfo]:
    """List the presets in the package, which need no internet, by name.

    Each tells its classes, pixel size and what it was trained on.

    Example:
        >>> list_presets()["amsegnet-esrf"].class_names
        ('background', 'powder', 'substrate', 'keyhole', 'pore')
    """
    folders = sorted(path.parent for path in _embedded().glob(f"*/{PREPROCESSING}"))
    return {folder.name: read_info(folder, folder.name) for folder in folders}


def find_preset(name: str | os.PathLike[str], revision: str | None = None) -> Path:
    """Find the folder of a preset, and download it if necessary.

    Args:
        name: one of `list_presets()`, a folder, `owner/repo` or `hf://owner/repo`; `"auto"` for
            the preset of the package that measures best on recordings. A folder that exists comes
            before a repository of the same name.
        revision: tag, branch or commit of a repository.

    Returns:
        Where it is on disk.

    Raises:
        PresetError: there is no such preset; the message lists those that are.

    Example:
        >>> folder = find_preset("amsegnet-esrf-lite")
        >>> (folder / "model.weights.h5").is_file()
        True
        >>> find_preset("auto").name
        'amsegnet-movie'
        >>> find_preset("amsegnet-esrf-lite", revision="v2")
        Traceback (most recent call last):
        amseg_keras.pretrained.safety.PresetError: amsegnet-esrf-lite: revision='v2' needs a
        repository, owner/repo
    """
    text = os.fspath(name)
    if text == AUTO and not Path(text).is_dir():
        text = BEST
    if text.startswith("hf://"):
        return hub.pull(text.removeprefix("hf://"), revision)
    embedded = list_presets()
    folder = Path(text)
    if text in embedded:
        folder = _embedded() / text
    elif not folder.is_dir():
        if hub.REPOSITORY.fullmatch(text) and not text.startswith("."):
            return hub.pull(text, revision)
        close = difflib.get_close_matches(text, embedded, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise PresetError(
            f"{text}: no preset, folder or repository (owner/repo) of this name; {hint}"
            f"presets: {', '.join(embedded)}"
        )
    if revision is not None:
        raise PresetError(f"{text}: revision={revision!r} needs a repository, owner/repo")
    return folder


def _embedded() -> Path:
    """Return the folder of presets in an installed package, or `hub` in a checkout."""
    package = Path(str(files("amseg_keras")))
    installed = package / "presets"
    return installed if installed.is_dir() else package.parent / "hub"
