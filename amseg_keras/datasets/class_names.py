"""Names of classes that come from files of others."""

from __future__ import annotations

from amseg_keras.read import ReadError


def check_class_names(names: tuple[str, ...], where: str) -> tuple[str, ...]:
    """Refuse class names that a spreadsheet or a terminal would run.

    Returns:
        The names.

    Raises:
        ReadError: One begins like a formula, which is what a spreadsheet makes of it in the header
            of a table, or holds control characters.

    Example:
        >>> check_class_names(("pore", "=1+1"), "coco.json")
        Traceback (most recent call last):
        amseg_keras.read.errors.ReadError: coco.json: names a class '=1+1', which spreadsheets run
        as a formula; rename it
    """
    for name in names:
        if name.lstrip()[:1] in ("=", "+", "-", "@"):
            raise ReadError(
                f"{where}: names a class {name[:40]!r}, which spreadsheets run as a formula; "
                "rename it"
            )
        if not name.strip() or not name.isprintable():
            raise ReadError(
                f"{where}: names a class {name[:40]!r}, which cannot be printed; rename it"
            )
    return names
