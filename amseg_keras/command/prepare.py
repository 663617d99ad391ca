"""`amseg prepare`"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from amseg_keras.command.choices import FRAME_FORMATS, PATH, POSITIVE, PREPARE_STEPS, WHOLE
from amseg_keras.command.ending import advance, finish
from amseg_keras.command.options import input_options

if TYPE_CHECKING:
    from amseg_keras.preprocess import FlatField, FollowLaser, Step
    from amseg_keras.read import FrameStack, StackSource
    from amseg_keras.runs import PrepareSettings

T = TypeVar("T")


@dataclass(frozen=True)
class LaserSetting:
    """`--laser`: a path in the units of the scanner, a `LaserPath` once the stack is known."""

    column: float
    speed_mm_s: float


def _parsed(parse: Callable[[str], T]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Make a click callback that parses the text of an option; None stays None."""

    def callback(context: click.Context, option: click.Parameter, text: str | None) -> T | None:
        if text is None:
            return None
        try:
            return parse(text)
        except ValueError as error:
            reason = str(error).removeprefix("invalid literal for ")
            raise click.BadParameter(f"{text!r}: {reason}", ctx=context, param=option) from error

    return callback


def _numbers(text: str, kind: Callable[[str], T], count: int, like: str) -> list[T]:
    parts = text.split(",")
    try:
        values = [kind(part) for part in parts]
    except ValueError:
        values = []
    if len(values) != count:
        raise ValueError(f"give it as {like}")
    return values


def _background(text: str) -> Step | None:
    from amseg_keras.preprocess import FirstFrames, PreviousFrames

    if text == "none":
        return None
    kind, *numbers = text.split(":")
    counts = [int(number) for number in numbers if number.isdecimal()]
    if kind == "previous" and len(counts) == len(numbers) == 2:
        return PreviousFrames(*counts)
    if kind == "first" and len(counts) == len(numbers) == 1:
        return FirstFrames(*counts)
    raise ValueError("give it as previous:N:SKIP, first:N or none")


def _stretch(text: str) -> Step | None:
    from amseg_keras.preprocess import Stretch

    return None if text == "none" else Stretch(*_numbers(text, float, 2, "LOW,HIGH in per cent"))


def _crop(text: str) -> Step:
    from amseg_keras.preprocess import Box, Crop

    return Crop(Box(*_numbers(text, int, 4, "X,Y,WIDTH,HEIGHT in whole pixels")))


def _window(text: str) -> FollowLaser:
    from amseg_keras.preprocess import FollowLaser

    width, height = _numbers(text.lower().replace("x", ","), int, 2, "WIDTHxHEIGHT in pixels")
    return FollowLaser(width=width, height=height)


def _laser(text: str) -> LaserSetting:
    return LaserSetting(*_numbers(text, float, 2, "COLUMN,MM_PER_S, such as 120,-500"))


