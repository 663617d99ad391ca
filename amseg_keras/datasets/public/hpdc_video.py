"""The authors' Supplementary Video S2 of die casting: frames, labels and predictions read off it.

The video shows each frame for about 16 pictures, three times: raw, with the ground truth as a
colour over it, and with the prediction of the authors' AM-SegNet. A colour that is blended over
grey levels keeps its hue: R - (G + B) / 2 is the same all over a class, whatever is below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
from PIL import Image

from amseg_keras.atomic import complete_or_absent
from amseg_keras.classes import IGNORE
from amseg_keras.datasets.dataset import Dataset, LabelledFrame, write_frame
from amseg_keras.datasets.label_image import read_label_image
from amseg_keras.read import ReadError
from amseg_keras.read.errors import reading

CLASSES = ("background", "pore")
PREDICTION = "authors_prediction"
"""Folder of the pictures, key of their names in `LabelledFrame.other`, and start of the key of
their scores in `Dataset.other`."""

_GREY = np.array([1, 1, 1], np.float32) / 3
_REDNESS = np.array([1, -0.5, -0.5], np.float32)

# Grey levels by which pictures differ on average: up to 0.6 where only the compression starts
# anew, 9 and more from one frame to the next.
_CHANGED = 2.0


@dataclass(frozen=True)
class _Held:
    """A frame that the video holds: medians over its pictures, float32 `(256, 512)` each."""

    first: int
    last: int
    grey: np.ndarray
    labels: np.ndarray
    prediction: np.ndarray


def make_hpdc_video(given: Path, folder: Path, advance: Callable[[], object]) -> Dataset:
    """Cut the video into frames, labels (255 under the legend) and predictions, and write them.

    Returns:
        Data set; its `other["authors_prediction_scores"]` holds the result of `authors_scores`.

    Raises:
        ReadError: It is no video, or not this one.
    """
    panels, held = _read(given, advance)
    labels = _classify([one.labels for one in held], panels[1])
    predictions = _classify([one.prediction for one in held], panels[2])
    (folder / PREDICTION).mkdir(parents=True, exist_ok=True)
    frames = []
    for number, one in enumerate(held):
        name = f"{PREDICTION}/hpdc_video_s2_{number + 1:05}.png"
        with complete_or_absent(folder / name) as temporary:
            Image.fromarray(predictions[number]).save(temporary)
        about = LabelledFrame(
            "",
            None,
            "hpdc_video_s2",
            number + 1,
            facility="hpdc",
            process="die casting",
            other={PREDICTION: name, "video_pictures": [one.first, one.last]},
        )
        grey = np.clip(np.rint(one.grey), 0, 255).astype(np.uint8)
        frames.append(write_frame(folder, grey, labels[number], about))
    made = Dataset(
        folder,
        CLASSES,
        tuple(frames),
        origin=(
            "Real frames of high-pressure die casting from Supplementary Video S2 of AM-SegNet; "
            "the labels are the authors', read off the colours of that lossy video."
        ),
    )
    return replace(made, other={f"{PREDICTION}_scores": authors_scores(made)})


def authors_scores(dataset: Dataset) -> dict[str, float]:
    """Score the authors' prediction against their labels, over all pixels of all frames.

    Pixels under either legend do not count.

    Returns:
        IoU of pore and background and their mean, and precision and recall of pore, rounded to
        four digits; NaN where there is no pore.

    Raises:
        ReadError: A picture cannot be read.
    """
    count = np.zeros((2, 2))  # label, prediction
    for frame in dataset.frames:
        labels = dataset.labels(frame)
        predicted = read_label_image(dataset.folder / frame.other[PREDICTION])
        seen = (labels != IGNORE) & (predicted != IGNORE)
        pairs = 2 * labels[seen].astype(int) + predicted[seen]
        count += np.bincount(pairs, minlength=4).reshape(2, 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        pore = count[1, 1] / (count.sum() - count[0, 0])
        background = count[0, 0] / (count.sum() - count[1, 1])
        scores = {
            "pore_iou": pore,
            "background_iou": background,
            "mean_iou": (pore + background) / 2,
            "pore_precision": count[1, 1] / count[:, 1].sum(),
            "pore_recall": count[1, 1] / count[1].sum(),
        }
    return {name: round(float(value), 4) for name, value in scores.items()}


def _read(given: Path, advance: Callable[[], object]) -> tuple[list[Panel], list[_Held]]:
    if given.is_dir():
        raise ReadError(f"{given}: is a folder; give the video file in it")
    panels: list[Panel] = []
    held: list[_Held] = []
    pictures: list[np.ndarray] = []
    number = 0
    for picture in _pictures(given):
        if not panels:
            panels = list(find_panels(picture, str(given)))
        read = _three_readings(picture, panels)
        if pictures and np.abs(read[0] - pictures[0][0]).mean() > _CHANGED:
            held += _hold(pictures, number)
            pictures = []
        pictures.append(read)
        number += 1
        advance()
    held += _hold(pictures, number)
    if not held:
        raise ReadError(f"{given}: holds no picture for longer than one; give the authors' video")
    return panels, held


def _pictures(given: Path) -> Iterator[np.ndarray]:
    with reading(str(given), "a video"), av.open(given) as video:
        for picture in video.decode(video=0):
            yield picture.to_ndarray(format="rgb24")


def _three_readings(picture: np.ndarray, panels: list[Panel]) -> np.ndarray:
    """Read the grey of the raw frame and the redness of the two others, float32 `(3, 256, 512)`."""
    raw, labels, prediction = panels
    return np.stack(
        [
            raw.resample(picture, _GREY),
            labels.resample(picture, _REDNESS),
            prediction.resample(picture, _REDNESS),
        ]
    )


def _hold(pictures: list[np.ndarray], stop: int) -> list[_Held]:
    # One picture alone is a cross-fade between two frames, or the start of a frame that is cut.
    if len(pictures) < 2:
        return []
    return [_Held(stop - len(pictures), stop - 1, *np.median(np.stack(pictures), axis=0))]


def _classify(redness: list[np.ndarray], panel: Panel) -> list[np.ndarray]:
    """Classify pixels: pore if half of the pixel's area or more is red, 255 under the legend."""
    values = np.concatenate([one[~panel.legend] for one in redness])
    background = _most_frequent(values[values <= 0])
    pores = values[values > 0]
    # Grey has none, blue less than none: whatever lies above is some red.
    pore = _most_frequent(pores) if len(pores) else -background
    half = (background + pore) / 2
    return [
        np.where(panel.legend, IGNORE, one >= half).astype(np.uint8)  # bool is 0 or 1: the classes
        for one in redness
    ]


