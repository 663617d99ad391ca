"""Commands, options, code and paths that the documentation names, and files to try them on."""

import re
import shlex
from pathlib import Path

import click
import h5py
import numpy as np
import pandas as pd
import tifffile
from PIL import Image

from amseg_keras.command import main
from amseg_keras.datasets import Dataset, LabelledFrame
from amseg_keras.datasets.dataset import write_frame
from amseg_keras.pretrained import find_preset
from amseg_keras.pretrained.preset import copy_preset

REPOSITORY = Path(__file__).parents[2]
COMMAND_LINE = REPOSITORY / "docs" / "reference" / "command-line.md"
PAGES = sorted(
    {
        *REPOSITORY.glob("*.md"),
        *(REPOSITORY / "docs").rglob("*.md"),
        *(REPOSITORY / "hub").rglob("*.md"),
        *(REPOSITORY / "demo").glob("*.md"),
        *(REPOSITORY / "notebooks").glob("*.md"),
        *(REPOSITORY / "benchmarks").glob("*.md"),
    }
    - {COMMAND_LINE, REPOSITORY / "CHANGELOG.md"}
)
CLASSES = ("background", "powder", "substrate", "keyhole", "pore")

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SHELL = ("", "sh", "bash", "console")
_PLACEHOLDER = re.compile(r"\.{3}|[A-Z][A-Z_.,=/0-9]*")


def blocks(page, *languages):
    """The fenced blocks of a page in one of the languages."""
    found = _BLOCK.findall(page.read_text("utf-8"))
    return [text for language, text in found if language in languages]


def shell_commands(page):
    """The arguments of each `amseg` command in the shell blocks of a page."""
    lines = "".join(blocks(page, *_SHELL)).replace("\\\n", " ").splitlines()
    return [arguments for line in lines for arguments in amseg_commands(line)]


