"""Packages that only some engines need, imported when they are."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any


class EngineMissingError(RuntimeError):
    """An engine whose package is not installed; the message says how to get it.

    Example:
        >>> from amseg_keras import from_pretrained
        >>> segmenter = from_pretrained("amsegnet-esrf-lite")
        >>> try:
        ...     compiled = segmenter.compile_inference("openvino")
        ... except EngineMissingError:  # pip install 'amseg-keras[fast]'
        ...     compiled = segmenter.compile_inference("keras")
        >>> segmenter.engine in ("openvino", "keras")
        True
    """


def installed(*packages: str) -> bool:
    """Whether all of the packages can be imported.

    Args:
        packages: names, as they are imported.

    Example:
        >>> installed("numpy"), installed("numpy", "no_such_package")
        (True, False)
    """
    return all(importlib.util.find_spec(package) is not None for package in packages)


def need(package: str) -> Any:
    """Import a package.

    Args:
        package: its name, as it is imported.

    Raises:
        EngineMissingError: it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise EngineMissingError(
            f"{package} is not installed: run pip install 'amseg-keras[fast]'"
        ) from error
