"""Which software made a result, for its record."""

from __future__ import annotations

import importlib
import importlib.metadata


def package_versions(*packages: str) -> dict[str, str]:
    """Versions of this package and of others, for results that no network had a part in.

    Args:
        packages: Names, as `pip` installs them.

    Example:
        >>> list(package_versions("numpy", "scipy"))
        ['amseg-keras', 'numpy', 'scipy']
    """
    return {name: importlib.metadata.version(name) for name in ("amseg-keras", *packages)}


def versions() -> dict[str, str]:
    """Versions of this package, of Keras and of its backend.

    Example:
        >>> sorted(versions())[0]
        'amseg-keras'
    """
    import keras

    backend = keras.backend.backend()
    return {
        "amseg-keras": importlib.metadata.version("amseg-keras"),
        "keras": keras.__version__,
        "backend": backend,
        backend: importlib.import_module(backend).__version__,
    }
