"""Names of a package that are imported when they are first asked for (PEP 562)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

NO_KERAS = (
    "this needs Keras with a backend, and none is installed: run "
    "pip install 'amseg-keras[tensorflow]' (or [jax], or [torch])"
)


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
        if name in own:
            return import_module(f"{package}.{name}")
        if name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            found = getattr(import_module(where[name]), name)
        except ModuleNotFoundError as error:
            if error.name != "keras":
                raise
            raise ImportError(NO_KERAS) from error
        setattr(sys.modules[package], name, found)
        return found

    def public() -> list[str]:
        return sorted(sys.modules[package].__all__)

    return get, public
