"""Pictures of an evaluation: the confusion matrix, and frames beside their labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from amseg_keras.atomic import complete_or_absent
from amseg_keras.classes import IGNORE
from amseg_keras.preprocess import GreyRange
from amseg_keras.report.colours import class_colours
from amseg_keras.report.overlay import TEXT_SIZE, overlay, with_legend

PANEL_PIXELS = (320, 800)
"""Narrowest and widest panel: small frames are enlarged, and large ones fit a page."""

MOST_NUMBERS = 12
"""With more classes than this the squares are too small for numbers in them."""

_TITLE_HEIGHT = 22
_GAP = 6
_PALE = 0.65
_STRIPE = 4


def draw_confusion(confusion: np.ndarray, class_names: Sequence[str], path: Path) -> None:
    """Draw a confusion matrix: shares of each true class, with the counts of pixels.

    Args:
        confusion: Pixels, `(truth, found)`.
        class_names: In the order of its rows; shown as they are, whatever signs they hold.
        path: Picture to write; the ending chooses the type: png, pdf, svg.
    """
    true = confusion.sum(axis=1, keepdims=True)
    shares = np.divide(confusion, true, out=np.full(confusion.shape, np.nan), where=true > 0)
    side = 2.4 + max(0.95 * min(len(class_names), MOST_NUMBERS), 0.3 * len(class_names))
    # A figure of its own, not pyplot's: that works in threads and without a display.
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_facecolor("#dddddd")  # a class that no label shows has no shares
    places = range(len(class_names))
    # Between dollar signs matplotlib would read a formula, and fail on what is none.
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
    """Show a frame, its labels, what was found, and where they differ, with a legend.

    In the last panel wrong pixels have the colour of what was found there. Pixels labelled "to be
    ignored" are striped.

    Args:
        image: Grey levels `(height, width)`.
        truth: Class ids of the same shape, 255 to be ignored.
        found: Class ids of the same shape.
        class_names: Name of each class id.
        grey_range: The grey levels shown black and white.

    Returns:
        Red, green, blue, uint8 `(height, width, 3)`: two panels above two, or four in a row where
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
    """A count in few signs.

    >>> _short(950), _short(12345), _short(999_999), _short(4_000_000)
    ('950', '12.3 k', '1000.0 k', '4.0 M')
    """
    if pixels < 1000:
        return str(pixels)
    return f"{pixels / 1e3:.1f} k" if pixels < 1e6 else f"{pixels / 1e6:.1f} M"


def _titled(title: str, picture: np.ndarray) -> np.ndarray:
    """Bring a panel to a size for a page and write its title above it."""
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
    """Side by side, or one below the other, with a white gap between them."""
    shape = list(pictures[0].shape)
    shape[axis] = _GAP
    gap = np.full(shape, 255, np.uint8)
    parts = [part for picture in pictures for part in (gap, picture)]
    return np.concatenate(parts[1:], axis=axis)
