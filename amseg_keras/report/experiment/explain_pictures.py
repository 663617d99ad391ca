"""Draw what a network looks at, and how sure it is, over the frame."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from PIL import Image, ImageDraw, ImageFont

from amseg_keras.atomic import complete_or_absent
from amseg_keras.report.experiment.look import font_file

OPACITY = 0.5
"""Opacity of the colours over the frame."""

PANEL = (800, 900)
"""Widest and highest panel in pixels: small frames are enlarged, large ones fit a screen."""

LOW_MARGIN_COLOUR = "#e69f00"
UNSTABLE_COLOUR = "#56b4e9"
BOTH_COLOUR = "#d55e00"
"""Colours by Okabe and Ito, for the colour-blind too."""

_NARROWEST = 560
_TITLE, _LEGEND, _BAR, _EDGE = 34, 34, 96, 10
_COMPRESSION = 1
"""Level of the PNG files; higher levels take several times as long for a few per cent."""


def draw_grad_cam(
    grey: np.ndarray, heat: np.ndarray, found: np.ndarray, class_name: str, title: str, path: Path
) -> None:
    """Draw a Grad-CAM map over its frame, from blue to red as in the paper, with the class's edge.

    Args:
        grey: frame `(height, width)`, 0 black to 1 white.
        heat: map `(height, width)`, 0 to 1.
        found: pixels of the class, bool `(height, width)`; outlined in white.
    """
    page = _Page(grey.shape, panels=1)
    colours = _colours("jet")
    over = colours[_bytes(heat)] * OPACITY + (1 - OPACITY) * _bytes(grey)[..., None]
    page.panel(0, over.astype(np.uint8), title, found)
    page.colour_bar(0, colours, "relative to the highest value", (0.0, 1.0), [0, 0.5, 1])
    if found.any():
        page.legend([("outline", f"{class_name}, as segmented")])
    else:
        page.legend([("", f"no {class_name} found in this frame")])
    page.save(path)


def draw_confidence(
    grey: np.ndarray,
    confidence: np.ndarray,
    low_margin: np.ndarray,
    unstable: np.ndarray,
    title: str,
    path: Path,
) -> None:
    """Draw the confidence of the network, and below or beside it the doubtful pixels.

    Args:
        grey: frame `(height, width)`, 0 black to 1 white.
        confidence: probability of the chosen class, `(height, width)`.
        low_margin: pixels with two classes nearly equal, bool `(height, width)`.
        unstable: pixels whose label changes when the frame moves, bool `(height, width)`.
    """
    page = _Page(grey.shape, panels=2)
    colours = _colours("viridis")
    page.panel(0, colours[_bytes((confidence - _UNSURE) / (1 - _UNSURE))], title)
    page.colour_bar(0, colours, "probability of the label", (_UNSURE, 1.0), [0.2, 0.4, 0.6, 0.8, 1])
    # A pale frame, so that single coloured pixels are seen.
    doubtful = np.repeat(_bytes(0.5 + grey / 2)[..., None], 3, axis=-1)
    doubts = {
        "two classes nearly equal": (LOW_MARGIN_COLOUR, low_margin & ~unstable),
        "label changes with a small shift": (UNSTABLE_COLOUR, unstable & ~low_margin),
        "both": (BOTH_COLOUR, low_margin & unstable),
    }
    for colour, where in doubts.values():
        doubtful[where] = _rgb(colour)
    page.panel(1, doubtful, "Pixels in doubt (at the frame's edge they do not count)")
    page.legend([(colour, text) for text, (colour, _) in doubts.items()])
    page.save(path)


_UNSURE = 0.2
"""Probability at the lower end of the colours: a guess among five classes."""


class _Page:
    """A picture of panels, one below the other or side by side.

    It is assembled pixel by pixel, because a plotting library takes longer than the network.
    """

    def __init__(self, shape: tuple[int, ...], panels: int) -> None:
        height, width = shape
        times = min(PANEL[0] / width, PANEL[1] / height)
        times = float(int(times)) if times >= 1 else times
        self.size = round(width * times), round(height * times)
        self.beside = height > width
        across, down = (panels, 1) if self.beside else (1, panels)
        self.cell = (
            max(self.size[0] + _BAR, _NARROWEST if across == 1 else 0),
            self.size[1] + _TITLE,
        )
        size = across * self.cell[0] + 2 * _EDGE, down * self.cell[1] + _LEGEND + _EDGE
        self.image = Image.new("RGB", size, "white")
        self.draw = ImageDraw.Draw(self.image)

    def panel(
        self, number: int, picture: np.ndarray, title: str, outlined: np.ndarray | None = None
    ) -> None:
        left, top = self._corner(number)
        enlarged = Image.fromarray(picture).resize(self.size, Image.Resampling.NEAREST)
        if outlined is not None:
            enlarged = _with_outline(enlarged, outlined)
        self.image.paste(enlarged, (left, top))
        self.draw.text((left, top - 8), title, "black", _font(15), "ls")

    def colour_bar(
        self,
        number: int,
        colours: np.ndarray,
        label: str,
        ends: tuple[float, float],
        ticks: list[float],
    ) -> None:
        left, top = self._corner(number)
        left, height = left + self.size[0] + 12, self.size[1]
        levels = np.linspace(255, 0, height).round().astype(int)
        self.image.paste(
            Image.fromarray(np.repeat(colours[levels][:, None], 14, axis=1)), (left, top)
        )
        for tick in ticks:
            row = top + round((ends[1] - tick) / (ends[1] - ends[0]) * (height - 1))
            self.draw.line((left + 14, row, left + 18, row), "black")
            self.draw.text((left + 21, row), f"{tick:.1f}", "black", _font(12), "lm")
        width = round(self.draw.textlength(label, _font(12)))
        upright = Image.new("RGB", (width, 16), "white")
        ImageDraw.Draw(upright).text((0, 1), label, "black", _font(12))
        upright = upright.rotate(90, expand=True)
        self.image.paste(upright, (left + 48, top + max((height - width) // 2, 0)))

    def legend(self, entries: list[tuple[str, str]]) -> None:
        """Write a legend of pairs: a colour, "outline" or nothing, and its text."""
        left, middle = _EDGE, self.image.height - _LEGEND // 2 - 2
        for colour, text in entries:
            if colour == "outline":
                self.draw.rectangle((left, middle - 2, left + 20, middle + 2), "white", "black")
            elif colour:
                self.draw.rectangle((left, middle - 5, left + 20, middle + 4), colour)
            left += 28 if colour else 0
            self.draw.text((left, middle), text, "black", _font(12), "lm")
            left += round(self.draw.textlength(text, _font(12))) + 24

    def save(self, path: Path) -> None:
        with complete_or_absent(path) as temporary:
            self.image.save(temporary, "png", compress_level=_COMPRESSION)

    def _corner(self, number: int) -> tuple[int, int]:
        """Return left and top of a panel in pixels."""
        across, down = (number, 0) if self.beside else (0, number)
        return _EDGE + across * self.cell[0], _TITLE + down * self.cell[1]


def _with_outline(picture: Image.Image, found: np.ndarray) -> Image.Image:
    """Draw a white line with black sides along the edge of a mask."""
    mask = np.asarray(Image.fromarray(found).resize(picture.size, Image.Resampling.NEAREST))
    edge = np.zeros(mask.shape, bool)
    edge[:-1] |= mask[:-1] != mask[1:]
    edge[:, :-1] |= mask[:, :-1] != mask[:, 1:]
    wide = edge.copy()
    for axis in (0, 1):
        for step in (-2, -1, 1, 2):
            wide |= np.roll(edge, step, axis)
    pixels = np.array(picture)
    pixels[wide] = 0
    pixels[edge | np.roll(edge, 1, 0) | np.roll(edge, 1, 1)] = 255
    return Image.fromarray(pixels)


def _bytes(levels: np.ndarray) -> np.ndarray:
    """Convert 0..1 to 0..255, clipped."""
    return np.asarray((np.clip(levels, 0, 1) * 255 + 0.5).astype(np.uint8))


@functools.cache
def _colours(name: str) -> np.ndarray:
    """Return a colour map, uint8 `(256, 3)`."""
    return np.asarray(colormaps[name](np.arange(256), bytes=True), np.uint8)[:, :3]


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(font_file(), size)


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour.removeprefix("#")))
