"""What tests of the demo ask of its page."""

import time

import numpy as np

from amseg_keras.report.overlay import overlay

SECONDS = 90


def wait_until(what, seconds=SECONDS):
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
    return found


def head(page):
    """What the page knows of the frame that it shows."""
    return page.evaluate("window.amseg.here.head") or {}


def card(page, title):
    return page.locator("#cards div", has=page.get_by_text(title, exact=True)).locator("b")


def on_frame(page, row, column):
    """Where a pixel of the frame is on the screen."""
    x, y = page.evaluate("([r, c]) => window.amseg.viewer.toScreen([r, c])", [row, column])
    box = page.locator("#canvas").bounding_box()
    return box["x"] + x, box["y"] + y


def upload(page, *paths):
    page.set_input_files("#files", paths)
    page.locator("#recordings .pick", has_text=paths[0].stem).first.wait_for()
    wait_until(lambda: page.locator("#title").inner_text() == paths[0].stem)
    wait_until(lambda: head(page))


def segment(page, path, measured=True):
    upload(page, path)
    page.get_by_role("button", name="Segment", exact=True).click()
    wait_until(lambda: head(page).get("labelled"))
    if measured:
        page.wait_for_selector("#results-time *", timeout=SECONDS * 1000)


def pixels(page):
    """Red, green, blue of the picture at the size of the frame, int `(height, width, 3)`."""
    height, width, data = page.evaluate(
        """() => { const {picture} = window.amseg.viewer; const {data, width, height} =
        picture.getContext("2d").getImageData(0, 0, picture.width, picture.height);
        return [height, width, [...data]]; }"""
    )
    return np.array(data).reshape(height, width, 4)[..., :3]


def drawn(running, frames, index, labels=None, **options):
    """The picture that the library draws of a frame."""
    found = running.segmenter.segment(frames)
    names, levels = found.class_names, found.grey_range
    labels = found.labels[index] if labels is None else labels
    return overlay(frames[index], labels, names, levels, **options).astype(int)


def is_bare(page):
    """Whether nothing of any segmentation is on the page."""
    return (
        not page.locator("#legend button").count()
        and not page.locator("#cards div").count()
        and not page.locator("#results-time *").count()
        and not page.locator("#results-pores *").count()
        and not page.evaluate("Boolean(window.amseg.viewer.frame?.labels)")
    )
