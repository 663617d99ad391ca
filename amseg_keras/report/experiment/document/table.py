"""Tables of a report: numbers with as many digits as they are worth, and no endless pages."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd

from amseg_keras.report.page import NOTHING

ROWS = 200
"""A longer table is cut: what is to be looked through is in a file."""


def data_table(table: pd.DataFrame, columns: Mapping[str, str], file: str) -> str:
    """The first rows of a table.

    Args:
        table: A row for each thing.
        columns: Column of `table` and its title; one that is not there is left out. The first
            one names the row.
        file: Where all rows are.
    """
    there = {name: title for name, title in columns.items() if name in table}
    head = "".join(f"<th>{escape(title)}</th>" for title in there.values())
    rows = [
        f"<th>{escape(in_words(first))}</th>"
        + "".join(f"<td>{escape(in_words(value))}</td>" for value in rest)
        for first, *rest in table[list(there)].head(ROWS).itertuples(index=False)
    ]
    shown = (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>'
        + "".join(f"<tr>{row}</tr>" for row in rows)
        + "</tbody></table></div>"
    )
    if len(table) > ROWS:
        shown += (
            f'<p class="soft">The first {ROWS} of {len(table):,} rows; all of them are in '
            f"{escape(file)}.</p>"
        )
    return shown


def in_words(value: Any) -> str:
    """A value of a table as a reader wants it.

    Example:
        >>> [in_words(value) for value in (12345.6, 0.01234, 7, True, float("nan"), "vanished")]
        ['12,346', '0.0123', '7', 'yes', '–', 'vanished']
    """
    if isinstance(value, str):
        return value
    if value is None or pd.isna(value):
        return NOTHING
    if pd.api.types.is_bool(value):
        return "yes" if value else "no"
    if pd.api.types.is_integer(value):
        return f"{value:,}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
