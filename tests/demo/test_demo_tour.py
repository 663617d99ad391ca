"""The whole way in the browser: real frames, three corrections, a network that learns from them."""

import json
import struct
import zipfile

import httpx
import numpy as np
import pytest
from demo_pages import card, head, on_frame, wait_until
from skimage.io import imread
from skimage.measure import approximate_polygon, find_contours

from amseg_keras import from_pretrained
from amseg_keras.demo.lessons import Networks
from amseg_keras.demo.limits import Limits
from amseg_keras.demo.server import Demo, served

CORRECTED = (3, 12, 21)
MINUTES = 60
SIDES = "height", "width"
PAINTED = (("background", 0), ("substrate", 2), ("keyhole", 3))
"""Classes in the order in which they are painted, with their ids in the labels of the frames."""

ABSENT = ("powder", "pore")
"""Classes that no frame shows."""


def labels_of(url, token, index):
    """The label map of a frame as the server answers it."""
    answer = httpx.get(f"{url}/v/{token}/recordings/1/frames/{index}", timeout=60).content
    length = struct.unpack_from("<I", answer)[0]
    known = json.loads(answer[4 : 4 + length])
    shape = known["height"], known["width"]
    pixels = shape[0] * shape[1]
    return np.frombuffer(answer, np.uint8, pixels, 4 + length + 2 * pixels).reshape(shape)


def outline(mask):
    """Corners of the largest piece of a mask, a pixel off at most."""
    contour = max(find_contours(np.pad(mask, 1).astype(float), 0.5), key=len) - 1
    return approximate_polygon(contour, 1.0)[:-1]


def paint(page, truth):
    """Correct the frame that is shown with the polygon, class by class."""
    page.get_by_role("button", name="Polygon").click()
    height, width = truth.shape
    for name, number in PAINTED:
        page.locator("#class").select_option(name)
        for row, column in outline(truth == number):
            # Clicks at the very edge of the canvas do not reach it.
            place = min(max(row, 2), height - 3), min(max(column, 2), width - 3)
            page.mouse.click(*on_frame(page, *place))
        page.keyboard.press("Enter")
        page.wait_for_timeout(200)


def rub_out(page, name):
    """Take a class away from the whole frame that is shown, with the eraser."""
    page.get_by_role("button", name="Eraser").click()
    page.locator("#class").select_option(name)
    page.locator("#radius").fill("30")
    height, width = (page.evaluate(f"window.amseg.viewer.frame.{side}") for side in SIDES)
    for row in range(20, height, 50):
        page.mouse.move(*on_frame(page, row, 4))
        page.mouse.down()
        page.mouse.move(*on_frame(page, row, width - 4))
        page.mouse.up()


def keyhole_iou(found, truth):
    return ((found == 3) & (truth == 3)).sum() / ((found == 3) | (truth == 3)).sum()


@pytest.mark.slow
def test_three_corrected_frames_make_the_others_better(browser, real_data, tmp_path):
    frames = sorted((real_data / "aps_ti64_frames").glob("*.tif"))
    labels = sorted((real_data / "aps_ti64_labels").glob("*.png"))
    truth = np.stack([imread(path) for path in labels])
    others = [index for index in range(len(truth)) if index not in CORRECTED]
    demo = Demo(Networks(["amsegnet-movie"]), Limits(teach_s=60 * MINUTES))
    with served(demo) as url:
        page = browser.new_context(
            bypass_csp=True, viewport={"width": 1400, "height": 1200}
        ).new_page()
        page.goto(url)
        page.wait_for_selector("html[data-ready=yes]")
        page.set_input_files("#files", frames)
        wait_until(lambda: head(page).get("frames") == len(frames), 300)
        page.get_by_role("button", name="Segment", exact=True).click()
        wait_until(lambda: head(page).get("labelled"), 600)
        token = page.evaluate("window.amseg.here.token")
        before = np.stack([labels_of(url, token, index) for index in range(len(truth))])
        for index in CORRECTED:
            page.locator("#frame").fill(str(index))
            wait_until(lambda index=index: head(page).get("frame") == index)
            paint(page, truth[index])
            for name in ABSENT:
                rub_out(page, name)
            wait_until(lambda k=index: keyhole_iou(labels_of(url, token, k), truth[k]) > 0.9)
            wait_until(lambda k=index: {*np.unique(labels_of(url, token, k))} == {0, 2, 3})
        assert card(page, "keyhole area").inner_text()
        page.get_by_role("tab", name="Correct and teach").click()
        wait_until(lambda: "3 frames" in page.locator("#training-said").inner_text())
        page.get_by_role("button", name="Teach", exact=True).click()
        wait_until(lambda: "taught in" in page.locator("#teach-said").inner_text(), 60 * MINUTES)
        scores = page.evaluate("window.amseg.here.teaching.scores")
        means = {one["group"]: one for one in scores if one["class"] == "mean"}
        assert means["corrected, held out"]["after"] > means["corrected, held out"]["before"]
        other = means["other recordings, simulated"]
        assert other["after"] > other["before"] - 0.01
        page.get_by_role("button", name="Segment with the taught network").click()
        wait_until(lambda: not head(page).get("labelled"), 60)
        wait_until(lambda: head(page).get("labelled"), 600)
        after = np.stack([labels_of(url, token, index) for index in range(len(truth))])
        improved = [keyhole_iou(found[others], truth[others]) for found in (before, after)]
        assert improved[1] > improved[0] + 0.01, improved
        page.get_by_role("button", name="Show the labels before").click()
        wait_until(lambda: head(page).get("before"))
        with page.expect_download() as download:
            page.get_by_role("button", name="Download the taught network").click()
        download.value.save_as(tmp_path / "preset.zip")
        page.context.close()
    zipfile.ZipFile(tmp_path / "preset.zip").extractall(tmp_path)
    taught = from_pretrained(tmp_path / "amsegnet-movie-taught-1")
    raw = np.stack([imread(path) for path in frames])
    assert (taught.segment(raw).labels[others] == after[others]).mean() > 0.999