def amseg_commands(line):
    """The arguments of each `amseg` command in a line of a shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;")
    lexer.whitespace_split = True
    found, words = [], []
    for word in [*lexer, ";"]:
        if set(word) <= set("&|;"):
            while words and re.match(r"\w+=", words[0]):
                words = words[1:]
            if words and Path(words[0]).name == "amseg":
                found.append(words[1:])
            words = []
        else:
            words.append(word)
    return found


def inline_commands(page):
    """The arguments of each `amseg` command in the text of a page, which may be a part of one."""
    text = _BLOCK.sub("", page.read_text("utf-8"))
    return [shlex.split(command) for command in re.findall(r"`amseg ([^`]+)`", text)]


def help_commands():
    """The arguments of each example in the help of the commands."""
    # A sentence that begins in a new line ends with a full stop.
    text = COMMAND_LINE.read_text("utf-8")
    lines = re.findall(r"^ +amseg ([\w-]+(?: .*)?[^.\n])$", text, re.MULTILINE)
    return [shlex.split(re.split(r"\s{2,}", line.strip())[0]) for line in lines]


def inline_options(page):
    """The names of the options in the text of a page."""
    text = _BLOCK.sub("", page.read_text("utf-8"))
    spans = re.findall(r"`([^`]+)`", text)
    options = " ".join(span for span in spans if span.startswith("--"))
    return set(re.findall(r"--[a-z][\w-]*", options))


def every_option(command=main):
    """The names of all options of all commands."""
    names = {"--help"}
    for option in command.params:
        names.update([*option.opts, *option.secondary_opts])
    for below in getattr(command, "commands", {}).values():
        names |= every_option(below)
    return names


def check(arguments, complete):
    """Parse a command as `amseg` does, and run nothing.

    Args:
        arguments: Words behind `amseg`.
        complete: Whether it is a whole command; of a part, options that are required may miss.
    """
    context = click.Context(main, info_name="amseg", **main.context_settings)
    command, arguments = main, list(arguments)
    while isinstance(command, click.Group):
        if not arguments or _PLACEHOLDER.fullmatch(arguments[0]):
            return
        if arguments[0] == "--help":
            return
        name, below, arguments = command.resolve_command(context, arguments)
        context = click.Context(below, parent=context, info_name=name)
        command = below
    if "--help" in arguments:
        return
    if complete:
        command.make_context(context.info_name, arguments, parent=context.parent)
        return
    values, left, _ = command.make_parser(context).parse_args(args=arguments)
    assert left == [], f"{left}: more arguments than {context.command_path} takes"
    for option in command.params:
        value = values.get(option.name)
        words = value if isinstance(value, list | tuple) else [value]
        shown = any(isinstance(word, str) and _PLACEHOLDER.fullmatch(word) for word in words)
        if isinstance(value, str | tuple | list) and value and not shown:
            option.type_cast_value(context, value)


def outputs_named(page, folders):
    """Patterns of the paths in the text of a page that are in one of the folders."""
    text = _BLOCK.sub("", page.read_text("utf-8"))
    spans = re.findall(r"`([\w.*/-]+)`", text)
    named = [span for span in spans if "/" in span and span.split("/")[0] in folders]
    return {re.sub(r"\b[A-Z]{2,}\b", "*", span) for span in named}


def make_inputs(folder):
    """Files by the names that the pages give to inputs of the user, each as small as can be."""
    grey = np.stack([_scene(number)[0] for number in range(4)])
    labels = np.stack([_scene(number)[1] for number in range(4)])
    _hdf5(folder / "scan_0001.h5", {"entry/data/data": grey})
    flat = np.full_like(grey[:2], 200)
    _hdf5(folder / "raw.h5", {"entry/data": grey, "entry/flats": flat, "entry/darks": flat // 100})
    for name in ("scan_0001", "scan_0002"):
        (folder / "scans").mkdir(exist_ok=True)
        _hdf5(folder / "scans" / f"{name}.h5", {"entry/data": grey})
    for place in ("scan", "frames", "labels", "labelme"):
        (folder / place).mkdir()
    for number, frame in enumerate(grey):
        for place in ("scan", "frames"):
            Image.fromarray(frame).save(folder / place / f"frame_{number:02}.png")
        Image.fromarray(labels[number]).save(folder / "labels" / f"frame_{number:02}.png")
        _labelme(folder / "labelme" / f"frame_{number:02}.json", *frame.shape)
    movie, movie_labels = (np.stack(part) for part in zip(*map(_scene, range(8, 12)), strict=True))
    for name, pages in (("movie", movie), ("movie-labels", np.minimum(movie_labels, 3))):
        tifffile.imwrite(folder / f"{name}.tif", pages, photometric="minisblack")
    tifffile.imwrite(folder / "masks.tif", np.minimum(labels, 2), photometric="minisblack")
    pd.DataFrame({"run": ["scan_0001"], "power_W": [200.0]}).to_csv(
        folder / "parameters.csv", index=False
    )
    copy_preset(find_preset("amsegnet-esrf-lite"), folder / "tuned" / "preset")


def make_dataset(folder, split=False):
    """A data set of three sequences of two frames."""
    made = []
    for number in range(6):
        grey, labels = _scene(number)
        about = LabelledFrame(
            "", None, f"shot{number // 2}", number % 2,
            split=("train", "validation", "test")[number // 2] if split else None,
        )  # fmt: skip
        made.append(write_frame(folder, grey, labels, about))
    Dataset(folder, CLASSES, tuple(made), pixel_size_um=4.31).save()


def _scene(number, shape=(64, 96)):
    """Gas over a darker plate with a keyhole and a pore, uint8, and its labels."""
    labels = np.zeros(shape, np.uint8)
    labels[20:24], labels[24:] = 1, 2
    labels[20:44, 20 + 5 * number : 30 + 5 * number] = 3
    labels[50:57, 60:68] = 4
    noise = np.random.default_rng(number).normal(0, 4, shape)
    grey = np.array([200, 150, 90, 190, 185])[labels] + noise
    return grey.clip(0, 255).astype(np.uint8), labels


def _hdf5(path, datasets):
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values


def _labelme(path, height, width):
    path.write_text(
        '{"version": "5.0", "imagePath": "' + path.with_suffix(".png").name + '", '
        f'"imageHeight": {height}, "imageWidth": {width}, "shapes": [{{"label": "keyhole", '
        '"shape_type": "rectangle", "points": [[20, 20], [30, 44]]}]}'
    )