def _most_frequent(values: np.ndarray) -> float:
    if not len(values):
        return 0.0
    counts, edges = np.histogram(values, bins=np.arange(-256, 258, 2))
    peak = int(counts.argmax())
    return float(edges[peak : peak + 2].mean())


FRAME_SHAPE = (256, 512)
"""Shape of the frames before they were scaled up for the video."""

_WHITE = 250  # of 255: the page, with the noise of the compression
_BLACK = 60  # no overlay is so dark in all three colours, only the legend's lines and letters
_LEAST_HEIGHT = 100
_MARGIN = 3  # px of the video that the legend's outline is blurred over


@dataclass(frozen=True)
class Panel:
    """A part of the picture that shows one frame.

    Attributes:
        top, bottom, left, right: Its edges in pixels of the picture, with their fractions.
        legend: Frame pixels that a legend hides, bool `(256, 512)`.
    """

    top: float
    bottom: float
    left: float
    right: float
    legend: np.ndarray

    def resample(self, picture: np.ndarray, mix: np.ndarray) -> np.ndarray:
        """Bring the panel of a picture back to the size of its frame, by area.

        Args:
            picture: The whole picture, `(height, width, channels)`.
            mix: Weight of each channel in the sum, float32 `(channels,)`.

        Returns:
            float32 `(256, 512)`.
        """
        first_row, rows = area_weights(self.top, self.bottom, FRAME_SHAPE[0])
        first_column, columns = area_weights(self.left, self.right, FRAME_SHAPE[1])
        part = picture[
            first_row : first_row + rows.shape[1], first_column : first_column + columns.shape[1]
        ]
        return np.asarray(rows @ (part.astype(np.float32) @ mix) @ columns.T)


