"""Files that are either complete or not there."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def complete_or_absent(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` with the same suffix, and rename it when all went well.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "frames.csv"
        >>> with complete_or_absent(target) as temporary:
        ...     _ = temporary.write_text("frame")
        >>> target.read_text()
        'frame'
    """
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
