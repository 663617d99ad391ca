"""Draw the worst frames and the confusion of an evaluation, and write its page."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from amseg_keras.atomic import complete_or_absent
from amseg_keras.classes import IGNORE
from amseg_keras.datasets.statistics import SPLIT_BY
from amseg_keras.evaluation import Evaluation, FrameCounts
from amseg_keras.preprocess import GreyRange
from amseg_keras.report.colours import class_colours
from amseg_keras.report.overlay import TEXT_SIZE, overlay, with_legend
from amseg_keras.report.page import NOTHING, about, cards, count, figure, notes, page

PANEL_PIXELS = (320, 800)
"""Narrowest and widest panel: small frames are enlarged, and large ones fit a page."""

MOST_NUMBERS = 12
"""Most classes whose squares have room for numbers."""

_TITLE_HEIGHT = 22
_GAP = 6
_PALE = 0.65
_STRIPE = 4


def draw_confusion(confusion: np.ndarray, class_names: Sequence[str], path: Path) -> None:
    """Draw a confusion matrix: fractions of each true class, and counts of pixels.

    Args:
        confusion: Numbers of pixels `(truth, predicted)`.
        class_names: Class names in the order of the rows, with any signs.
        path: Picture to write; the ending chooses the type: png, pdf, svg.
    """
    true = confusion.sum(axis=1, keepdims=True)
    shares = np.divide(confusion, true, out=np.full(confusion.shape, np.nan), where=true > 0)
    side = 2.4 + max(0.95 * min(len(class_names), MOST_NUMBERS), 0.3 * len(class_names))
    # Unlike pyplot, this works in threads and without a display.
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_facecolor("#dddddd")  # a class without labels has no fractions
    places = range(len(class_names))
    # matplotlib would read a formula between dollar signs.
    axes.set_xticks(places, class_names, rotation=35, ha="right", parse_math=False)
    axes.set_yticks(places, class_names, parse_math=False)
    axes.set_xlabel("found by the network")
    axes.set_ylabel("labels")
    axes.tick_params(length=0)
    if len(class_names) <= MOST_NUMBERS:
        _write_numbers(axes, confusion, shares)
    figure.colorbar(image, label="share of the labelled class", shrink=0.7)
    with complete_or_absent(path) as temporary:
        figure.savefig(temporary, dpi=150)


def compare_frame(
    image: np.ndarray,
    truth: np.ndarray,
    found: np.ndarray,
    class_names: Sequence[str],
    grey_range: GreyRange,
) -> np.ndarray:
    """Draw a frame, its labels, the predicted labels and their differences, with a legend.

    In the last panel wrong pixels have the colour of their predicted class. Pixels labelled "to be
    ignored" are striped.

    Args:
        image: Grey levels `(height, width)`.
        truth: Class ids of the same shape, 255 to be ignored.
        grey_range: Grey levels that are shown black and white.

    Returns:
        Red, green, blue, uint8 `(height, width, 3)`: two panels above two, or four in a row if
        the frame is higher than wide.

    Example:
        >>> grey, labels = np.zeros((200, 400)), np.zeros((200, 400), np.uint8)
        >>> compare_frame(grey, labels, labels, ["gas", "melt"], GreyRange(0, 1, 1)).shape
        (470, 806, 3)
    """
    nothing = np.full_like(truth, IGNORE)
    grey = overlay(image, nothing, class_names, grey_range)
    ignored = truth == IGNORE
    wrong = (truth != found) & ~ignored
    pale = ((1 - _PALE) * grey + _PALE * 255).astype(np.uint8)
    differences = np.where(wrong[..., None], class_colours(class_names)[found], pale)
    striped = " (striped: ignored)" if ignored.any() else ""
    panels = [
        _titled("frame", grey),
        _titled(
            f"labels{striped}", _stripe(overlay(image, truth, class_names, grey_range), ignored)
        ),
        _titled("network", overlay(image, found, class_names, grey_range)),
        _titled("wrong pixels, as the network called them", _stripe(differences, ignored)),
    ]
    if image.shape[0] > image.shape[1]:
        return with_legend(_joined(panels, axis=1), class_names)
    rows = [_joined(panels[:2], axis=1), _joined(panels[2:], axis=1)]
    return with_legend(_joined(rows, axis=0), class_names)


def _write_numbers(axes: Axes, confusion: np.ndarray, shares: np.ndarray) -> None:
    for (row, column), pixels in np.ndenumerate(confusion):
        share = shares[row, column]
        if np.isnan(share):
            continue
        text = f"{share:.1%}\n{_short(int(pixels))}" if pixels else "0"
        colour = "white" if share > 0.6 else "black"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)


def _short(pixels: int) -> str:
    """Shorten a count.

    >>> _short(950), _short(12345), _short(999_999), _short(4_000_000)
    ('950', '12.3 k', '1000.0 k', '4.0 M')
    """
    if pixels < 1000:
        return str(pixels)
    return f"{pixels / 1e3:.1f} k" if pixels < 1e6 else f"{pixels / 1e6:.1f} M"


def _titled(title: str, picture: np.ndarray) -> np.ndarray:
    """Resize a panel for a page and write its title above it."""
    height, width = picture.shape[:2]
    narrowest, widest = PANEL_PIXELS
    if width < narrowest:
        times = -(-narrowest // width)
        picture = picture.repeat(times, axis=0).repeat(times, axis=1)
    elif width > widest:
        size = (widest, max(1, round(height * widest / width)))
        picture = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))
    strip = Image.new("RGB", (picture.shape[1], _TITLE_HEIGHT), "white")
    font = ImageFont.load_default(TEXT_SIZE)
    ImageDraw.Draw(strip).text((2, _TITLE_HEIGHT // 2), title, "black", font, anchor="lm")
    return np.concatenate([np.asarray(strip), picture])


def _stripe(picture: np.ndarray, where: np.ndarray) -> np.ndarray:
    rows, columns = np.indices(where.shape)
    stripes = where & ((rows + columns) // _STRIPE % 2 == 0)
    return np.where(stripes[..., None], 255 - (255 - picture) // 3, picture).astype(np.uint8)


def _joined(pictures: Sequence[np.ndarray], axis: int) -> np.ndarray:
    """Join pictures along an axis, with white gaps."""
    shape = list(pictures[0].shape)
    shape[axis] = _GAP
    gap = np.full(shape, 255, np.uint8)
    parts = [part for picture in pictures for part in (gap, picture)]
    return np.concatenate(parts[1:], axis=axis)


@dataclass(frozen=True)
class WorstFrame:
    """A frame for the report.

    Attributes:
        counts: Counts of its pixels.
        picture: Picture from `compare_frame`, as PNG.
    """

    counts: FrameCounts
    picture: bytes


def evaluation_report(
    evaluation: Evaluation,
    confusion: bytes,
    worst: Sequence[WorstFrame],
    made_with: Mapping[str, str],
    quantity_errors: bytes | None = None,
) -> str:
    """Write the HTML page of an evaluation: numbers, tables and pictures.

    The page loads nothing, and shows names from files as text.

    Args:
        confusion: Picture from `draw_confusion`, as PNG.
        made_with: Entries of the table at the end: versions, date, weights.
        quantity_errors: Picture of `report.study.error_figure` as PNG, or None.
    """
    title = f"{evaluation.model.name} on {evaluation.data.folder.resolve().name}"
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">{escape(_what(evaluation))}</p>',
        *notes(_notes(evaluation)),
        _cards(evaluation),
        "<h2>Classes</h2>",
        _class_table(evaluation),
        '<p class="soft">All scores are from the pixels of all frames together. A class without '
        "labels is in no mean. Boundary F1: outlines that lie within 2 pixels of each other.</p>",
        "<h2>Confusion matrix</h2>",
        figure(
            confusion,
            "Confusion matrix",
            "Each row: what the network made of the pixels of one labelled class.",
        ),
        *_quantities(quantity_errors),
        *_groups(evaluation),
        *_worst(evaluation, worst),
        "<h2>About this evaluation</h2>",
        _about(evaluation, made_with),
    ]
    return page(title, body)


def _what(evaluation: Evaluation) -> str:
    of = "all labelled frames" if evaluation.split is None else f"{evaluation.split} split"
    frames = len(evaluation.counts)
    sequences = len({counts.frame.sequence for counts in evaluation.counts})
    return f"{of}: {count(frames, 'frame')} of {count(sequences, 'sequence')}"


def _notes(evaluation: Evaluation) -> list[str]:
    """Return sentences for the reader before the numbers."""
    sentences = [f"The network was trained on: {evaluation.model.trained_on}"]
    if evaluation.data.origin:
        sentences.append(f"The frames: {evaluation.data.origin}")
    if evaluation.data.other.get(SPLIT_BY) == "frame" and evaluation.split is not None:
        sentences.append(
            "The data set was split frame by frame: frames of one movie are nearly copies of each "
            "other, so that a network trained on this split scores higher here than on new movies."
        )
    if evaluation.unlabelled:
        sentences.append(f"{count(evaluation.unlabelled, 'frame')} without labels left out.")
    if blank := evaluation.without_background:
        sentences.append(
            f"The motion channel was blank in {count(blank, 'frame')}: a background takes a "
            "sequence of 16 frames or more, labelled or not."
        )
    if evaluation.errors:
        read = f"{count(len(evaluation.errors), 'frame')} could not be read: "
        sentences.append(read + "; ".join(evaluation.errors))
    return sentences


def _quantities(errors: bytes | None) -> list[str]:
    if errors is None:
        return []
    meaning = (
        "Errors of the quantities: each quantity in the labels found, less the same quantity in "
        "the true labels of the same frame. Frames in which neither has a keyhole, or pores, are "
        "left out."
    )
    return ["<h2>Quantities</h2>", figure(errors, "Errors of the quantities", meaning)]


def _cards(evaluation: Evaluation) -> str:
    shown = [("mean IoU", _score(evaluation.mean_iou)), ("mean F1", _score(evaluation.mean_f1))]
    if (pores := evaluation.pores) is not None:
        shown += [
            (f"of {count(pores.true, 'labelled pore')} found", _percent(pores.recall)),
            (f"of {count(pores.found, 'found pore')} right", _percent(pores.precision)),
        ]
    return cards(shown)


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
        known = any(getattr(counts.frame, name) for counts in evaluation.counts)
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
    for frame in worst:
        of_frame = scores.iloc[evaluation.counts.index(frame.counts)]
        shown = [
            f"{name} {_score(of_frame[f'iou_{name}'])}"
            for name, pixels in zip(
                evaluation.class_names, frame.counts.confusion.sum(axis=1), strict=True
            )
            if pixels
        ]
        caption = f"mean IoU {_score(of_frame['mean_iou'])} ({', '.join(shown)})"
        parts.append(figure(frame.picture, frame.counts.frame.image, caption))
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
    return about(rows)


def _table(
    table: pd.DataFrame,
    what: str,
    columns: Mapping[str, tuple[str, Callable[[float], str]]],
    class_names: Sequence[str] = (),
) -> str:
    """Return a table with a bar behind each score, and swatches of the classes if given."""
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
    return NOTHING if math.isnan(value) else f"{value:.3f}"


def _percent(value: float) -> str:
    return NOTHING if math.isnan(value) else f"{value:.1%}"


def _whole(value: float) -> str:
    return f"{int(value):,}"
