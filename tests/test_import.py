"""What importing the package brings in, which backend it takes, and what it shows."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

import amseg_keras
from amseg_keras import _backend
from amseg_keras._backend import BACKENDS

KERAS = {"keras", *BACKENDS}
HEAVY = KERAS | {"starlette", "matplotlib", "numpy", "pandas", "cv2", "scipy", "imageio", "fabio"}

LIGHT = (
    "amseg_keras.corrections",
    "amseg_keras.datasets",
    "amseg_keras.datasets.masks",
    "amseg_keras.datasets.public",
    "amseg_keras.engines.choose",
    "amseg_keras.outputs",
    "amseg_keras.preprocess",
    "amseg_keras.pretrained",
    "amseg_keras.quantify",
    "amseg_keras.quantify.study",
    "amseg_keras.read",
    "amseg_keras.report",
    "amseg_keras.report.learning",
    "amseg_keras.report.experiment.experiment_report",
    "amseg_keras.report.overlay",
    "amseg_keras.report.study",
    "amseg_keras.runs.cluster",
    "amseg_keras.runs.correlate",
    "amseg_keras.runs.export",
    "amseg_keras.runs.prepare",
    "amseg_keras.runs.quantify",
    "amseg_keras.runs.report",
    "amseg_keras.runs.simulate",
    "amseg_keras.runs.watch",
    "amseg_keras.samples",
    "amseg_keras.segment",
    "amseg_keras.simulate",
    "amseg_keras.training",
    "amseg_keras.training.recordings",
)
"""Modules that need no network, or none until they are given one."""

PUBLIC_NAMES = "import amseg_keras as a; a.list_presets(); a.PresetInfo; a.datasets.Dataset"


def run(code, **variables):
    """What a fresh process prints, and what it says on stderr."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | variables,
    )
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def imported():
    """For each of a few statements, in one fresh process, the packages of `HEAVY` after it."""
    statements = ["import amseg_keras", *(f"import {module}" for module in LIGHT), PUBLIC_NAMES]
    code = f"""
import json, sys
found = {{}}
for statement in {statements!r}:
    exec(statement)
    found[statement] = sorted(set(sys.modules) & {HEAVY!r})
print(json.dumps(found))
"""
    return {statement: set(heavy) for statement, heavy in json.loads(run(code)[0]).items()}


def test_the_package_alone_imports_nothing_heavy(imported):
    assert imported["import amseg_keras"] == set()


@pytest.mark.parametrize("module", LIGHT)
def test_a_module_that_needs_no_network_imports_no_backend(imported, module):
    assert imported[f"import {module}"] & KERAS == set()


def test_public_names_of_light_modules_import_no_backend(imported):
    assert imported[PUBLIC_NAMES] & KERAS == set()


def test_dir_shows_the_public_modules_and_names_alone():
    assert dir(amseg_keras) == sorted(amseg_keras.__all__)
    assert {"read", "quantify", "datasets", "report", "Segmenter", "train"} <= {*dir(amseg_keras)}
    assert {"import_module", "command", "TYPE_CHECKING"} & {*dir(amseg_keras)} == set()


@pytest.mark.parametrize("name", amseg_keras.__all__)
def test_every_public_name_is_an_attribute(name):
    assert getattr(amseg_keras, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'segmentt'"):
        _ = amseg_keras.segmentt


def test_names_that_are_imported_on_demand_are_those_for_type_checkers():
    text = Path(amseg_keras.__file__).read_text("utf-8")
    block = text[text.index("if TYPE_CHECKING:") : text.index("__version__ =")]
    assert [name for name in amseg_keras.__all__ if name not in block] == []


@pytest.fixture(scope="module")
def saved(small_segmenter, tmp_path_factory):
    """A network of this package, saved by Keras."""
    path = tmp_path_factory.mktemp("saved") / "small.keras"
    keras.saving.save_model(small_segmenter.model, path)
    return path


@pytest.mark.parametrize(
    "imports",
    [
        "import amseg_keras, keras",
        "import keras, amseg_keras",
        pytest.param("import amseg_keras.metrics, keras", marks=pytest.mark.slow),
        pytest.param(
            "from amseg_keras.models.lite import AMSegNetLite; import keras",
            marks=pytest.mark.slow,
        ),
        # Looking for Keras is not importing it.
        pytest.param(
            "import amseg_keras, importlib.util; importlib.util.find_spec('keras'); import keras",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_keras_finds_the_layers_in_whichever_order_it_is_imported(saved, imports):
    code = f"""
import sys
{imports}
print("imported", file=sys.stderr, flush=True)
print(keras.saving.load_model({str(saved)!r}).name)
"""
    printed, said = run(code, TF_CPP_MIN_LOG_LEVEL="2")
    assert printed.strip() == "amsegnet"
    if imports.startswith("import amseg_keras"):
        assert said.startswith("imported"), "the backend logs on import"


@pytest.mark.parametrize(
    ("level", "shown"), [("0", b"WARNING: All log"), ("2", b""), ("", b"WARNING: All log")]
)
def test_lines_below_the_log_level_are_left_out_and_others_kept(level, shown):
    log = (
        "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\\n"
        "I0000 00:00:1796019328.426600    5018 port.cc:153] oneDNN custom operations are on.\\n"
        "E0000 00:00:1796019328.426600    5018 cuda.cc:1] no such device\\n"
    )
    code = (
        "import os\nfrom amseg_keras._backend import _log_level_obeyed\n"
        f"with _log_level_obeyed():\n    os.write(2, b'{log}')\n"
    )
    said = run(code, TF_CPP_MIN_LOG_LEVEL=level)[1].encode()
    assert said.startswith(shown or b"E0000")
    assert b"no such device" in said


@pytest.mark.parametrize("installed", BACKENDS)
def test_the_one_installed_backend_is_taken_when_none_is_configured(
    installed, monkeypatch, tmp_path
):
    monkeypatch.setenv("KERAS_BACKEND", "")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(
        _backend.importlib.util, "find_spec", lambda name: name == installed or None
    )
    _backend.choose_backend()
    assert os.environ["KERAS_BACKEND"] == ("" if installed == "tensorflow" else installed)


def test_without_a_backend_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_BACKEND", "")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(_backend.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'amseg-keras\[tensorflow\]'"):
        _backend.choose_backend()


def test_public_names_that_need_a_missing_package_say_what_to_install():
    code = """
import sys
import amseg_keras
sys.modules["keras"] = sys.modules["cv2"] = None
for name in amseg_keras.__all__:
    try:
        getattr(amseg_keras, name)
    except ImportError as error:
        print(f"{name}: {error}")
"""
    said = dict(line.split(": ", 1) for line in run(code)[0].splitlines())
    assert {"losses", "layers", "explain", "train", "simulate"} <= set(said)
    assert "pip install 'amseg-keras[simulate]'" in said.pop("simulate")
    assert all("pip install 'amseg-keras[tensorflow]'" in sentence for sentence in said.values())
