"""Figures as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from amseg_keras.atomic import complete_or_absent

# The same figure is the same file, byte for byte: no date of its making in it.
_NO_DATE = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}


def save_figure(figure: Figure, stem: Path, kinds: Sequence[str] = ("png", "pdf")) -> list[Path]:
    """Write a figure as a picture and as vector graphics, whose texts stay texts.

    Args:
        figure: to be written.
        stem: path of the files without its ending.
        kinds: endings: png, pdf, svg.

    Returns:
        The files.

    Example:
        >>> import tempfile
        >>> stem = Path(tempfile.mkdtemp()) / "power_speed"
        >>> [path.name for path in save_figure(Figure(figsize=(1, 1)), stem)]
        ['power_speed.png', 'power_speed.pdf']
    """
    paths = []
    for kind in kinds:
        path = stem.with_name(f"{stem.name}.{kind}")
        with (
            complete_or_absent(path) as temporary,
            matplotlib.rc_context({"pdf.fonttype": 42, "svg.fonttype": "none"}),
        ):
            figure.savefig(temporary, dpi=150, metadata=_NO_DATE[kind])
        paths.append(path)
    return paths
