"""A video made like the authors' from known labels, and the beginning of theirs."""

from itertools import pairwise
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

from amseg_keras.classes import IGNORE
from amseg_keras.datasets import open_dataset
from amseg_keras.datasets.label_image import read_label_image
from amseg_keras.datasets.public import make_dataset
from amseg_keras.datasets.public.hpdc_video import find_panels
from amseg_keras.read import ReadError

BLUE, RED = np.array([68, 93, 195.0]), np.array([235, 40, 60.0])
BOXES = ((54, 235), (664, 235), (1270, 236))
PANEL = (579, 1156)


def scene(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Grey frame, labels and a prediction that is a pixel wider, `(256, 512)`."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:256, :512]
    radii = rng.uniform(2, 14, 30)
    centres = np.stack([rng.uniform(60, 250, 30), rng.uniform(5, 505, 30)], axis=1)
    distance = np.min(
        [np.hypot(y - cy, x - cx) - r for (cy, cx), r in zip(centres, radii, strict=True)], axis=0
    )
    grey = 90 + 60 * (y / 256) + 20 * seed + rng.normal(0, 2, y.shape) - 40 * (distance < 0)
    return grey, distance < 0, distance < 1


def page(seed: int) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    grey, labels, predicted = scene(seed)
    picture = np.full((2160, 1564, 3), 255, np.uint8)
    raw = np.repeat(grey[..., None], 3, axis=-1)
    overlays = [
        raw,
        0.5 * raw + 0.5 * np.where(labels[..., None], RED, BLUE),
        0.2 * raw + 0.8 * np.where(predicted[..., None], RED, BLUE),
    ]
    for (top, left), overlay in zip(BOXES, overlays, strict=True):
        small = Image.fromarray(np.clip(overlay, 0, 255).astype(np.uint8))
        large = small.resize(PANEL[::-1], Image.Resampling.BICUBIC)
        picture[top : top + PANEL[0], left : left + PANEL[1]] = large
    for (top, left), shift in zip(BOXES[1:], (0, 3), strict=True):
        legend = picture[top + 24 : top + 88, left + 24 + shift : left + 246 + shift]
        legend[:] = 0
        legend[3:-3, 3:-3] = (176, 72, 84)
    return picture, (grey, labels, predicted)


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("video") / "s2.mp4"
    with iio.imopen(path, "w", plugin="pyav") as out:
        out.init_video_stream("libx264", fps=30)
        for seed in range(3):
            picture = page(seed)[0]
            for _ in range(4):
                out.write_frame(picture)
    return path


def test_panels_are_found_where_they_are():
    panels = find_panels(page(0)[0], "picture")
    for panel, (top, left) in zip(panels, BOXES, strict=True):
        edges = (panel.top, panel.bottom, panel.left, panel.right)
        assert edges == pytest.approx((top, top + PANEL[0], left, left + PANEL[1]), abs=0.3)
    assert [panel.legend.any() for panel in panels] == [False, True, True]


def test_labels_and_predictions_are_read_back(video, tmp_path):
    pictures = []
    made = make_dataset("hpdc-video", video, tmp_path / "d", lambda: pictures.append(1))
    assert len(pictures) == 12
    assert len(made.frames) == 3
    assert made.class_names == ("background", "pore")
    again = open_dataset(tmp_path / "d")
    for seed, frame in enumerate(again.frames):
        grey, labels, predicted = page(seed)[1]
        image = again.image(frame)
        assert image.shape == (256, 512)
        assert image.dtype == np.uint8
        assert np.abs(image - grey).mean() < 4
        found = again.labels(frame)
        assert set(np.unique(found)) == {0, 1, IGNORE}
        # The legend, 222 x 64 px of the page, and the margin around it.
        assert 0.021 < (found == IGNORE).mean() < 0.027
        assert iou(found, labels) > 0.95
        there = read_label_image(again.folder / frame.other["authors_prediction"])
        assert iou(there, predicted) > 0.95
        assert frame.other["video_pictures"] == [4 * seed, 4 * seed + 3]
    truth = [page(seed)[1] for seed in range(3)]
    expected = sum(t[1].sum() for t in truth) / sum(t[2].sum() for t in truth)
    scores = again.other["authors_prediction_scores"]
    assert scores["pore_iou"] == pytest.approx(expected, abs=0.02)
    assert again.other["fetched"]["sha256"].keys() == {"s2.mp4"}


def test_another_video_is_refused(tmp_path):
    path = tmp_path / "other.mp4"
    iio.imwrite(path, np.full((4, 240, 320, 3), 90, np.uint8), plugin="pyav", codec="libx264")
    with pytest.raises(ReadError, match=r"other\.mp4: does not show three frames"):
        make_dataset("hpdc-video", path, tmp_path / "d")


def test_what_is_no_video_is_refused(tmp_path):
    path = tmp_path / "page.mp4"
    path.write_text("<html>")
    with pytest.raises(ReadError, match=r"page\.mp4: cannot be read as a video"):
        make_dataset("hpdc-video", path, tmp_path / "d")
    with pytest.raises(ReadError, match="is a folder"):
        make_dataset("hpdc-video", tmp_path, tmp_path / "d")


def test_the_authors_clip(real_data, tmp_path):
    made = make_dataset("hpdc-video", real_data / "hpdc_video_clip.mp4", tmp_path)
    assert len(made.frames) == 14
    assert {made.image(frame).shape for frame in made.frames} == {(256, 512)}
    scores = made.other["authors_prediction_scores"]
    assert 0.86 <= scores["pore_iou"] <= 0.87
    assert scores["background_iou"] == pytest.approx(0.993, abs=0.001)
    # Every frame is another one: no frame is found twice.
    images = [made.image(frame).astype(float) for frame in made.frames]
    steps = [np.abs(a - b).mean() for a, b in pairwise(images)]
    assert min(steps) > 2


def iou(found: np.ndarray, truth: np.ndarray) -> float:
    seen = found != IGNORE
    pore = found == 1
    return (pore & truth & seen).sum() / ((pore | truth) & seen).sum()
