"""Figures as part of a page."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.figure import Figure

from amseg_keras.report.experiment.look import inline_svg


@pytest.fixture
def figure():
    figure = Figure(figsize=(4, 3))
    axes = figure.subplots()
    axes.plot([1, 2, 3], color="#541352", marker=".")
    axes.set_xlabel("time (µs)")
    axes.imshow(np.zeros((4, 4, 3), np.uint8), interpolation="none")
    return figure


def test_it_is_an_element_and_no_document(figure):
    text = inline_svg(figure, "a plot", {})
    assert text.startswith('<svg role="img" aria-label="a plot" viewBox="0 0 288 216"')
    assert text.endswith("</svg>")
    assert "<?xml" not in text
    assert "<!DOCTYPE" not in text
    assert "http" not in text
    assert "<style" not in text
    balance = []

    class Checker(HTMLParser):
        def handle_starttag(self, tag, attrs):
            balance.append(tag)

        def handle_endtag(self, tag):
            assert balance.pop() == tag

    Checker().feed(text)
    assert balance == []


def test_colours_become_those_of_the_page(figure):
    text = inline_svg(figure, "", {"#541352": "var(--keyhole)"})
    assert "#541352" not in text
    assert "stroke: var(--keyhole)" in text


def test_texts_are_texts_in_the_font_of_the_page(figure):
    text = inline_svg(figure, "", {})
    assert ">time (µs)</text>" in text
    assert "system-ui" in text
    assert "DejaVu" not in text


def test_the_ids_of_two_figures_do_not_meet_and_all_are_used(figure):
    first, second = (inline_svg(figure, "", {}) for _ in range(2))
    ids = [set(re.findall(r'\sid="([^"]*)"', text)) for text in (first, second)]
    assert ids[0]
    assert not ids[0] & ids[1]
    for text, own in zip((first, second), ids, strict=True):
        assert set(re.findall(r'(?:url\(|href=")#([\w-]+)', text)) == own


def test_a_description_is_shown_as_text_whatever_it_holds(figure):
    assert 'aria-label="&quot;&gt;&lt;script&gt;"' in inline_svg(figure, '"><script>', {})
