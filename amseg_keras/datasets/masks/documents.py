"""JSON files of other programs, in whatever text encoding they were saved."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from amseg_keras.read import ReadError
from amseg_keras.read.errors import reading

_MOST_BYTES = 1 << 30
_OLD = ("gb18030", "big5", "cp1252")
"""Encodings of Windows, tried in the order of `_in_likely_order` where a file is no UTF-8."""

_NOT_CHINESE = re.compile("[\u0400-\u04ff\u2500-\u257f\u3040-\u312f]")
"""Cyrillic letters, box lines, kana and phonetic signs: what frequent characters of Big5 look like
when they are read as GB2312."""


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
        # UTF-16 and UTF-32 are known by their mark, or by the zero bytes of the first characters.
        unicode = json.detect_encoding(stored)
        try:
            return json.loads(stored.decode(unicode)), None
        except UnicodeDecodeError:
            pass
        for encoding in _in_likely_order(stored):
            try:
                text = stored.decode(encoding)
            except UnicodeDecodeError:
                continue
            return json.loads(text), (
                f"{path} is not UTF-8, read as {encoding.upper()}; if the names of its classes "
                "look wrong, save it as UTF-8"
            )
        raise ReadError(f"{path}: is text in no known encoding; save it as UTF-8")


def _in_likely_order(stored: bytes) -> tuple[str, ...]:
    """The encodings of Windows, the likeliest first.

    GB18030 takes nearly every text of Big5, as rare characters. So it goes first only if the text
    fits its core of frequent simplified characters, GB2312. The western one takes whatever is left.
    """
    try:
        is_simplified = _NOT_CHINESE.search(stored.decode("gb2312")) is None
    except UnicodeDecodeError:
        is_simplified = False
    return _OLD if is_simplified else ("big5", "gb18030", "cp1252")
