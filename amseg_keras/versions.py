"""Name the software that made a result, for its record."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import sys


def package_versions(*packages: str) -> dict[str, str]:
    """Return versions of this package and of others, for results without a network.

    A package of an extra that is not installed is left out.

    Args:
        packages: Names, as `pip` installs them.

    Example:
        >>> list(package_versions("numpy", "scipy"))
        ['amseg-keras', 'numpy', 'scipy']
    """
    found = {}
    for name in ("amseg-keras", *packages):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # of an extra
            found[name] = importlib.metadata.version(name)
    return found


ENGINES = ("openvino", "onnxruntime", "ncnn")
"""Packages that run a network without Keras."""


def versions() -> dict[str, str]:
    """Return versions of this package and of the engine, or of Keras and its backend.

    What this process has not imported had no part in a result and is left out.

    Example:
        >>> sorted(versions())[0]
        'amseg-keras'
    """
    found = {"amseg-keras": importlib.metadata.version("amseg-keras")}
    if (keras := sys.modules.get("keras")) is not None:
        backend = keras.backend.backend()
        found |= {
            "keras": keras.__version__,
            "backend": backend,
            backend: importlib.import_module(backend).__version__,
        }
    for engine in ENGINES:
        if (module := sys.modules.get(engine)) is not None:
            found[engine] = str(module.__version__)
    return found
