"""Make Keras ready when it is first imported: its backend before, the layers of this package after.

Most of the package needs no Keras, and a backend takes seconds to import. So nothing here imports
Keras; `prepare_keras` waits until somebody does.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from amseg_keras._on_demand import NO_KERAS

BACKENDS = ("tensorflow", "jax", "torch")

REGISTERED = ("amseg_keras.layers", "amseg_keras.losses")
METRICS = ("amseg_keras.metrics.pixelwise", "amseg_keras.metrics.shapewise")
"""Modules whose classes register themselves with Keras."""

_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_LETTERS = "IWEF"
"""First letter of a line of TensorFlow's log, by level."""

_PREAMBLE = re.compile(rb"WARNING: All log messages before absl::InitializeLog\(\) is called")
_LOG_LINE = re.compile(rb"([IWEF])\d{4} [\d:.]+ +\d+ [\w.]+:\d+\] ")


def prepare_keras() -> None:
    """Have `keras.saving.load_model` know the layers of this package, in whichever import order.

    If Keras is imported already, the layers are registered now. Otherwise the first import of Keras
    chooses an installed backend, leaves out what TensorFlow logs below `TF_CPP_MIN_LOG_LEVEL`, and
    registers the layers when it is done.
    """
    if "keras" in sys.modules:
        _register()
    elif not any(isinstance(finder, _KerasFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _KerasFinder())


def choose_backend() -> None:
    """Set `KERAS_BACKEND` to an installed backend if the one that Keras would take is missing.

    An explicit `KERAS_BACKEND` is left alone. Must run before the first import of Keras, which
    reads the variable once.

    Raises:
        ImportError: No backend is installed; the message says how to get one.
    """
    # TensorFlow prints about the processor on import: nothing a user of this package can act on.
    os.environ.setdefault(_LOG_LEVEL, "2")
    if os.environ.get("KERAS_BACKEND") or importlib.util.find_spec(_configured()) is not None:
        return
    for name in BACKENDS:
        if importlib.util.find_spec(name) is not None:
            os.environ["KERAS_BACKEND"] = name
            return
    raise NoBackendError(NO_KERAS)


class NoBackendError(ImportError):
    """Keras is installed without a backend; the message says how to get one."""


def _configured() -> str:
    """Return the backend named in the user's keras.json; TensorFlow by default."""
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    try:
        name = json.loads((home / "keras.json").read_text()).get("backend", "tensorflow")
    except (OSError, ValueError, AttributeError):
        return "tensorflow"
    return name if name in BACKENDS else "tensorflow"


class _KerasFinder(MetaPathFinder):
    """Finds Keras where it always is, and does what is due before and after its import."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "keras":
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        found = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next((one for one in found if one is not None), None)
        if spec is None or spec.loader is None:
            return spec
        run = spec.loader.exec_module

        def run_between(module: ModuleType) -> None:
            choose_backend()
            with _log_level_obeyed():
                run(module)
            sys.meta_path.remove(self)
            _register()

        spec.loader.exec_module = run_between  # type: ignore[method-assign]
        return spec


def _register() -> None:
    """Import the modules whose classes register themselves with Keras.

    If one of them is what imports Keras, it is not finished and registers itself in a moment.
    """
    for name in REGISTERED:
        if name not in sys.modules:
            importlib.import_module(name)
    if "amseg_keras.metrics.counting" not in sys.modules:  # which both need
        for name in METRICS:
            importlib.import_module(name)


@contextlib.contextmanager
def _log_level_obeyed() -> Iterator[None]:
    """Leave out what TensorFlow logs on import although `TF_CPP_MIN_LOG_LEVEL` forbids it.

    TensorFlow 2.21 obeys the variable only after its first lines. They come from C++ and go to the
    file descriptor of stderr, whose lines are kept until the import is done.
    """
    level = os.environ.get(_LOG_LEVEL, "0")
    hidden = _LETTERS[: int(level)].encode() if level.isdigit() else b""
    try:
        stderr = os.dup(2)
    except OSError:  # a process without stderr
        hidden = b""
    if not hidden:
        yield
        return
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        finally:
            if sys.stderr is not None:
                sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            kept.seek(0)
            for line in kept:
                found = _LOG_LINE.match(line)
                if not (_PREAMBLE.match(line) or (found and found[1] in hidden)):
                    os.write(2, line)
