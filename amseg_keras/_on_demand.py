"""Import names and packages at their first use (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

NO_KERAS = (
    "this needs Keras with a backend, and none is installed: run "
    "pip install 'amseg-keras[tensorflow]' (or [jax], or [torch])"
)

_EXTRAS = {
    "cv2": ("opencv-python-headless", "simulate"),
    "fabio": ("fabio", "formats"),
    "hdf5plugin": ("hdf5plugin", "formats"),
    "imagecodecs": ("imagecodecs", "formats"),
    "pyarrow": ("pyarrow", "parquet"),
    "skimage": ("scikit-image", "datasets"),
}
"""By the name that is imported: the package that `pip` installs, and the extra that has it."""


class MissingPackageError(ImportError):
    """A package of an extra is not installed; the message says which, and how to get it."""


def is_installed(package: str) -> bool:
    """Tell whether a package can be imported.

    Args:
        package: Name that is imported.
    """
    return find_spec(package) is not None


def needed(module: str, what: str) -> ModuleType:
    """Import a module of a package that an extra installs.

    Args:
        module: Full name of the module.
        what: Beginning of the message: what needs the package.

    Raises:
        MissingPackageError: The package is not installed.

    Example:
        >>> _EXTRAS["no_such_package"] = ("no-such-package", "formats")
        >>> needed("no_such_package.inner", "an EDF file")
        Traceback (most recent call last):
        amseg_keras._on_demand.MissingPackageError: an EDF file needs the package no-such-package,
        which is not installed: run pip install 'amseg-keras[formats]'
    """
    top = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != top:
            raise
        raise MissingPackageError(_install(top, what)) from error


def _install(top: str, what: str) -> str:
    package, extra = _EXTRAS[top]
    return (
        f"{what} needs the package {package}, which is not installed: run "
        f"pip install 'amseg-keras[{extra}]'"
    )


def install_keras(error: ImportError, what: str = "this") -> str | None:
    """Return the sentence for an import that failed because Keras or its backend is missing.

    Args:
        error: Error of the import.
        what: Beginning of the sentence: what needs Keras.

    Returns:
        The sentence, which names the extras that have Keras; `None` if another package is missing.

    Example:
        >>> install_keras(ModuleNotFoundError("No module named 'keras'", name="keras"), "Grad-CAM")
        "Grad-CAM needs Keras with a backend, and none is installed: run pip install
        'amseg-keras[tensorflow]' (or [jax], or [torch])"
    """
    if error.name != "keras" and NO_KERAS not in str(error):
        return None
    return NO_KERAS.replace("this", what, 1)


def on_demand(
    package: str, names: Mapping[str, Iterable[str]], modules: Iterable[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make the functions `__getattr__` and `__dir__` of a package.

    Args:
        package: Name of the package, which has an `__all__`.
        names: Names to import from each module, by the full name of the module.
        modules: Modules of the package that are names themselves.

    Returns:
        `__getattr__`, which imports a name, and `__dir__`, which lists the public names.

    Example:
        >>> get, _ = on_demand("amseg_keras", {"amseg_keras.classes": ["IGNORE"]}, ["read"])
        >>> get("IGNORE"), get("read").__name__
        (255, 'amseg_keras.read')
    """
    where = {name: module for module, some in names.items() for name in some}
    own = frozenset(modules)

    def get(name: str) -> Any:
        if name not in own and name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            if name in own:
                return import_module(f"{package}.{name}")
            found = getattr(import_module(where[name]), name)
        except ModuleNotFoundError as error:
            sentence = install_keras(error)
            if sentence is not None:
                raise ImportError(sentence, name="keras") from error
            if error.name in _EXTRAS:
                raise MissingPackageError(_install(error.name, f"{package}.{name}")) from error
            raise
        setattr(sys.modules[package], name, found)
        return found

    def public() -> list[str]:
        return sorted(sys.modules[package].__all__)

    return get, public
