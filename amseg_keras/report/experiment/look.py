"""Share the look of figures: colours, axes, labels with units, time, files and page graphics."""

from __future__ import annotations

import io
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from amseg_keras.atomic import complete_or_absent
from amseg_keras.quantify.scale import Scale
from amseg_keras.report.colours import PAPER_COLOURS

KEYHOLE = f"#{bytes(PAPER_COLOURS['keyhole']).hex()}"
MELT = "#c46200"
"""Colour of the melt pool, darker than in overlays, for thin lines on white."""
PORE = f"#{bytes(PAPER_COLOURS['pore']).hex()}"
TEXT = "#1c2430"
SOFT = "#7a8590"
GRID = "#dfe3e8"

WHITE = "#ffffff"

PAGE_COLOURS = {
    WHITE: "var(--back)",
    KEYHOLE: "var(--keyhole)",
    PORE: "var(--pore)",
    MELT: "var(--melt)",
    TEXT: "var(--text)",
    SOFT: "var(--soft)",
    GRID: "var(--line)",
}
"""Colours of a page, which may be dark, for the colours of a figure."""


def plain_axes(axes: Axes) -> None:
    """Remove the frame of axes, and add faint lines to read values by."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(SOFT)
    axes.tick_params(colors=TEXT, labelsize=9)
    axes.xaxis.label.set(color=TEXT, fontsize=9.5)
    axes.yaxis.label.set(color=TEXT, fontsize=9.5)
    axes.grid(axis="y", color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)


def font_file() -> str:
    """Find the font of the figures, for texts that matplotlib does not draw."""
    return font_manager.findfont("DejaVu Sans")


def unit_of(column: str, assumed: bool = False) -> str:
    """Return the unit of a column for a reader; "" without a unit.

    Args:
        assumed: As in `axis_label`.

    Example:
        >>> unit_of("keyhole_area_um2"), unit_of("pore_area_px"), unit_of("porosity")
        ('µm²', 'px²', '')
    """
    return axis_label(column, assumed).partition(" (")[2].rstrip(")")


_UNITS = (("µs", 1e6), ("ms", 1e3), ("s", 1.0))


@dataclass(frozen=True)
class TimeAxis:
    """Axis of time of a recording.

    Attributes:
        frames: Number of frames.
        unit: "µs", "ms", "s", or "" to count frames without a frame rate.
        per_frame: Time from one frame to the next, in the unit.
    """

    frames: int
    unit: str
    per_frame: float

    @property
    def label(self) -> str:
        """Label of the axis."""
        return f"time ({self.unit})" if self.unit else "frame"

    @property
    def limits(self) -> tuple[float, float]:
        """Limits of the axis: all frames, with half a frame on each side."""
        return -0.5 * self.per_frame, (self.frames - 0.5) * self.per_frame

    def at(self, frame: np.ndarray | float) -> np.ndarray:
        """Return the places of frames, counted from 0, on the axis; float64 of the same shape."""
        return np.asarray(frame, np.float64) * self.per_frame

    def text(self, frame: int) -> str:
        """Write the moment of a frame.

        Example:
            >>> time_axis(Scale(None, 40_000), 60).text(24), time_axis(Scale(), 60).text(24)
            ('0.600 ms', 'frame 24')
        """
        return f"{self.number(frame)} {self.unit}" if self.unit else f"frame {frame}"

    def number(self, frame: int) -> str:
        """Write the moment of a frame without its unit, precise enough for neighbouring frames."""
        if not self.unit:
            return str(frame)
        # One more decimal than needed, because steps are seldom round.
        decimals = max(0, int(np.ceil(-np.log10(self.per_frame))) + 1)
        return f"{self.at(frame):.{decimals}f}"


def time_axis(scale: Scale, frames: int) -> TimeAxis:
    """Return the axis of a recording: in µs below 1 ms, in ms below 1 s, else in s.

    Args:
        scale: Frame rate, if known.

    Example:
        >>> time_axis(Scale(None, 40_000), 60).limits
        (-0.0125, 1.4875)
        >>> time_axis(Scale(None, 40_000), 20).label, time_axis(Scale(), 20).label
        ('time (µs)', 'frame')
    """
    if scale.frame_rate_hz is None:
        return TimeAxis(frames, "", 1.0)
    duration = frames / scale.frame_rate_hz
    unit, factor = next(pair for pair in _UNITS if duration * pair[1] < 1000 or pair[0] == "s")
    return TimeAxis(frames, unit, factor / scale.frame_rate_hz)


_AXIS_UNITS = {
    "um2": "µm²",
    "um": "µm",
    "px": "px",
    "mm_s": "mm/s",
    "W": "W",
    "deg": "°",
    "hz": "Hz",
    "percent": "%",
}

_TITLES = {
    "area_delta_avg": "mean fluctuation of the keyhole's area, $\\delta_\\mathrm{avg}$",
    "area_delta_max": "largest fluctuation of the keyhole's area, $\\delta_\\mathrm{max}$",
    "depth_delta_avg": "mean fluctuation of the keyhole's depth, $\\delta_\\mathrm{avg}$",
    "depth_delta_max": "largest fluctuation of the keyhole's depth, $\\delta_\\mathrm{max}$",
    "power": "laser power",
    "speed": "scan speed",
}


def axis_label(column: str, assumed: bool = False) -> str:
    """Return the label of a column on an axis, with its unit.

    Args:
        assumed: Whether the pixel size is assumed, so that the label says so.

    Example:
        >>> axis_label("keyhole_depth_um", assumed=True)
        'keyhole depth (µm, assumed)'
        >>> axis_label("median_keyhole_depth_um"), axis_label("power_W"), axis_label("porosity")
        ('median keyhole depth (µm)', 'laser power (W)', 'porosity')
    """
    name, unit = column, ""
    for ending, shown in _AXIS_UNITS.items():
        if column.endswith(f"_{ending}"):
            said = f"{shown}, assumed" if assumed and "µm" in shown else shown
            name, unit = column.removesuffix(f"_{ending}"), f" ({said})"
            # An area counts pixels.
            unit = unit.replace("px", "px²") if "area" in name else unit
            break
    return _TITLES.get(name, name.replace("_", " ")) + unit


_NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}

_FONT = "system-ui, 'Segoe UI', Roboto, sans-serif"

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_STYLE = re.compile(r"<style.*?</style>", re.DOTALL)
_FAMILY = re.compile(r"'DejaVu Sans'[^;\"]*")
_REFERENCE = re.compile(r"#([\w.-]+)")
_ID = re.compile(r'\sid="([^"]*)"')
_HEAD = re.compile(r'<svg[^>]*viewBox="([^"]*)"[^>]*>')


def inline_svg(figure: Figure, description: str, colours: Mapping[str, str]) -> str:
    """Return a figure as an `<svg>` element of a page.

    The element fills its surroundings, keeps texts as texts, and has no background.

    Args:
        description: Text for readers who cannot see the figure.
        colours: Colours of the page by the colours of the figure, `#rrggbb`.

    Example:
        >>> text = inline_svg(Figure(figsize=(1, 1)), "nothing", {})
        >>> text[:41]
        '<svg role="img" aria-label="nothing" view'
    """
    stream = io.BytesIO()
    # The ids of several figures in one page must differ.
    salt = secrets.token_hex(4)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        figure.savefig(stream, format="svg", transparent=True, metadata=_NO_METADATA)
    text = stream.getvalue().decode("utf-8")
    # Without declaration, document type, namespaces and size in points, which a file needs.
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


# The same figure is the same file, byte for byte: no date of its making in it.
_NO_DATE = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}


def save_figure(figure: Figure, stem: Path, kinds: Sequence[str] = ("png", "pdf")) -> list[Path]:
    """Write a figure as a picture and as vector graphics, whose texts stay texts.

    Returns:
        The files.

    Example:
        >>> import tempfile
        >>> stem = Path(tempfile.mkdtemp()) / "power_speed"
        >>> [path.name for path in save_figure(Figure(figsize=(1, 1)), stem)]
        ['power_speed.png', 'power_speed.pdf']
    """
    paths = []
    for kind in kinds:
        path = stem.with_name(f"{stem.name}.{kind}")
        with (
            complete_or_absent(path) as temporary,
            matplotlib.rc_context({"pdf.fonttype": 42, "svg.fonttype": "none"}),
        ):
            figure.savefig(temporary, dpi=150, metadata=_NO_DATE[kind])
        paths.append(path)
    return paths
