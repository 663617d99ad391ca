"""Which software made a result, for its record."""

from __future__ import annotations

import importlib
import importlib.metadata

import keras


def versions() -> dict[str, str]:
    """Versions of this package, of Keras and of its backend.

    Example:
        >>> sorted(versions())[0]
        'amseg-keras'
    """
    backend = keras.backend.backend()
    return {
        "amseg-keras": importlib.metadata.version("amseg-keras"),
        "keras": keras.__version__,
        "backend": backend,
        backend: importlib.import_module(backend).__version__,
    }
