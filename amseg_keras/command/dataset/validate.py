"""`amseg dataset validate`"""

from __future__ import annotations

from pathlib import Path

import click

from amseg_keras.command.dataset.opening import one_sentence, open_and_say


@click.command(no_args_is_help=True)
@click.argument("folder", type=click.Path(path_type=Path))
def validate(folder: Path) -> None:
    """Name everything that is wrong with the data set in FOLDER, one line each.

    Files that are missing, unreadable or not listed; labels of another size than their image or
    with unknown class ids; equal frames, or one sequence, in two splits.

    Exit codes: 0 nothing is wrong, 1 something is.
    """
    from tqdm import tqdm

    from amseg_keras.datasets.validate import validate as find_faults

    with one_sentence():
        data = open_and_say(folder)
        with tqdm(total=len(data.frames), unit="frame") as bar:
            faults = find_faults(data, bar.update)
    for fault in faults:
        click.echo(str(fault))
    count = len(faults)
    click.echo(
        f"{len(data.frames)} frames: {count or 'no'} fault{'s' * (count != 1)}",
        err=True,
    )
    if faults:
        raise SystemExit(1)
