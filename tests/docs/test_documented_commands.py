"""Every command, option, script and code block of the documentation works as it is written."""

import ast
import glob
import re
import shutil

import keras
import pytest
from click.testing import CliRunner
from documented import (
    PAGES,
    REPOSITORY,
    amseg_commands,
    blocks,
    check,
    every_option,
    help_commands,
    inline_commands,
    inline_options,
    make_dataset,
    make_inputs,
    outputs_named,
    shell_commands,
)

from amseg_keras.command import main

OTHER_OPTIONS = {"CONTRIBUTING.md", "README.md"}
"""Pages outside `docs/` that name options of other programs too."""

IN_THE_HISTORY = "hub/pretraining"
"""What made some of the presets; their cards record it."""

every_page = pytest.mark.parametrize(
    "page", PAGES, ids=[str(page.relative_to(REPOSITORY)) for page in PAGES]
)


@every_page
def test_commands_in_shell_blocks_are_whole_and_right(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments in shell_commands(page):
        check(arguments, complete=True)


@every_page
def test_commands_in_the_text_have_options_and_values_that_exist(page):
    for arguments in inline_commands(page):
        check(arguments, complete=False)


@pytest.mark.parametrize("arguments", help_commands(), ids=" ".join)
def test_examples_in_the_help_are_right(arguments):
    check(arguments, complete=True)


@every_page
def test_options_in_the_text_exist(page):
    if page.name in OTHER_OPTIONS:
        pytest.skip("names options of other programs")
    assert inline_options(page) - every_option() == set()


@every_page
def test_scripts_that_are_named_exist(page):
    scripts = re.findall(r"python3? ((?:\w+/)+\w+(?:\.py)?)\b", page.read_text("utf-8"))
    there = [name for name in scripts if not name.startswith(IN_THE_HISTORY)]
    assert [name for name in there if not (REPOSITORY / name).exists()] == []


@every_page
def test_python_blocks_are_python(page):
    for text in blocks(page, "python"):
        ast.parse(text)


def test_a_wrong_option_is_noticed():
    with pytest.raises(Exception, match="No such option"):
        check(["segment", "a.tif", "-o", "out", "--frames-rate", "4"], complete=True)


def test_commands_are_found_between_others():
    line = "python3 -m venv .venv && .venv/bin/amseg segment 'a b.tif' -o out  # comment"
    assert amseg_commands(line) == [["segment", "a b.tif", "-o", "out"]]
    assert amseg_commands("AMSEG_DEMO_PASSWORD=... amseg demo | tee log") == [["demo"]]


# Pages that are run from top to bottom


QUICKER = {
    "finetune": ["--epochs", "1", "--batch-size", "2", "--shape", "32x48"],
    "watch": ["--until-idle", "0.2"],
}
"""Options that end a command sooner."""

NOT_HERE = ("demo", "hub", "--dask", "convert")
"""Need a server, an account, or a file of others. They have tests of their own."""

NEVER_MADE = {"results/NAME_2"}
"""Paths that the commands of a page make only in the case that the page describes."""


def run_page(name, folder):
    """Run the `amseg` commands of a page in a folder; the output folders that they name."""
    page = REPOSITORY / name
    made = set()
    for arguments in shell_commands(page):
        if any(word in NOT_HERE for word in arguments):
            continue
        if arguments[0] == "finetune":
            shutil.rmtree(folder / "tuned", ignore_errors=True)  # a stand-in
        expanded = [
            path
            for word in arguments
            for path in (sorted(glob.glob(word)) if "*" in word else [word])
        ]
        done = CliRunner().invoke(main, [*expanded, *QUICKER.get(arguments[0], [])])
        assert done.exit_code == 0, f"amseg {' '.join(arguments)}\n{done.output}"
        made.update(expanded[at + 1] for at, word in enumerate(expanded[:-1]) if word == "-o")
    return page, made


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder with the inputs that the pages name, as the current folder."""
    monkeypatch.chdir(tmp_path)
    make_inputs(tmp_path)
    return tmp_path


def check_page(name, folder, more=()):
    page, made = run_page(name, folder)
    named = outputs_named(page, {*made, *more}) - NEVER_MADE
    assert [pattern for pattern in sorted(named) if not glob.glob(pattern)] == []


@pytest.mark.parametrize("name", ["own-frames", "label"])
def test_a_page_does_what_it_says(name, workplace):
    check_page(f"docs/how-to/{name}.md", workplace)


def test_labels_are_corrected_as_the_page_says(workplace):
    invoked = CliRunner().invoke(main, ["segment", "scan_0001.h5", "-o", "results"])
    assert invoked.exit_code == 0, invoked.output
    check_page("docs/how-to/correct.md", workplace, more=["results"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["docs/tutorial.md", *(f"docs/how-to/{page}.md" for page in ("cluster", "engines", "watch"))],
)
def test_a_page_that_takes_longer_does_what_it_says(name, workplace):
    check_page(name, workplace)


@pytest.mark.slow
def test_a_network_is_fine_tuned_as_the_page_says(workplace):
    make_dataset(workplace / "my_frames")
    check_page("docs/how-to/fine-tune.md", workplace)
    evaluated = CliRunner().invoke(
        main,
        ["evaluate", "--model", "tuned/preset", "--data", "my_frames", "--split", "validation"],
    )
    assert evaluated.exit_code == 0, evaluated.output


def run_python(page):
    """Run the Python blocks of a page one after the other."""
    names = {}
    for text in blocks(page, "python"):
        exec(compile(text, str(page), "exec"), names)
    return names


def test_a_network_is_trained_in_keras_as_the_page_says(workplace):
    page = REPOSITORY / "docs" / "how-to" / "train-in-keras.md"
    make_dataset(workplace / "my_frames", split=True)
    text = "".join(blocks(page, "python"))
    try:
        import tensorboard  # noqa: F401
        import tensorflow  # noqa: F401
    except ModuleNotFoundError:
        text = "\n".join(line for line in text.splitlines() if "TensorBoard" not in line)
    names = {}
    exec(compile(text, str(page), "exec"), names)
    assert {"val_mean_iou", "val_iou_keyhole"} <= names["history"].history.keys()
    assert (workplace / "log.csv").is_file()
    assert isinstance(names["again"], keras.Model)
    assert (workplace / "mine" / "config.json").is_file()
    assert (workplace / "logs").is_dir() == ("TensorBoard" in text)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "docs/tutorial.md",
        "docs/how-to/engines.md",
        "docs/how-to/movies.md",
        "docs/explanation/simulator.md",
        "hub/amsegnet-esrf/README.md",
        "hub/amsegnet-esrf-lite/README.md",
    ],
)
def test_python_of_a_page_runs(name, workplace, capsys):
    run_python(REPOSITORY / name)
