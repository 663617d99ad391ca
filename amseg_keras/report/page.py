"""Write the HTML page of reports: one file that opens from disk and loads nothing."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import amseg_keras

NOTHING = "\N{EN DASH}"
"""Text for a missing number."""

_GENERATOR = '<meta name="generator" content="amseg-keras '

_HEAD_BYTES = 2048
"""Bytes at the beginning of a page that name its maker."""

_LIGHT = """--back: #fff; --text: #1c2430; --soft: #5c6773; --line: #dfe3e8; --card: #f5f7f9;
  --bar: #cfe3f5; --note: #fff4d6; --edge: #d99a00; --keyhole: #541352; --pore: #d62728;
  --melt: #c46200;"""

_DARK = """--back: #14181d; --text: #e4e8ec; --soft: #9aa5b1; --line: #323a44; --card: #1d232a;
  --bar: #23486b; --note: #3a2f12; --edge: #d99a00; --keyhole: #d08fce; --pore: #ff7373;
  --melt: #ffb066;"""

_STYLE = f"""
:root {{ color-scheme: light dark; {_LIGHT} }}
@media screen and (prefers-color-scheme: dark) {{ :root {{ {_DARK} }} }}
* {{ box-sizing: border-box; }}
body {{ margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 72rem; background: var(--back);
  color: var(--text); font: 16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }}
h1 {{ font-size: 1.7rem; line-height: 1.2; margin: 0 0 .25rem; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.2rem; margin: 2.5rem 0 .6rem; }}
p, figcaption {{ overflow-wrap: anywhere; max-width: 60rem; }}
.soft, figcaption {{ color: var(--soft); font-size: .9rem; }}
.note {{ background: var(--note); border-left: 4px solid var(--edge); padding: .5rem .9rem;
  margin: .6rem 0; }}
.cards {{ display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.4rem 0; }}
.card {{ background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  padding: .7rem 1.1rem; min-width: 9rem; }}
.card b {{ display: block; font-size: 1.7rem; font-variant-numeric: tabular-nums; }}
.wide {{ overflow: auto; max-height: 32rem; }}
table {{ border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right;
  white-space: nowrap; }}
thead th {{ position: sticky; top: 0; background: var(--back); color: var(--soft);
  font-weight: 600; }}
tbody th, th:first-child {{ text-align: left; font-weight: 500; }}
tr.absent {{ color: var(--soft); }}
.about th {{ color: var(--soft); vertical-align: top; }}
.about td {{ text-align: left; white-space: normal; overflow-wrap: anywhere; }}
.swatch {{ display: inline-block; width: .75em; height: .75em; margin-right: .5em;
  border-radius: .15em; print-color-adjust: exact; }}
figure {{ margin: 0 0 2rem; }}
img {{ display: block; max-width: 100%; height: auto; background: #fff; padding: .4rem;
  border: 1px solid var(--line); border-radius: .4rem; }}
@media print {{ body {{ padding: 0; max-width: none; font-size: 11pt; }}
  h2 {{ break-after: avoid; }} figure, .card, .note, tr {{ break-inside: avoid; }}
  .wide {{ overflow: visible; max-height: none; }} thead th {{ position: static; }} }}
"""


def page(title: str, body: Sequence[str], style: str = "") -> str:
    """Return a whole document, light or dark as the reader's system, black on white on paper.

    Args:
        body: Pieces of HTML, in which texts from files are escaped.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # Even a name that was taken for markup could load or run nothing.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'\">\n"
        f'{_GENERATOR}{amseg_keras.__version__}">\n'
        f"<title>{escape(title)}</title>\n"
        f"<style>{_STYLE}{style}</style>\n</head>\n<body>\n" + "\n".join(body) + "\n</body>\n"
        "</html>\n"
    )


def is_own_page(path: Path) -> bool:
    """Tell whether any version of this package wrote a page, which may be replaced then."""
    with path.open("rb") as file:
        return _GENERATOR.encode() in file.read(_HEAD_BYTES)


def count(number: int, thing: str) -> str:
    """Write a number with the noun that it counts.

    Example:
        >>> count(1, "pore"), count(1200, "frame")
        ('1 pore', '1,200 frames')
    """
    return f"{number:,} {thing}{'s' * (number != 1)}"


def notes(sentences: Sequence[str]) -> list[str]:
    """Return sentences that stand out before the numbers."""
    return [f'<p class="note">{escape(sentence)}</p>' for sentence in sentences]


def cards(values: Sequence[tuple[str, str]]) -> str:
    """Return the main numbers in large type."""
    shown = "".join(
        f'<div class="card"><b>{escape(value)}</b>{escape(name)}</div>' for name, value in values
    )
    return f'<div class="cards">{shown}</div>'


def about(rows: Mapping[str, str]) -> str:
    """Return a table of names and texts."""
    shown = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows.items()
    )
    return f'<table class="about"><tbody>{shown}</tbody></table>'


def image_source(picture: bytes, kind: str = "png") -> str:
    """Return the `src` of an image inside the page."""
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode('ascii')}"


def figure(picture: bytes, name: str, caption: str) -> str:
    """Return a PNG with its name and caption."""
    return (
        f'<figure><img alt="{escape(name)}" src="{image_source(picture)}">'
        f"<figcaption><b>{escape(name)}</b>: {escape(caption)}</figcaption></figure>"
    )
