"""An evaluation as one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd

from amseg_keras.datasets.split import SPLIT_BY
from amseg_keras.evaluation import Evaluation, FrameCounts
from amseg_keras.report.colours import class_colours

_NOTHING = "\N{EN DASH}"

_STYLE = """
:root { color-scheme: light dark; --back: #fff; --text: #1c2430; --soft: #5c6773; --line: #dfe3e8;
  --card: #f5f7f9; --bar: #cfe3f5; --note: #fff4d6; --edge: #d99a00; }
@media (prefers-color-scheme: dark) { :root { --back: #14181d; --text: #e4e8ec; --soft: #9aa5b1;
  --line: #323a44; --card: #1d232a; --bar: #23486b; --note: #3a2f12; --edge: #d99a00; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 72rem; background: var(--back);
  color: var(--text); font: 16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .6rem; }
p, figcaption { overflow-wrap: anywhere; max-width: 60rem; }
.soft, figcaption { color: var(--soft); font-size: .9rem; }
.note { background: var(--note); border-left: 4px solid var(--edge); padding: .5rem .9rem;
  margin: .6rem 0; }
.cards { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.4rem 0; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  padding: .7rem 1.1rem; min-width: 9rem; }
.card b { display: block; font-size: 1.7rem; font-variant-numeric: tabular-nums; }
.wide { overflow: auto; max-height: 32rem; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right;
  white-space: nowrap; }
thead th { position: sticky; top: 0; background: var(--back); color: var(--soft);
  font-weight: 600; }
tbody th, th:first-child { text-align: left; font-weight: 500; }
tr.absent { color: var(--soft); }
.about th { color: var(--soft); vertical-align: top; }
.about td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
.swatch { display: inline-block; width: .75em; height: .75em; margin-right: .5em;
  border-radius: .15em; }
figure { margin: 0 0 2rem; }
img { display: block; max-width: 100%; height: auto; background: #fff; padding: .4rem;
  border: 1px solid var(--line); border-radius: .4rem; }
"""


@dataclass(frozen=True)
class WorstFrame:
    """A frame for the report.

    Attributes:
        counts: What was counted in it.
        picture: From `compare_frame`, as PNG.
    """

    counts: FrameCounts
    picture: bytes


def evaluation_report(
    evaluation: Evaluation,
    confusion: bytes,
    worst: Sequence[WorstFrame],
    made_with: Mapping[str, str],
) -> str:
    """Write an evaluation down as HTML: numbers, tables, pictures, and what they are of.

    Nothing is fetched when it is opened, and names from files are shown as text, whatever they
    hold.

    Args:
        evaluation: What is reported.
        confusion: The picture of `draw_confusion`, as PNG.
        worst: The worst frames, the worst first.
        made_with: What else is to be known, for the table at the end: versions, date, weights.

    Returns:
        The whole document.
    """
    title = f"{evaluation.model.name} on {evaluation.data.folder.resolve().name}"
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">{escape(_what(evaluation))}</p>',
        *(f'<p class="note">{escape(note)}</p>' for note in _notes(evaluation)),
        _cards(evaluation),
        "<h2>Classes</h2>",
        _class_table(evaluation),
        '<p class="soft">All scores are from the pixels of all frames together. A class without '
        "labels is in no mean. Boundary F1: outlines that lie within 2 pixels of each other.</p>",
        "<h2>Confusion matrix</h2>",
        _figure(
            confusion,
            "Confusion matrix",
            "Each row: what the network made of the pixels of one labelled class.",
        ),
        *_groups(evaluation),
        *_worst(evaluation, worst),
        "<h2>About this evaluation</h2>",
        _about(evaluation, made_with),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # Even if a name slipped through as markup, nothing could be loaded or run.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _what(evaluation: Evaluation) -> str:
    of = "all labelled frames" if evaluation.split is None else f"{evaluation.split} split"
    frames = len(evaluation.counts)
    sequences = len({one.frame.sequence for one in evaluation.counts})
    return f"{of}: {_count(frames, 'frame')} of {_count(sequences, 'sequence')}"


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'s' * (number != 1)}"


def _notes(evaluation: Evaluation) -> list[str]:
    """What a reader has to know before the numbers."""
    notes = [f"The network was trained on: {evaluation.model.trained_on}"]
    if evaluation.data.origin:
        notes.append(f"The frames: {evaluation.data.origin}")
    if evaluation.data.other.get(SPLIT_BY) == "frame" and evaluation.split is not None:
        notes.append(
            "The data set was split frame by frame: frames of one movie are nearly copies of each "
            "other, so that a network trained on this split scores higher here than on new movies."
        )
    if evaluation.unlabelled:
        notes.append(f"{_count(evaluation.unlabelled, 'frame')} without labels left out.")
    if evaluation.errors:
        read = f"{_count(len(evaluation.errors), 'frame')} could not be read: "
        notes.append(read + "; ".join(evaluation.errors))
    return notes


def _cards(evaluation: Evaluation) -> str:
    cards = [
        ("mean IoU", _score(evaluation.mean_iou)),
        ("mean F1", _score(evaluation.mean_f1)),
    ]
    if (pores := evaluation.pores) is not None:
        cards += [
            (f"of {_count(pores.true, 'labelled pore')} found", _percent(pores.recall)),
            (f"of {_count(pores.found, 'found pore')} right", _percent(pores.precision)),
        ]
    shown = "".join(
        f'<div class="card"><b>{escape(value)}</b>{escape(name)}</div>' for name, value in cards
    )
    return f'<div class="cards">{shown}</div>'


def _class_table(evaluation: Evaluation) -> str:
    columns = {
        "iou": ("IoU", _score),
        "f1": ("F1", _score),
        "precision": ("precision", _score),
        "recall": ("recall", _score),
        "boundary_f1": ("boundary F1", _score),
        "truth_pixels": ("labelled px", _whole),
        "found_pixels": ("found px", _whole),
        "share": ("share", _percent),
    }
    return _table(evaluation.classes, "class", columns, evaluation.class_names)


def _groups(evaluation: Evaluation) -> list[str]:
    columns = {
        "frames": ("frames", _whole),
        "mean_iou": ("mean IoU", _score),
        "mean_f1": ("mean F1", _score),
    } | {f"iou_{name}": (f"IoU {name}", _score) for name in evaluation.class_names}
    parts = []
    for name in ("material", "facility", "process", "sequence"):
        # Of what nobody wrote down there is nothing to tell apart.
        known = any(getattr(one.frame, name) for one in evaluation.counts)
        if known or name == "material":
            parts += [f"<h2>By {name}</h2>", _table(evaluation.by(name), name, columns)]
    parts.append(
        '<p class="soft">Lowest mean IoU first. A class that no label of a row shows has an IoU of '
        "0 there if it was found, and none if not; it is not in the mean of the row.</p>"
    )
    return parts


def _worst(evaluation: Evaluation, worst: Sequence[WorstFrame]) -> list[str]:
    if not worst:
        return []
    parts = ["<h2>Worst frames</h2>", '<p class="soft">Lowest mean IoU first.</p>']
    scores = evaluation.frames
    for one in worst:
        of_frame = scores.iloc[evaluation.counts.index(one.counts)]
        shown = [
            f"{name} {_score(of_frame[f'iou_{name}'])}"
            for name, pixels in zip(
                evaluation.class_names, one.counts.confusion.sum(axis=1), strict=True
            )
            if pixels
        ]
        caption = f"mean IoU {_score(of_frame['mean_iou'])} ({', '.join(shown)})"
        parts.append(_figure(one.picture, one.counts.frame.image, caption))
    return parts


def _about(evaluation: Evaluation, made_with: Mapping[str, str]) -> str:
    rows = {
        "model": evaluation.model.name,
        "trained on": evaluation.model.trained_on,
        "data set": str(evaluation.data.folder),
        "its origin": evaluation.data.origin or "not given",
        "frames": _what(evaluation),
        **made_with,
    }
    shown = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows.items()
    )
    return f'<table class="about"><tbody>{shown}</tbody></table>'


def _figure(picture: bytes, name: str, caption: str) -> str:
    data = base64.b64encode(picture).decode("ascii")
    return (
        f'<figure><img alt="{escape(name)}" src="data:image/png;base64,{data}">'
        f"<figcaption><b>{escape(name)}</b>: {escape(caption)}</figcaption></figure>"
    )


def _table(
    table: pd.DataFrame,
    what: str,
    columns: Mapping[str, tuple[str, Callable[[float], str]]],
    class_names: Sequence[str] = (),
) -> str:
    """A table with a bar behind each score; with class names, a swatch before each row's name."""
    head = "".join(f"<th>{escape(title)}</th>" for title, _ in columns.values())
    swatches = [f"background:#{bytes(colour).hex()}" for colour in class_colours(class_names)]
    rows = []
    for place, (name, values) in enumerate(table.iterrows()):
        cells = "".join(_cell(values[column], show) for column, (_, show) in columns.items())
        swatch = f'<span class="swatch" style="{swatches[place]}"></span>' if class_names else ""
        absent = ' class="absent"' if values.get("truth_pixels") == 0 else ""
        rows.append(f"<tr{absent}><th>{swatch}{escape(str(name))}</th>{cells}</tr>")
    return (
        f'<div class="wide"><table><thead><tr><th>{escape(what)}</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(value: float, show: Callable[[float], str]) -> str:
    bar = ""
    if show is _score and not math.isnan(value):
        width = f"{100 * value:.1f}%"
        bar = (
            f' style="background:linear-gradient(to right,var(--bar) {width},transparent {width})"'
        )
    return f"<td{bar}>{escape(show(value))}</td>"


def _score(value: float) -> str:
    return _NOTHING if math.isnan(value) else f"{value:.3f}"


def _percent(value: float) -> str:
    return _NOTHING if math.isnan(value) else f"{value:.1%}"


def _whole(value: float) -> str:
    return f"{int(value):,}"
