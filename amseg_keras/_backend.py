"""Which Keras backend to use when the user has not said."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path

BACKENDS = ("tensorflow", "jax", "torch")


def choose_backend() -> None:
    """Set `KERAS_BACKEND` to an installed backend if the one that Keras would take is missing.

    An explicit `KERAS_BACKEND`, and a Keras that is already imported, are left alone. Must run
    before the first import of Keras, which reads the variable once.

    Raises:
        ImportError: no backend is installed; the message says how to get one.
    """
    # TensorFlow prints about the processor on import: nothing a user of this package can act on.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if "keras" in sys.modules or os.environ.get("KERAS_BACKEND"):
        return
    if importlib.util.find_spec(_configured()) is not None:
        return
    for name in BACKENDS:
        if importlib.util.find_spec(name) is not None:
            os.environ["KERAS_BACKEND"] = name
            return
    raise ImportError(
        "Keras needs a backend and none is installed: run "
        "pip install 'amseg-keras[tensorflow]' (or [jax], or [torch])"
    )


def _configured() -> str:
    """The backend named in the user's keras.json, TensorFlow where it names none."""
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    try:
        name = json.loads((home / "keras.json").read_text()).get("backend", "tensorflow")
    except (OSError, ValueError, AttributeError):
        return "tensorflow"
    return name if name in BACKENDS else "tensorflow"