def _step_names(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in PREPARE_STEPS:
            raise ValueError(f"there is no step {name!r}; there are {', '.join(PREPARE_STEPS)}")
    if len(set(names)) < len(names):
        raise ValueError("name every step once")
    return names


@click.command(no_args_is_help=True)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("-o", "--out", required=True, type=PATH, help="Output folder.")
@click.option("--flats", metavar="FILE", help="Frames of the beam alone; their median is taken.")
@click.option("--dark", metavar="FILE", help="Frames without beam; their median is taken.")
@click.option(
    "--repair",
    is_flag=True,
    help="Replace NaN, infinite and dead pixels by the median of their neighbours, and turn frames "
    "over whose file says that 0 is white.",
)
@click.option("--register", is_flag=True, help="Move shaking frames onto the first one.")
@click.option(
    "--background",
    callback=_parsed(_background),
    default="none",
    metavar="previous:N:SKIP|first:N|none",
    help="Divide by the median of the N frames before, skipping SKIP, or of the first N frames.",
)
@click.option(
    "--stretch",
    callback=_parsed(_stretch),
    default="0.1,99.9",
    metavar="LOW,HIGH|none",
    help="Percentiles of the stack that become black and white.",
)
@click.option("--median", type=int, metavar="PX", help="Median filter over PX x PX pixels: 3.")
@click.option("--nlm", is_flag=True, help="Non-local means; takes half a second a frame.")
@click.option(
    "--crop", callback=_parsed(_crop), metavar="X,Y,W,H", help="Keep this box, in pixels."
)
@click.option(
    "--follow-laser",
    callback=_parsed(_window),
    metavar="WxH",
    help="Keep a window of this size that goes along with the laser, found by the keyhole.",
)
@click.option(
    "--laser",
    callback=_parsed(_laser),
    metavar="COLUMN,MM_PER_S",
    help="With --follow-laser: column in frame 0 and speed, negative to the left. Not searched.",
)
@click.option(
    "--window-top", type=WHOLE, metavar="ROW", help="With --follow-laser: upper edge of the window."
)
@click.option(
    "--steps",
    callback=_parsed(_step_names),
    metavar="STEP,...",
    help=f"Which steps, in which order. Default: those asked for, of {', '.join(PREPARE_STEPS)}.",
)
@click.option(
    "-f",
    "--format",
    "file_format",
    type=click.Choice(FRAME_FORMATS),
    default="tiff",
    help="Ready frames as an ImageJ TIFF stack or as HDF5.",
)
@click.option(
    "--dtype",
    type=click.Choice(["uint8", "uint16", "float32"]),
    default="uint8",
    help="Grey levels of the ready frames.",
)
@click.option(
    "--pixel-size",
    "pixel_size_um",
    type=POSITIVE,
    metavar="UM",
    help="Size of a pixel in um. Default: what the file says.",
)
@click.option(
    "--frame-rate",
    "frame_rate_hz",
    type=POSITIVE,
    metavar="HZ",
    help="Frames per second of the recording. Default: what the file says.",
)
@input_options
@click.option("--overwrite", is_flag=True, help="Replace the results of another run in OUT.")
def prepare(inputs: tuple[str, ...], out: Path, steps: list[str] | None, **chosen: Any) -> None:
    """Correct, denoise and crop raw frames: from the detector to a ready stack.

    INPUT, --flats and --dark are whatever amseg segment reads: a file, a folder, a quoted glob,
    or file.h5::/path/to/dataset. Without --flats the flat field is left as it is.

    \b
    amseg prepare raw.h5::/entry/data --flats raw.h5::/entry/flats -o ready
    amseg prepare raw/ --background previous:5:5 --median 3 -o ready     as at 40 kHz
    amseg prepare raw/ --background previous:10:37 --nlm -o ready        as at 504 kHz
    amseg prepare raw/ --register --follow-laser 384x256 -o ready

    \b
    For each stack, in a folder of its name below OUT:
      frames.tif      the ready frames; zeros where a frame cannot be read (or frames.h5)
      prepare.csv     shift and place of the crop of every frame
      prepare.json    steps, files, versions, what was measured, unreadable frames

    The weights of this package were trained on frames in which gas is brighter than the plate: a
    background division makes them alike, and is for looking at and for your own training.

    Exit codes: 0 all done, 1 some inputs failed (named at the end), 2 wrong use.
    """
    from amseg_keras.read import find_stacks
    from amseg_keras.runs import PrepareSettings

    settings = PrepareSettings(
        **{key: chosen.pop(key) for key in ("file_format", "dtype", "pixel_size_um")},
        frame_rate_hz=chosen.pop("frame_rate_hz"),
        overwrite=chosen.pop("overwrite"),
    )
    laser = chosen.pop("laser")
    ordered = _ordered(_steps(chosen, laser), steps)
    if not any(step.name == "flat-field" for step in ordered):
        click.echo("no --flats: the flat field is left as it is", err=True)
    sources, failures = find_stacks(inputs, chosen.pop("reading"))
    errors = [str(error) for error in failures]
    for source in sources:
        errors += _prepare_one(source, ordered, laser, out / source.name, settings)
    finish(errors)


def _steps(chosen: dict[str, Any], laser: LaserSetting | None) -> dict[str, Step]:
    """Return the steps that the options ask for, by name."""
    from amseg_keras.preprocess import Median, NonLocalMeans, Register, Repair

    found: list[Step | None] = [chosen["background"], chosen["stretch"], chosen["crop"]]
    window = chosen["follow_laser"]
    if window is None and (laser is not None or chosen["window_top"] is not None):
        raise click.UsageError("--laser and --window-top need --follow-laser")
    if window is not None:
        if chosen["crop"] is not None:
            raise click.UsageError("take --crop or --follow-laser, not both")
        found.append(replace(window, top=chosen["window_top"]))
    if chosen["repair"]:
        found.append(Repair())
    if chosen["register"]:
        found.append(Register())
    if chosen["nlm"]:
        found.append(NonLocalMeans())
    if chosen["median"] is not None:
        try:
            found.append(Median(chosen["median"]))
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--median") from error
    if chosen["flats"] is not None:
        found.append(_flat_field(chosen["flats"], chosen["dark"]))
    elif chosen["dark"] is not None:
        raise click.UsageError("--dark needs --flats")
    return {step.name: step for step in found if step is not None}


def _flat_field(flats: str, dark: str | None) -> FlatField:
    from amseg_keras.preprocess import FlatField, median_frame
    from amseg_keras.read import ReadError, open_stack

    medians = {}
    for option, path in (("--flats", flats), ("--dark", dark)):
        if path is None:
            continue
        try:
            with open_stack(path) as stack:
                medians[option] = median_frame(stack), f"{path} ({len(stack)} frames)"
        except ReadError as error:
            raise click.BadParameter(str(error), param_hint=option) from error
    flat, flat_from = medians["--flats"]
    dark_frame, dark_from = medians.get("--dark", (None, ""))
    try:
        return FlatField(flat, dark_frame, flat_from, dark_from)
    except ValueError as error:
        raise click.BadParameter(f"{flats}: {error}", param_hint="--flats") from error


def _ordered(steps: dict[str, Step], names: list[str] | None) -> list[Step]:
    """Put the steps in the order of `--steps`; steps that only it names get their defaults."""
    from amseg_keras.preprocess import (
        Median,
        NonLocalMeans,
        PreviousFrames,
        Register,
        Repair,
        Stretch,
    )

    if names is None:
        return [steps[name] for name in PREPARE_STEPS if name in steps]
    defaults: dict[str, Step] = {
        step.name: step
        for step in (Repair(), Register(), PreviousFrames(), Stretch(), Median(), NonLocalMeans())
    }
    left_out = [name for name in steps if name not in names and name != "stretch"]
    if left_out:
        raise click.UsageError(f"--steps leaves out {', '.join(left_out)}, which is asked for too")
    available = defaults | steps
    for name in names:
        if name not in available:
            needed = "--flats" if name == "flat-field" else "--crop or --follow-laser"
            raise click.UsageError(f"the step {name} needs {needed}")
    return [available[name] for name in names]


def _prepare_one(
    source: StackSource,
    steps: list[Step],
    laser: LaserSetting | None,
    folder: Path,
    settings: PrepareSettings,
) -> list[str]:
    """Prepare one stack with a progress bar; the errors it met, one sentence each."""
    from tqdm import tqdm

    from amseg_keras.preprocess import Repair
    from amseg_keras.read import ReadError
    from amseg_keras.runs import OutputError, prepare_stack

    try:
        with (
            source.open(keep_nonfinite=any(isinstance(s, Repair) for s in steps)) as stack,
            tqdm(total=len(stack), desc=source.name, unit="frame") as bar,
        ):
            prepared = prepare_stack(
                stack,
                [_on_path(step, laser, stack, settings) for step in steps],
                folder,
                settings,
                lambda done: advance(bar, done),
            )
    except (ReadError, OutputError) as error:
        return [str(error)]
    except ValueError as error:  # a step that does not fit this stack
        return [f"{source.source}: {error}"]
    if prepared.was_done:
        click.echo(f"  {source.name}: was done already", err=True)
    for note in prepared.record["notes"]:
        click.echo(f"  {source.name}: {note}", err=True)
    return [
        frame["error"] for frame in prepared.record["unreadable_frames"] if not frame.get("missing")
    ]


def _on_path(
    step: Step, laser: LaserSetting | None, stack: FrameStack, settings: PrepareSettings
) -> Step:
    """Return the step, completed with what depends on the stack.

    That is a window along a laser whose speed is known in mm/s, and whether 0 is white.
    """
    from amseg_keras.preprocess import FollowLaser, LaserPath, Repair

    if isinstance(step, Repair):
        return replace(step, inverted=stack.is_inverted)
    if laser is None or not isinstance(step, FollowLaser):
        return step
    pixel_size_um, frame_rate_hz = settings.scales(stack)
    if pixel_size_um is None:
        raise ValueError("says no pixel size, which --laser needs; give --pixel-size")
    if frame_rate_hz is None:
        raise ValueError("says no frame rate, which --laser needs; give --frame-rate")
    path = LaserPath.from_speed(laser.column, laser.speed_mm_s, frame_rate_hz, pixel_size_um)
    return replace(step, path=path)
