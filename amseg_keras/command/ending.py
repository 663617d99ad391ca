"""Show the progress of a command, and end it: done, with errors, or interrupted."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from amseg_keras._on_demand import MissingPackageError, install_keras

if TYPE_CHECKING:
    from tqdm import tqdm

    from amseg_keras.datasets import Dataset

INTERRUPTED, TERMINATED = 130, 143
"""Exit codes after Ctrl-C and after SIGTERM, as shells know them."""

_LISTED = 3


class TerminatedError(KeyboardInterrupt):
    """SIGTERM has asked the command to end; it is handled as Ctrl-C is."""


class InterruptibleGroup(click.Group):
    """A group of commands that end with one sentence on Ctrl-C and on SIGTERM."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            with one_sentence_when_interrupted():
                return super().invoke(ctx)
        except MissingPackageError as error:
            raise click.ClickException(str(error)) from error
        except ImportError as error:
            sentence = install_keras(error, f"amseg {ctx.invoked_subcommand}")
            if sentence is None:
                raise
            raise click.ClickException(sentence) from error


@contextmanager
def one_sentence_when_interrupted() -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into one sentence and exit code 130 or 143.

    The notes of the exception say what is unfinished and how to continue.
    """
    before = _raise_on_sigterm()
    try:
        yield
    except KeyboardInterrupt as error:
        terminated = isinstance(error, TerminatedError)
        notes = list(getattr(error, "__notes__", []))
        if len(notes) > _LISTED:
            notes = [*notes[:_LISTED], f"and so are {len(notes) - _LISTED} more"]
        click.echo("; ".join(["terminated" if terminated else "interrupted", *notes]), err=True)
        raise SystemExit(TERMINATED if terminated else INTERRUPTED) from None
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _raise_on_sigterm() -> Any:
    """Have SIGTERM raise; what handled it before, None outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return None

    def end(number: int, frame: FrameType | None) -> None:
        raise TerminatedError

    return signal.signal(signal.SIGTERM, end)


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turn an error in what the user gave into one sentence and exit code 1."""
    from amseg_keras.datasets.public import DownloadError
    from amseg_keras.datasets.statistics import SplitError
    from amseg_keras.read import ReadError
    from amseg_keras.runs import OutputError

    try:
        yield
    except (ReadError, SplitError, DownloadError, OutputError) as error:
        click.echo(f"amseg: {error}", err=True)
        raise SystemExit(1) from error
    except OSError as error:
        click.echo(f"amseg: {error.filename}: {error.strerror or error}", err=True)
        raise SystemExit(1) from error


def open_and_say(folder: Path) -> Dataset:
    """Open a data set, and say what was assumed."""
    from amseg_keras.datasets import open_dataset

    data = open_dataset(folder)
    say(data.assumed)
    return data


def say(notes: Iterable[str]) -> None:
    """Say notes where results do not go."""
    for note in notes:
        click.echo(f"  {note}", err=True)


def advance(bar: tqdm, done: float) -> None:
    """Bring a progress bar to `done`."""
    if bar.n == 0:
        bar.initial = done  # what an earlier run did says nothing about the time left
    bar.update(done - bar.n)


def finish(errors: Sequence[str]) -> None:
    """Name what failed, and leave with the exit code that says whether anything did."""
    if not errors:
        return
    click.echo(f"\n{len(errors)} of the inputs or their frames failed:", err=True)
    for error in errors:
        click.echo(f"  {error}", err=True)
    raise SystemExit(1)


@contextmanager
def opencv_needed() -> Iterator[None]:
    """Turn an import of OpenCV that fails into one sentence and exit code 1."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "cv2":
            raise
        raise click.ClickException(
            "simulating needs OpenCV: pip install opencv-python-headless, "
            "or amseg-keras with its extra, amseg-keras[simulate]"
        ) from error
