"""Define the error of this package, and turn errors of libraries into it."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from amseg_keras._on_demand import MissingPackageError


class ReadError(ValueError):
    """A file, folder or frame that cannot be read.

    The message is one sentence for the user: it begins with the file as it was given (with
    ``::dataset`` or the frame number where known), says what is wrong, and what to do.

    Example:
        >>> raise ReadError("run_07.tif: is empty (0 bytes); copy or export it again")
        Traceback (most recent call last):
        amseg_keras.read.errors.ReadError: run_07.tif: is empty (0 bytes); copy or export it again
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    """Replace the bytes of a file name that are not UTF-8, which cannot be printed or stored.

    Example:
        >>> import os
        >>> print(printable(os.fsdecode(b"s" + bytes([233]) + b"rie.tif")))
        s\\xe9rie.tif
    """
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


@contextmanager
def reading(where: str, kind: str) -> Iterator[None]:
    """Turn any error of a file library inside the block into a `ReadError`.

    Args:
        where: Start of the message: the file, perhaps with a frame number.
        kind: Format that the file was read as, for example ``"TIFF"``.

    Raises:
        ReadError: In place of any library exception and of a MemoryError, which stay chained as
            its cause.
    """
    try:
        yield
    except ReadError:
        raise
    except MemoryError as error:
        raise ReadError(
            f"{where}: needs more memory than this machine has ({_reason(error)}); if its size is "
            "not what you expect, it is damaged: copy or export it again"
        ) from error
    except PermissionError as error:
        raise ReadError(
            f"{where}: permission denied; ask its owner for the right to read it, or copy it"
        ) from error
    except FileNotFoundError as error:
        raise ReadError(f"{where}: no such file or folder; check the path") from error
    except MissingPackageError as error:
        raise ReadError(f"{where}: {error}") from error
    except Exception as error:
        raise ReadError(
            f"{where}: cannot be read as {kind} ({_reason(error)}); it may be damaged, cut short "
            "or of another type: copy or export it again"
        ) from error


def _reason(error: Exception) -> str:
    # OSError and PyAV put the path into str(); strerror is the reason alone.
    text = str(getattr(error, "strerror", None) or error) or type(error).__name__
    return " ".join(text.split())[:160]


@contextmanager
def quiet(*loggers: str) -> Iterator[list[logging.LogRecord]]:
    """Silence these loggers in this thread, and yield their messages as a list.

    Other loggers, and the same loggers in other threads, keep the settings of the user.
    """
    thread = threading.get_ident()
    records: list[logging.LogRecord] = []

    def catch(record: logging.LogRecord) -> bool:
        if record.thread != thread:
            return True
        records.append(record)
        return False

    targets = [logging.getLogger(name) for name in loggers]
    for target in targets:
        target.addFilter(catch)
    try:
        yield records
    finally:
        for target in targets:
            target.removeFilter(catch)
