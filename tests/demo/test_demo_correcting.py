"""Labels corrected in a real browser, with the mouse and with fingers, and used for training."""

import zipfile

import numpy as np
import pytest
import tifffile
from demo_pages import SECONDS, head, on_frame, segment, wait_until


def has_labels(page):
    return page.evaluate("Boolean(window.amseg.viewer.frame.labels)")


def edited(page):
    return np.array(page.evaluate("[...window.amseg.viewer.frame.labels]")).reshape(64, 96)


def fill(page, row, column):
    """Give the piece at a pixel another class than it has."""
    page.get_by_role("button", name="Fill").click()
    other = "keyhole" if edited(page)[row, column] != 3 else "pore"
    page.locator("#class").select_option(other)
    page.mouse.click(*on_frame(page, row, column))
    wait_until(lambda: head(page).get("corrected"))


def stroke(page, *places):
    page.mouse.move(*on_frame(page, *places[0]))
    page.mouse.down()
    for place in places:
        page.mouse.move(*on_frame(page, *place))
    page.mouse.up()


def test_labels_are_corrected_with_undo_on_any_frame(segmented, running, recording, tmp_path):
    page = segmented
    found = running.segmenter.segment(recording[1]).labels
    page.get_by_role("button", name="Brush").click()
    page.locator("#class").select_option("keyhole")
    page.keyboard.press("ArrowRight")
    wait_until(lambda: head(page).get("frame") == 1)
    stroke(page, (20, 20), (20, 60))
    wait_until(lambda: head(page).get("corrected"))
    labels = edited(page)
    assert (labels[20, 20:61] == 3).all()
    assert (labels != found[1]).sum() > 40
    page.get_by_role("button", name="Polygon").click()
    for row, column in ((40, 10), (40, 30), (60, 30)):
        page.mouse.click(*on_frame(page, row, column))
    page.keyboard.press("Enter")
    wait_until(lambda: edited(page)[42, 28] == 3)
    page.get_by_role("button", name="Remove a piece").click()
    page.mouse.click(*on_frame(page, 42, 28))
    wait_until(lambda: edited(page)[42, 28] != 3)
    page.keyboard.press("Control+z")
    wait_until(lambda: edited(page)[42, 28] == 3)
    page.locator("#frame").fill("0")
    wait_until(lambda: head(page).get("frame") == 0)
    assert (edited(page) == found[0]).all()
    page.locator("#frame").fill("1")
    wait_until(lambda: head(page).get("frame") == 1)
    for _ in range(2):
        page.get_by_role("button", name="Undo").click()
        page.wait_for_timeout(300)
    wait_until(lambda: not head(page).get("corrected"))
    assert (edited(page) == found[1]).all()
    page.get_by_role("button", name="Redo").click()
    wait_until(lambda: head(page).get("corrected"))
    page.wait_for_selector("#results-time svg", timeout=SECONDS * 1000)
    page.get_by_role("tab", name="Downloads").click()
    with page.expect_download(timeout=SECONDS * 1000) as download:
        page.get_by_role("button", name="Label maps, TIFF").click()
    download.value.save_as(tmp_path / "labels.tif")
    taken = tifffile.imread(tmp_path / "labels.tif")
    assert (taken[1] == edited(page)).all()
    assert (taken[[0, 2]] == found[[0, 2]]).all()


def test_corrected_frames_become_a_data_set(segmented, tmp_path):
    page = segmented
    fill(page, 30, 30)
    page.get_by_role("tab", name="Correct and teach").click()
    wait_until(lambda: "1 frame for training" in page.locator("#training-said").inner_text())
    assert page.get_by_role("button", name="Teach", exact=True).is_disabled()
    page.locator("#frame").fill("2")
    wait_until(lambda: head(page).get("frame") == 2)
    page.get_by_role("button", name="Use this frame for training").click()
    wait_until(lambda: "2 frames for training" in page.locator("#training-said").inner_text())
    assert page.get_by_role("button", name="Teach", exact=True).is_enabled()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the data set").click()
    download.value.save_as(tmp_path / "corrections.zip")
    names = zipfile.ZipFile(tmp_path / "corrections.zip").namelist()
    assert sum("/labels/" in name for name in names) == 2


