"""The report of an evaluation and its pictures."""

import base64
import io
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amseg_keras import PresetInfo
from amseg_keras.classes import CLASS_NAMES, IGNORE
from amseg_keras.datasets import Dataset, LabelledFrame
from amseg_keras.evaluation import Evaluation, FrameCounts
from amseg_keras.preprocess import GreyRange, GreyScaling
from amseg_keras.report.colours import class_colours
from amseg_keras.report.evaluation_report import (
    WorstFrame,
    compare_frame,
    draw_confusion,
    evaluation_report,
)

NASTY = '<script>alert("1")</script>&'
VOID = {"meta", "img"}


class Document(HTMLParser):
    """What a browser would make of it: tags that match, the texts, the addresses."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts, self.sources = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(self.texts)


def made(names=CLASS_NAMES, name="mine", **of_data):
    rng = np.random.default_rng(0)
    size = len(names)
    counts = []
    for number in range(4):
        frame = LabelledFrame(f"images/{name}{number}.tif", "x.png", f"shot {number // 2}", number)
        confusion = rng.integers(0, 9, (size, size)) + 90 * np.eye(size, dtype=int)
        confusion[-1] = 0  # no label shows the last class
        counts.append(FrameCounts(frame, confusion, np.full((size, 4), 5), np.array([4, 3, 5, 4])))
    frames = tuple(one.frame for one in counts)
    data = Dataset(Path("folder") / name, names, frames, **of_data)
    info = PresetInfo(name, names, GreyScaling(), None, "simulated frames; no real one was used")
    return Evaluation(info, data, None, tuple(counts), ("images/7.tif: is empty",))


def picture(colour=(1, 2, 3)):
    stream = io.BytesIO()
    Image.new("RGB", (4, 3), colour).save(stream, "png")
    return stream.getvalue()


def report(evaluation, worst=2):
    frames = [WorstFrame(counts, picture()) for counts in evaluation.worst(worst)]
    return evaluation_report(evaluation, picture(), frames, {"weights (SHA-256)": "cafe"})


def test_report_tells_numbers_pictures_and_what_they_are_of():
    evaluation = made(origin="Simulated by nobody.")
    document = Document(report(evaluation))
    for said in (
        f"{evaluation.mean_iou:.3f}",
        f"{evaluation.mean_f1:.3f}",
        "75.0%",
        "of 16 labelled pores found",
        "simulated frames; no real one was used",
        "Simulated by nobody.",
        "images/7.tif: is empty",
        "cafe",
        "shot 1",
        "not given",
    ):
        assert said in document.text
    for name, iou in evaluation.classes["iou"].items():
        assert name in document.text
        assert f"{iou:.3f}" in document.text
    assert document.tags.count("figure") == 3
    assert evaluation.worst(1)[0].frame.image in document.text


def test_report_asks_for_nothing_outside():
    document = Document(text := report(made()))
    assert all(source.startswith("data:image/png;base64,") for source in document.sources)
    for source in document.sources:
        Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))).verify()
    assert not {"script", "link", "iframe", "object"} & set(document.tags)
    assert "http:" not in text
    assert "https:" not in text
    assert "default-src 'none'" in text


def test_names_are_shown_as_text_whatever_they_hold():
    text = report(made((NASTY, "melt", "pore"), NASTY, origin=NASTY, other={"split_by": "frame"}))
    document = Document(text)
    assert "script" not in document.tags
    assert "<script" not in text
    assert NASTY in document.text


def test_a_split_by_frame_is_called_what_it_is():
    evaluation = made(other={"split_by": "frame"})
    note = "nearly copies of each other"
    assert note not in report(evaluation)
    test = Evaluation(evaluation.model, evaluation.data, "test", evaluation.counts)
    assert note in report(test)


@pytest.mark.parametrize(
    "names", [CLASS_NAMES, ("$\\gas", "a_b$", "x^"), tuple(f"c{k}" for k in range(30))]
)
def test_confusion_figure_takes_any_names(tmp_path, names):
    confusion = np.arange(len(names) ** 2).reshape(len(names), -1) ** 4
    confusion[0] = 0
    draw_confusion(confusion, names, tmp_path / "confusion.png")
    with Image.open(tmp_path / "confusion.png") as image:
        assert np.asarray(image.convert("L")).std() > 10
    assert [path.name for path in tmp_path.iterdir()] == ["confusion.png"]


@pytest.mark.parametrize(
    ("shape", "size"),
    [((40, 64), (202, 320)), ((64, 40), (534, 320)), ((1000, 2000), (422, 800))],
)
def test_panels_have_a_size_that_can_be_read(shape, size):
    labels = np.zeros(shape, np.uint8)
    drawn = compare_frame(np.zeros(shape), labels, labels, CLASS_NAMES, GreyRange(0, 1, 1))
    assert drawn.dtype == np.uint8
    panels = (4, 1) if shape[0] > shape[1] else (2, 2)
    legend = 20
    width = panels[0] * size[1] + 6 * (panels[0] - 1)
    height = panels[1] * (size[0] + 20) + 6 * (panels[1] - 1)
    assert abs(drawn.shape[1] - width) <= 1
    assert 0 < drawn.shape[0] - height + 40 < 40 + 3 * legend


def test_wrong_pixels_have_the_colour_of_what_was_found():
    truth, found = np.zeros((2, 320, 400), np.uint8)
    found[10:20, 10:20] = 3
    found[100:110, 10:20] = 4
    truth[100:110, 10:20] = IGNORE
    drawn = compare_frame(np.ones((320, 400)), truth, found, CLASS_NAMES, GreyRange(0, 2, 1))
    panel = drawn[22 + 320 + 6 + 22 :, 400 + 6 :][:320, :400]
    colours = class_colours(CLASS_NAMES)
    assert (panel[10:20, 10:20] == colours[3]).all()
    # What nobody can tell is not called wrong.
    assert not (panel[:, :, None] == colours[4]).all(axis=-1).any()
    assert (panel == colours[3]).all(axis=-1).sum() == 100
    # All else is the frame, paler.
    assert len(np.unique(panel[200:].reshape(-1, 3), axis=0)) == 1
