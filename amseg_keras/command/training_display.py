"""How a training is shown and ends on the command line."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from amseg_keras.command.dataset.existing import one_sentence

if TYPE_CHECKING:
    from tqdm import tqdm

    from amseg_keras.training import Progress

_PREFIX = "iou_"


class TrainingDisplay:
    """A line for each epoch and a bar with the time left.

    Example:
        with training_display() as show:
            train(..., progress=show)
    """

    def __init__(self) -> None:
        self._bar: tqdm | None = None
        self._head = ""

    def __call__(self, progress: Progress) -> None:
        from tqdm import tqdm

        if self._bar is None or self._bar.total != progress.steps:
            self.close()
            self._bar = tqdm(
                total=progress.steps,
                initial=progress.step,
                unit="step",
                bar_format="{desc} {bar} {n_fmt}/{total_fmt} steps, {postfix}",
            )
        self._bar.n = progress.step
        number = min(progress.epoch + 1, progress.epochs)
        self._bar.set_description_str(f"epoch {number}/{progress.epochs}")
        left = progress.seconds_left
        self._bar.set_postfix_str(
            f"loss {progress.loss:.3f}" + ("" if left is None else f", {duration(left)} left")
        )
        if progress.finished_epoch is not None:
            self._write_row(progress.finished_epoch)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _write_row(self, row: dict[str, Any]) -> None:
        from tqdm import tqdm

        classes = [name.removeprefix(_PREFIX) for name in row if name.startswith(_PREFIX)]
        head = "epoch  minutes    rate   loss  val_loss  mean IoU  " + "  ".join(classes)
        if head != self._head:
            tqdm.write(head)
            self._head = head
        values = "  ".join(
            "-".rjust(len(name))
            if math.isnan(row[_PREFIX + name])
            else f"{row[_PREFIX + name]:.3f}".rjust(len(name))
            for name in classes
        )
        tqdm.write(
            f"{row['epoch'] + 1:5d}  {row['minutes']:7.1f}  {row['learning_rate']:6.0e}  "
            f"{row['loss']:5.3f}  {row['val_loss']:8.3f}  {row['mean_iou']:8.3f}  {values}"
        )


@contextmanager
def training_display() -> Iterator[TrainingDisplay]:
    """Show a training; an error in what the user gave is one sentence and exit code 1."""
    from amseg_keras.pretrained import PresetError
    from amseg_keras.training import TrainingError

    display = TrainingDisplay()
    try:
        with one_sentence():
            yield display
    except (TrainingError, PresetError, ValueError) as error:
        display.close()
        click.echo(f"amseg: {error}", err=True)
        raise SystemExit(1) from error
    except KeyboardInterrupt as error:
        error.add_note("the same command with --resume goes on")
        raise
    finally:
        display.close()


def duration(seconds: float) -> str:
    """Write a duration in words.

    Example:
        >>> duration(45), duration(600), duration(9000)
        ('45 s', '10 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
