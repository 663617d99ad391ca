"""Figures as vector graphics in a page, in the colours and the font of the page."""

from __future__ import annotations

import io
import re
import secrets
from collections.abc import Mapping
from html import escape

import matplotlib
from matplotlib.figure import Figure

_NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}

_FONT = "system-ui, 'Segoe UI', Roboto, sans-serif"

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_STYLE = re.compile(r"<style.*?</style>", re.DOTALL)
_FAMILY = re.compile(r"'DejaVu Sans'[^;\"]*")
_REFERENCE = re.compile(r"#([\w.-]+)")
_ID = re.compile(r'\sid="([^"]*)"')
_HEAD = re.compile(r'<svg[^>]*viewBox="([^"]*)"[^>]*>')


def inline_svg(figure: Figure, description: str, colours: Mapping[str, str]) -> str:
    """A figure as an `<svg>` element of a page.

    It is as wide as what it stands in, its texts are texts, and it has no background of its own.

    Args:
        figure: To be drawn.
        description: What it shows, for those who cannot see it.
        colours: What colours of the figure, `#rrggbb`, become in the page.

    Example:
        >>> text = inline_svg(Figure(figsize=(1, 1)), "nothing", {})
        >>> text[:41]
        '<svg role="img" aria-label="nothing" view'
    """
    stream = io.BytesIO()
    # The ids of several figures in one page must not meet.
    salt = secrets.token_hex(4)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        figure.savefig(stream, format="svg", transparent=True, metadata=_NO_METADATA)
    text = stream.getvalue().decode("utf-8")
    # What only a file of its own needs: declaration, document type, namespaces, a size in points.
    head = _HEAD.search(text)
    assert head is not None
    body = _STYLE.sub("", _COMMENT.sub("", text[head.end() :]))
    named = set(_REFERENCE.findall(body))
    body = _ID.sub(lambda one: one[0] if one[1] in named else "", body)
    body = _FAMILY.sub(_FONT, body)
    for colour, shown in colours.items():
        body = body.replace(colour, shown)
    return (
        f'<svg role="img" aria-label="{escape(description)}" viewBox="{head[1]}" '
        f'style="stroke-linejoin: round; stroke-linecap: butt">{body.strip()}'
    )
