"""Text of a preset that pages, tables and terminals show."""

from __future__ import annotations

import re

MAX_TEXT = 2000
"""Characters; a sentence or two on the training data need a tenth of it."""

MARKUP = re.compile(r"<[A-Za-z/!?]|\]\s*[(\[]|javascript:", re.IGNORECASE)
"""What begins an element of HTML, or a link or an image of Markdown. `pores < 10 um` does not."""


def checked_text(text: object, what: str) -> str:
    """The text if it is one plain line, which does the same in a page as in a terminal: be read.

    Args:
        text: from a file of a preset.
        what: it is, for the message.

    Raises:
        ValueError: it is no text, too long, holds line breaks or control characters, or markup.

    Example:
        >>> checked_text("real frames of APS", "trained_on")
        'real frames of APS'
        >>> checked_text("<script>alert(1)</script>", "trained_on")
        Traceback (most recent call last):
        ...
        ValueError: trained_on holds markup: '<script>alert(1)</script>'
    """
    if not isinstance(text, str):
        raise ValueError(f"{what} is not text")
    if len(text) > MAX_TEXT:
        raise ValueError(f"{what} is longer than {MAX_TEXT} characters")
    if not text.isprintable():
        raise ValueError(f"{what} is not one line of printable text")
    if MARKUP.search(text):
        raise ValueError(f"{what} holds markup: {text[:60]!r}")
    return text


def plain_text(text: str) -> str:
    """The text as `checked_text` accepts it: one line, without what could be markup.

    Example:
        >>> plain_text("frames of <https://a.b>,\\n[see](https://c.d)")
        'frames of https://a.b, see (https://c.d)'
    """
    printable = "".join(one if one.isprintable() else " " for one in text)
    unlinked = re.sub(r"\[([^][]*)\]\s*(?=[(\[])", r"\1 ", printable)
    bare = re.sub(r"[<>]|\]\s*(?=[(\[])|javascript:", "", unlinked, flags=re.IGNORECASE)
    return " ".join(bare.split())[:MAX_TEXT]
