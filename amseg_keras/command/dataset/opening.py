"""How every command on a data set opens it and ends on an error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from amseg_keras.datasets import Dataset


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turn an error in what the user gave into one sentence and exit code 1."""
    from amseg_keras.datasets.public import DownloadError
    from amseg_keras.datasets.split import SplitError
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
