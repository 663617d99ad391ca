"""Downloading a file, over a connection that may break."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from amseg_keras.datasets.public.sources import PublicFile

Progress = Callable[[int, int | None], object]
"""Called with the bytes that are there and the bytes there will be, None if the server is mum."""

ATTEMPTS = 4
"""How often in a row nothing may arrive."""

WAIT_S = 1.0
"""Pause before the second attempt; it doubles with each further one."""

_TIMEOUT_S = 30.0
_WORTH_ANOTHER_TRY = (408, 429)


class DownloadError(RuntimeError):
    """A file that could not be downloaded; the message is one sentence for the user."""


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(file: PublicFile, folder: Path, progress: Progress = lambda done, total: None) -> Path:
    """Download a file into a folder unless it is there, going on where an earlier call stopped.

    What has arrived is kept in `NAME.part` until it is complete and its checksum right, so the
    file itself is never half there. Two processes should not download the same file at once.

    Returns:
        Where it is.

    Raises:
        DownloadError: There is no connection, no such file, or it is not the file expected.
        OSError: The folder cannot be written.
    """
    target = folder / file.name
    if target.is_file() and file.sha256 in (None, sha256_of(target)):
        return target
    folder.mkdir(parents=True, exist_ok=True)
    part, version = target.with_name(f"{file.name}.part"), target.with_name(f"{file.name}.version")
    with httpx.Client(follow_redirects=True, timeout=_TIMEOUT_S) as client:
        failures, most = 0, _size(part)
        while True:
            try:
                if _go_on(client, file.url, (part, version), progress):
                    break
            except httpx.HTTPError as error:
                # Counted anew only when more is there than ever before, so this comes to an end.
                failures = 1 if _size(part) > most else failures + 1
                most = max(most, _size(part))
                if failures >= ATTEMPTS:
                    raise DownloadError(
                        f"{file.url}: cannot be downloaded ({_reason(error)})"
                    ) from error
                time.sleep(WAIT_S * 2 ** (failures - 1))
    version.unlink(missing_ok=True)
    found = sha256_of(part)
    if file.sha256 is not None and found != file.sha256:
        part.unlink()
        raise DownloadError(
            f"{file.url}: what arrived has the SHA-256 {found}, not the {file.sha256} known here; "
            "the file was changed there or on the way"
        )
    os.replace(part, target)
    return target


def _go_on(client: httpx.Client, url: str, kept: tuple[Path, Path], progress: Progress) -> bool:
    """One request, for what is missing; whether the file is complete, else ask again."""
    part, version = kept
    have = _size(part) if version.is_file() else 0
    # A compressed answer would have other offsets than the file.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with client.stream("GET", url, headers=headers) as answer:
        tag = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        if answer.status_code == 416 and have:
            complete = answer.headers.get("Content-Range") == f"bytes */{have}"
            if complete and tag in ("", version.read_text("utf-8")):
                return True
            part.unlink()
            return False
        if 400 <= answer.status_code < 500 and answer.status_code not in _WORTH_ANOTHER_TRY:
            raise DownloadError(
                f"{url}: the server refuses it ({answer.status_code} {answer.reason_phrase}); "
                "the owners may have moved it"
            )
        answer.raise_for_status()
        if answer.status_code == 206:
            span = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
            if not span or int(span[1]) != have or tag != version.read_text("utf-8"):
                part.unlink()  # another file than the one that was begun
                return False
        else:
            have = 0
            part.unlink(missing_ok=True)
            # Without a version nobody could tell later whether the beginning belongs to the rest.
            version.unlink(missing_ok=True)
            if tag:
                version.write_text(tag, "utf-8")
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        with part.open("ab") as out:
            # As it comes off the line: larger pieces would be lost when it breaks.
            for piece in answer.iter_bytes():
                out.write(piece)
                progress(out.tell(), total)
    return True


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _reason(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.ConnectError):
        return "no connection"
    return " ".join(str(error).split())[:160] or type(error).__name__
