"""Names and defaults that options show are those of the library, and help needs none of it."""

import json
import subprocess
import sys
from typing import get_args

import pytest

from amseg_keras.backend import PRECISIONS
from amseg_keras.command import choices
from amseg_keras.comparison import Timing
from amseg_keras.comparison.speed import PREDICT
from amseg_keras.datasets.dataset import SPLITS
from amseg_keras.datasets.masks import KINDS
from amseg_keras.datasets.masks.pictures import TOLERANCE
from amseg_keras.datasets.public import SOURCES
from amseg_keras.datasets.statistics import WAYS, WEIGHTS
from amseg_keras.engines import ENGINES
from amseg_keras.models.networks import NETWORKS
from amseg_keras.models.titles import TITLES
from amseg_keras.preprocess import STEP_ORDER
from amseg_keras.preprocess.inputs import HOW
from amseg_keras.quantify.classes import MEASURED
from amseg_keras.quantify.quantities import SMALLEST_PORE_UM
from amseg_keras.report.label_exports import Ngff
from amseg_keras.report.label_files import LABEL_WRITERS
from amseg_keras.runs.labelled_experiment import LABEL_EXPORTS
from amseg_keras.runs.prepare import FRAMES
from amseg_keras.runs.segment import MAX_DRAWN
from amseg_keras.runs.watch import Timing as WatchTiming
from amseg_keras.runs.watch import WatchSettings
from amseg_keras.training import Recipe, Simulation
from amseg_keras.training.recipe import ANNEALINGS, GREY_LEVELS
from amseg_keras.transfer import FINE_TUNING


@pytest.mark.parametrize(
    ("shown", "library"),
    [
        ("ENGINES", ENGINES),
        ("TIMED_ENGINES", [PREDICT, *(name for name in ENGINES if name != "auto")]),
        ("LABEL_FORMATS", LABEL_WRITERS),
        ("LABEL_EXPORTS", LABEL_EXPORTS),
        ("NGFF_VERSIONS", get_args(Ngff)),
        ("FRAME_FORMATS", FRAMES),
        ("PREPARE_STEPS", STEP_ORDER),
        ("PUBLIC_DATA", SOURCES),
        ("MASK_KINDS", KINDS),
        ("SPLITS", SPLITS),
        ("SPLIT_WAYS", WAYS),
        ("CLASS_WEIGHTS", WEIGHTS),
        ("CHANNELS", HOW),
        ("GREY_LEVELS", GREY_LEVELS),
        ("ANNEALINGS", ANNEALINGS),
        ("PRECISIONS", PRECISIONS),
        ("MEASURED_CLASSES", MEASURED),
    ],
)
def test_choices_are_those_of_the_library(shown, library):
    assert list(getattr(choices, shown)) == list(library)


@pytest.mark.parametrize(
    ("shown", "library"),
    [
        ("DRAWN_FRAMES", MAX_DRAWN),
        ("SMALLEST_PORE_UM", SMALLEST_PORE_UM),
        ("COLOUR_TOLERANCE", TOLERANCE),
        ("TIMING_ROUNDS", Timing().rounds),
        ("SETTLE_S", WatchTiming.settle_s),
        ("PATIENCE_S", WatchTiming.patience_s),
        ("COMPLETE_S", WatchSettings.complete_s),
        ("SIMULATED_FRAMES", Simulation().frames),
        ("SIMULATED_REUSE", Simulation().reuse),
        ("SIMULATED_KEPT", Simulation().kept),
    ],
)
def test_defaults_are_those_of_the_library(shown, library):
    assert getattr(choices, shown) == library


@pytest.mark.parametrize(
    ("shown", "recipe"), [(choices.PAPER, Recipe()), (choices.FINE_TUNING, FINE_TUNING)]
)
def test_defaults_of_trainings_are_those_of_the_recipes(shown, recipe):
    assert vars(shown) == {name: getattr(recipe, name) for name in vars(shown)}


def test_export_formats_are_those_of_the_library():
    from amseg_keras.engines.formats import FORMATS

    assert list(choices.EXPORT_FORMATS) == list(FORMATS)


def test_every_network_has_a_title():
    assert list(TITLES) == list(NETWORKS)


ALL_HELP = """
import sys
import click
from amseg_keras.command import main

def show(command, name, parent=None):
    context = click.Context(command, info_name=name, parent=parent)
    command.get_help(context)
    for sub, below in getattr(command, "commands", {}).items():
        show(below, sub, context)

show(main, "amseg")
for wrong in (["segment", "--nothing"], ["watch"], ["quantify", "x", "--smallest-pore", "none"]):
    try:
        main(wrong, standalone_mode=False)
    except click.ClickException:
        pass
print(*sys.modules)
"""


def test_help_and_errors_in_options_import_neither_a_backend_nor_numpy():
    done = subprocess.run(
        [sys.executable, "-c", ALL_HELP], capture_output=True, text=True, check=True
    )
    heavy = {"keras", "tensorflow", "jax", "torch", "numpy", "pandas", "scipy", "tqdm"}
    assert set(done.stdout.split()) & heavy == set()
    assert done.stderr == ""


WITHOUT_NETWORK = [
    ["segment", "no_such_file.tif", "-o", "out"],
    ["segment", "sample:esrf-lpbf", "-o", "out", "--model", "amsegnet-esfr"],
    ["quantify", "no_such_folder"],
    ["report", "no_such_folder"],
    ["correlate", "no_such_folder", "-o", "out"],
    ["prepare", "no_such_file.tif", "-o", "out"],
    ["dataset", "info", "no_such_folder"],
    ["evaluate", "--data", "no_such_folder"],
    ["presets"],
    ["watch", "no_such_folder", "-o", "out"],
    ["explain", "no_such_file.tif", "-c", "pore", "-o", "out"],
    ["export", "amsegnet-esfr", "-o", "out"],
    ["finetune", "--data", "no_such_folder", "-o", "out"],
]

ANSWERS = """
import json, sys, traceback
from amseg_keras.command import main

found = {}
for arguments in json.loads(sys.argv[1]):
    error = ""
    try:
        main(arguments)
    except SystemExit:
        pass
    except BaseException:
        error = traceback.format_exc()
    backends = sorted(set(sys.modules) & {"keras", "tensorflow", "jax", "torch"})
    found[" ".join(arguments)] = error, backends
print()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    """What one process says to each of `WITHOUT_NETWORK`, and the backends imported after it."""
    done = subprocess.run(
        [sys.executable, "-c", ANSWERS, json.dumps(WITHOUT_NETWORK)],
        capture_output=True,
        text=True,
        cwd=tmp_path_factory.mktemp("empty"),
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("arguments", WITHOUT_NETWORK, ids=lambda arguments: arguments[0])
def test_what_needs_no_network_is_answered_without_a_backend(arguments, answered):
    error, backends = answered[" ".join(arguments)]
    assert error == ""
    assert backends == []
