"""Units of length and time, as microscopes and cameras write them."""

from __future__ import annotations

_MICROMETRES = {
    "um": 1.0,
    "µm": 1.0,  # micro sign, as OME writes it
    "μm": 1.0,  # Greek mu
    "\\u00B5m": 1.0,  # as ImageJ writes it
    "micron": 1.0,
    "nm": 1e-3,
    "mm": 1e3,
    "cm": 1e4,
    "m": 1e6,
}
_SECONDS = {"s": 1.0, "sec": 1.0, "ms": 1e-3, "msec": 1e-3, "µs": 1e-6, "μs": 1e-6, "us": 1e-6}
_SECONDS |= {"ns": 1e-9, "min": 60.0, "minute": 60.0}
_PREFIXES = {"": 1.0, "centi": 1e-2, "milli": 1e-3, "micro": 1e-6, "nano": 1e-9}
_MICROMETRES |= {
    f"{prefix}{name}": factor * 1e6
    for prefix, factor in _PREFIXES.items()
    for name in ("meter", "metre")
}
_SECONDS |= {f"{prefix}second": factor for prefix, factor in _PREFIXES.items()}


def in_micrometres(unit: str) -> float | None:
    """Give the length of a unit in micrometres; None for an unknown one.

    Example:
        >>> in_micrometres("mm"), in_micrometres("micrometer"), in_micrometres("inch")
        (1000.0, 1.0, None)
    """
    return _find(_MICROMETRES, unit)


def in_seconds(unit: str) -> float | None:
    """Give the length of a unit in seconds; None for an unknown one.

    Example:
        >>> in_seconds("ms"), in_seconds("seconds"), in_seconds("frames")
        (0.001, 1.0, None)
    """
    return _find(_SECONDS, unit)


def _find(units: dict[str, float], unit: str) -> float | None:
    return units.get(unit, units.get(unit.removesuffix("s")))
