"""The report of an experiment as a document."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from drawn_experiment import FRAMES, SCALE, SHAPE, draw_labels, quantities
from matplotlib.figure import Figure
from PIL import Image

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.quantify import Scale, measure
from amseg_keras.report.experiment.experiment_report import (
    Experiment,
    Figures,
    experiment_report,
)
from amseg_keras.report.experiment.film_strip import StripPicture
from amseg_keras.report.experiment.look import time_axis
from amseg_keras.report.experiment.tables import ROWS, data_table

NASTY = '<script>alert("1")</script>&'
VOID = {"meta", "img"}


class Document(HTMLParser):
    """What a browser would make of it: tags that match, the texts, the addresses."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts, self.sources = [], [], [], []
        self.tables = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [
            value for name, value in attrs if name in ("src", "href", "xlink:href", "data")
        ]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.texts.append(data)
        if self.open[-1:] in (["td"], ["th"]):
            self.tables[-1][-1].append(data)

    def table(self, column):
        """The table that has a column of this title."""
        head, *rows = next(table for table in self.tables if column in table[0])
        return pd.DataFrame(rows, columns=head)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def plot():
    figure = Figure(figsize=(3, 2))
    axes = figure.subplots()
    axes.plot([1, 2])
    axes.imshow(np.zeros((2, 2, 3), np.uint8), interpolation="none")
    return figure


def report(found=None, names=CLASS_NAMES, name="scan", sentences=(), **about):
    found = quantities() if found is None else found
    experiment = Experiment(
        name, "small frames", found, names, time_axis(found.scale, FRAMES), f"{name}/quantities"
    )
    strip = [StripPicture(4, np.zeros((*SHAPE, 3), np.uint8))]
    figures = Figures(plot(), plot(), plot(), strip)
    return experiment_report(experiment, figures, sentences, about)


def test_the_numbers_of_the_summary_are_shown_with_their_units():
    found = quantities()
    text = Document(report(found)).text
    summary = found.summary
    for said in (
        f"{summary['median_keyhole_depth_um']:.3g} µm median keyhole depth",
        f"{summary['median_keyhole_area_um2']:.3g} µm² median keyhole area",
        f"{100 * summary['depth_delta_avg']:.3g} % mean fluctuation of the depth",
        f"{summary['oscillation_hz'] / 1000:.3g} kHz",
        "1 pores formed, 1 at the keyhole",
        f"{summary['largest_pore_equivalent_diameter_um']:.3g} µm",
        f"{100 * summary['porosity']:.3g} %",
    ):
        assert said in text


def test_without_scale_numbers_are_in_pixels():
    text = Document(report(quantities(Scale()))).text
    assert "18 px median keyhole depth" in text
    assert "144 px² median keyhole area" in text
    assert "px a frame" in text
    assert "µm" not in text.split("How every quantity")[0]
    assert "Hz" not in text


def test_the_report_asks_for_nothing_outside_and_runs_nothing():
    document = Document(text := report())
    own = [source for source in document.sources if not source.startswith("#")]
    assert own
    for source in own:
        head, data = source.split(",", 1)
        assert re.fullmatch("data:image/(png|jpeg);base64", head)
        Image.open(io.BytesIO(base64.b64decode(data))).verify()
    assert not {"script", "link", "iframe", "object"} & set(document.tags)
    assert "http:" not in text
    assert "https:" not in text
    assert "default-src 'none'" in text


def test_names_are_shown_as_text_whatever_they_hold():
    found = quantities()
    found.tracks["end"] = NASTY
    text = report(found, name=NASTY, sentences=[NASTY], recording=NASTY)
    document = Document(text)
    assert "<script" not in text
    assert "script" not in document.tags
    assert document.text.count(NASTY) >= 5


def test_sentences_and_how_it_was_made_are_told():
    text = Document(report(sentences=["It is simulated."], model="some-net")).text
    assert "It is simulated." in text
    assert "model some-net" in text


