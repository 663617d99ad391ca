"""JSON files of other programs, in whatever text encoding they were saved."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

from amseg_keras.read import ReadError
from amseg_keras.read.errors import reading

_MOST_BYTES = 1 << 30
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_OLD = ("gb18030", "cp1252")
"""Encodings of Windows, tried where a file is no UTF-8: the Chinese one, which most text of others
does not fit, before the western one."""


def read_json(path: Path, kind: str) -> tuple[Any, str | None]:
    """Read a JSON file.

    Args:
        path: The file.
        kind: What it is read as, for errors, such as ``"COCO JSON"``.

    Returns:
        What it holds, and a sentence if its encoding had to be guessed.

    Raises:
        ReadError: It is no JSON, or larger than 1 GiB.
    """
    with reading(str(path), kind):
        if path.stat().st_size > _MOST_BYTES:
            raise ReadError(f"{path}: is larger than 1 GiB; split it into several files")
        stored = path.read_bytes()
        marked = next((name for mark, name in _MARKS.items() if stored.startswith(mark)), None)
        if marked is not None:
            return json.loads(stored.decode(marked)), None
        try:
            return json.loads(stored.decode("utf-8")), None
        except UnicodeDecodeError:
            pass
        for encoding in _OLD:
            try:
                text = stored.decode(encoding)
            except UnicodeDecodeError:
                continue
            return json.loads(text), (
                f"{path} is not UTF-8, read as {encoding.upper()}; if the names of its classes "
                "look wrong, save it as UTF-8"
            )
        raise ReadError(f"{path}: is text in no known encoding; save it as UTF-8")