@lru_cache(maxsize=16)
def area_weights(start: float, stop: float, parts: int) -> tuple[int, np.ndarray]:
    """Compute weights that average the pixels of an interval into equal parts.

    Returns:
        The first pixel, and float32 `(parts, pixels)`, read-only, whose rows add up to 1.

    Example:
        >>> area_weights(0.5, 2.5, 2)
        (0, array([[0.5, 0.5, 0. ], [0. , 0.5, 0.5]], dtype=float32))
    """
    first, last = int(np.floor(start)), int(np.ceil(stop))
    edges = np.linspace(start, stop, parts + 1)
    pixels = np.arange(first, last)
    lower = np.maximum(edges[:-1, None], pixels)
    upper = np.minimum(edges[1:, None], pixels + 1)
    weights = np.clip(upper - lower, 0, None) * (parts / (stop - start))
    weights = weights.astype(np.float32)
    weights.flags.writeable = False
    return first, weights


def find_panels(picture: np.ndarray, where: str) -> tuple[Panel, Panel, Panel]:
    """Find the raw frame, the labels and the prediction, which stand on white in this order.

    Args:
        picture: First picture of the video, uint8 RGB `(height, width, 3)`.

    Raises:
        ReadError: There are not three panels of one size and twice as wide as high.
    """
    page = picture.min(axis=-1).astype(np.float32)
    inked = page < _WHITE
    rows = [run for run in _runs(inked.mean(axis=1) > 0.5) if run[1] - run[0] >= _LEAST_HEIGHT]
    panels = []
    for top, bottom in rows:
        columns = _runs(inked[top:bottom].mean(axis=0) > 0.5)
        left, right = max(columns, key=lambda run: run[1] - run[0])
        vertical = _edges(page[:, left + 3 : right - 3].mean(axis=1), top, bottom)
        horizontal = _edges(page[top + 3 : bottom - 3].mean(axis=0), left, right)
        panels.append(Panel(*vertical, *horizontal, np.zeros(FRAME_SHAPE, bool)))
    if len(panels) != 3 or not _alike(panels):
        raise ReadError(
            f"{where}: does not show three frames one below the other on white, as the authors' "
            "Supplementary Video S2 does; give that video"
        )
    raw, labels, prediction = panels
    return raw, _with_legend(labels, picture), _with_legend(prediction, picture)


def _with_legend(panel: Panel, picture: np.ndarray) -> Panel:
    dark = picture.max(axis=-1) < _BLACK
    # The outermost pixels are half white page, half frame.
    top, bottom = int(panel.top) + 2, int(panel.bottom) - 2
    left, right = int(panel.left) + 2, int(panel.right) - 2
    rows, columns = np.nonzero(dark[top:bottom, left:right])
    hidden = np.zeros((*dark.shape, 1), np.float32)
    if len(rows):
        hidden[
            max(top + rows.min() - _MARGIN, 0) : top + rows.max() + 1 + _MARGIN,
            max(left + columns.min() - _MARGIN, 0) : left + columns.max() + 1 + _MARGIN,
        ] = 1
    return replace(panel, legend=panel.resample(hidden, np.ones(1, np.float32)) > 0)


def _alike(panels: list[Panel]) -> bool:
    heights = [panel.bottom - panel.top for panel in panels]
    widths = [panel.right - panel.left for panel in panels]
    return (
        max(heights) - min(heights) <= 2
        and max(widths) - min(widths) <= 2
        and abs(widths[0] / heights[0] / 2 - 1) < 0.02
    )


def _edges(profile: np.ndarray, start: int, stop: int) -> tuple[float, float]:
    """Find the edges of a dark run on white to a fraction of a pixel, from its grey ends."""
    inside_start, inside_stop = start + 2, stop - 2
    before = _share(profile[max(start - 2, 0) : inside_start], profile[inside_start])
    after = _share(profile[inside_stop : stop + 2], profile[inside_stop - 1])
    return inside_start - before, inside_stop + after


def _share(ends: np.ndarray, inside: float) -> float:
    return float(np.clip((255 - ends) / (255 - inside), 0, 1).sum())


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    changes = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    return [(int(start), int(stop)) for start, stop in changes.reshape(-1, 2)]