def test_every_pore_has_a_row_and_every_event():
    found = quantities()
    document = Document(report(found))
    tracks = document.table("end")
    assert tracks["pore"].tolist() == ["0", "1"]
    assert tracks["first frame"].tolist() == ["0", "10"]
    assert tracks["formed at the keyhole"].tolist() == ["no", "yes"]
    wanted = [2 * np.sqrt(4 * area / np.pi) for area in (56, 36)]
    np.testing.assert_allclose(tracks["largest diameter (µm)"].astype(float), wanted, rtol=0.01)
    events = document.table("event")
    assert events["event"].tolist() == ["pore formed"]
    assert events["time (ms)"].astype(float).tolist() == [1.0]
    assert len(document.table("eccentricity")) == len(found.pores)


def test_statistics_are_those_of_the_frames_with_a_keyhole():
    found = quantities()
    table = Document(report(found)).table("standard deviation").set_index("keyhole").astype(float)
    depths = found.frames["keyhole_depth_um"][found.frames["keyhole_area_px"] > 0]
    row = table.loc["depth (µm)"]
    wanted = [depths.median(), depths.mean(), depths.std(), depths.min(), depths.max()]
    np.testing.assert_allclose(row, wanted, rtol=0.01)
    assert table.loc["front-wall angle (°)", "median"] == 90


@pytest.mark.parametrize(
    ("names", "absent"),
    [
        (("background", "substrate", "keyhole"), "porosity in the image"),
        (("background", "pore"), "keyhole depth"),
    ],
)
def test_what_the_labels_do_not_have_is_not_reported(names, absent):
    labels = draw_labels()
    wanted = [CLASS_NAMES.index(name) for name in names]
    lookup = np.full(256, 255, np.uint8)
    lookup[wanted] = np.arange(len(wanted))
    text = Document(report(quantities(SCALE, lookup[labels], names), names)).text
    assert absent not in text.split("How it was made")[0]


def test_an_experiment_without_keyhole_and_pores_says_so():
    text = Document(report(quantities(labels=np.full((FRAMES, *SHAPE), 2, np.uint8)))).text
    assert "No frame shows a keyhole." in text
    assert "No frame shows a pore." in text


def test_the_melt_pool_has_its_own_numbers_and_statistics():
    names = [*CLASS_NAMES, "melt pool"]
    labels = np.full((9, 80, 120), 2, np.uint8)
    labels[:, :20] = 0
    for frame in range(9):
        labels[frame, 20:50, 20 + 5 * frame : 60 + 5 * frame] = 5
    found = measure(labels, names, Scale(2.0, 10_000.0))
    text = Document(report(found, names)).text
    assert "60 µm median melt-pool depth" in text
    assert "100 mm/s speed of the solidification front" in text
    assert "Over the 9 frames with a melt pool, of 9 frames" in text


def test_an_experiment_without_liquid_says_so():
    names = [*CLASS_NAMES, "melt pool"]
    labels = np.full((2, 40, 60), 2, np.uint8)
    labels[:, :20] = 0
    assert "No frame shows a melt pool." in Document(report(measure(labels, names), names)).text


def test_every_quantity_is_defined():
    text = Document(report()).text
    for term in ("Keyhole depth", "Front-wall angle", "Equivalent diameter", "Melt-free depth"):
        assert f"{term} " in text
    assert "4 A / π" in text


def test_a_long_table_is_cut_and_says_where_the_rest_is():
    table = pd.DataFrame({"pore": range(1000, 1000 + ROWS + 1), "end": NASTY})
    text = data_table(table, {"pore": "pore", "end": "end", "absent": "?"}, "scan/tracks.csv")
    assert text.count("<tr>") == ROWS + 1
    assert f"The first {ROWS} of {ROWS + 1} rows; all of them are in scan/tracks.csv." in text
    assert "<script" not in text
    assert "rows;" not in data_table(table.head(ROWS), {"pore": "pore"}, "scan/tracks.csv")