def test_a_teaching_can_be_cancelled(segmented):
    page = segmented
    page.get_by_role("tab", name="Correct and teach").click()
    for index in (0, 1):
        page.locator("#frame").fill(str(index))
        wait_until(lambda index=index: head(page).get("frame") == index)
        page.get_by_role("button", name="Use this frame for training").click()
        wanted = f"{index + 1} frame"
        wait_until(lambda w=wanted: w in page.locator("#training-said").inner_text())
    page.get_by_role("button", name="Teach", exact=True).click()
    wait_until(lambda: page.get_by_role("button", name="Cancel teaching").is_enabled())
    page.get_by_role("button", name="Cancel teaching").click()
    wait_until(lambda: page.locator("#teach-said").inner_text() == "cancelled")
    assert page.get_by_role("button", name="Teach", exact=True).is_enabled()


def test_corrections_survive_another_segmentation(segmented):
    page = segmented
    fill(page, 30, 30)
    mended = edited(page)
    page.locator("#preset").select_option("tiny-other")
    page.get_by_role("button", name="Segment", exact=True).click()
    wait_until(lambda: head(page).get("labelled") and has_labels(page))
    assert (edited(page) == mended).all()
    assert "1 corrected frame put back" in page.locator("#recordings").inner_text()


def test_a_frame_is_explained(segmented):
    page = segmented
    page.get_by_role("tab", name="Explain").click()
    page.get_by_role("button", name="Explain this frame").click()
    wait_until(lambda: page.locator("#explained img").count() == 2)
    wait_until(lambda: page.evaluate("document.querySelector('#explained img').naturalWidth") > 0)
    page.locator("#preset").select_option("tiny-other")
    assert page.locator("#explained img").count() == 0


def test_the_eraser_takes_the_chosen_class_away_and_no_other(segmented):
    page = segmented
    page.get_by_role("button", name="Brush").click()
    page.locator("#class").select_option("keyhole")
    stroke(page, (20, 20), (20, 60))
    wait_until(lambda: (edited(page)[20, 20:61] == 3).all())
    painted = edited(page)
    page.get_by_role("button", name="Eraser").click()
    page.locator("#radius").fill("3")
    stroke(page, (20, 10), (20, 30))
    wait_until(lambda: not (edited(page) == painted).all())
    erased = edited(page)
    assert (erased[20, 8:33] != 3).all()
    assert (erased[20, 38:61] == 3).all()
    assert (erased[painted != 3] == painted[painted != 3]).all()
    page.get_by_role("button", name="Undo").click()
    wait_until(lambda: (edited(page) == painted).all())


def fingers(page, *moves):
    """Put fingers on the page, move them and lift them; a move is the places of all of them."""
    session = page.context.new_cdp_session(page)
    for kind, places in zip(
        ("touchStart", *["touchMove"] * (len(moves) - 1), "touchEnd"), (*moves, ()), strict=True
    ):
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def test_two_fingers_zoom_about_what_is_between_them(visit, recording):
    page = visit(has_touch=True, viewport={"width": 390, "height": 844})
    segment(page, recording[0])
    page.locator("#canvas").scroll_into_view_if_needed()
    row, column = 32, 48
    x, y = on_frame(page, row, column)
    apart = [[(x - far, y), (x + far, y)] for far in (20, 30, 40, 60)]
    fingers(page, *apart)
    assert page.evaluate("window.amseg.viewer.zoom") == pytest.approx(3, rel=0.05)
    assert on_frame(page, row, column) == pytest.approx((x, y), abs=2)
    assert page.evaluate("window.visualViewport.scale") == 1
    fingers(page, *reversed(apart))
    assert page.evaluate("window.amseg.viewer.zoom") == pytest.approx(1, rel=0.05)


def test_a_finger_paints_and_a_second_one_gives_the_stroke_up(visit, recording):
    page = visit(has_touch=True, viewport={"width": 390, "height": 844})
    segment(page, recording[0])
    before = edited(page)
    page.get_by_role("button", name="Brush").tap()
    page.locator("#class").select_option("keyhole")
    page.locator("#canvas").scroll_into_view_if_needed()
    one, other = on_frame(page, 20, 20), on_frame(page, 20, 60)
    fingers(page, [one], [one, other], [one, (other[0] + 40, other[1])])
    page.wait_for_timeout(500)
    assert (edited(page) == before).all()
    page.get_by_role("button", name="Whole frame").tap()
    page.locator("#canvas").scroll_into_view_if_needed()
    places = [[on_frame(page, 20, column)] for column in (20, 30, 40, 50, 60)]
    fingers(page, *places)
    wait_until(lambda: head(page).get("corrected"))
    assert (edited(page)[20, 20:61] == 3).all()
