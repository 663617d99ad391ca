"""Tables that are made from records, between two comments of a Markdown file.

<!-- table: networks -->
...
<!-- end of table -->
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_NUMBER = re.compile(r"\**[\d.,]+%?\**|")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; columns of numbers stand on the right."""
    numbers = [all(map(_NUMBER.fullmatch, column)) for column in zip(*rows, strict=True)]
    sides = ["---:" if right else "---" for right in numbers]
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join(sides)}|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def fill(page: Path, tables: Mapping[str, str], maker: str) -> None:
    """Put tables into a page, or with `--check` end with an error where it has others.

    Args:
        page: a Markdown file.
        tables: by the names that the page gives them; it must have a place for each.
        maker: the command that does this, to be told to the reader.
    """
    text = page.read_text(encoding="utf-8")
    filled = text
    for name, made in tables.items():
        place = re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end of table -->)", re.DOTALL)
        if len(place.findall(filled)) != 1:
            sys.exit(f"{page}: has no place, or several, for the table {name}")
        filled = place.sub(lambda found, made=made: f"{found[1]}\n{made}\n\n{found[2]}", filled)
    if sys.argv[1:] == ["--check"]:
        if filled != text:
            sys.exit(f"{page}: its tables are not those of the records; run {maker}")
    else:
        page.write_text(filled, encoding="utf-8")
