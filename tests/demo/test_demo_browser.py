"""The demo in a real browser without a window: it shows nothing stale."""

import numpy as np
import pytest
import tifffile
from demo_pages import (
    SECONDS,
    card,
    drawn,
    head,
    is_bare,
    on_frame,
    pixels,
    segment,
    upload,
    wait_until,
)
from demo_recordings import write_recording
from PIL import Image

from amseg_keras.demo.pictures import cards
from amseg_keras.quantify import Scale, find_phantoms, measure
from amseg_keras.segment.bounds import bounded_frames

# What is shown


def test_an_uploaded_frame_is_shown_as_the_library_draws_it(visit, running, recording, tmp_path):
    frame = recording[1][0]
    Image.fromarray(frame).save(tmp_path / "frame.png")
    page = visit()
    segment(page, tmp_path / "frame.png")
    shown = pixels(page)
    assert shown.std() > 10
    assert np.abs(shown - drawn(running, frame[None], 0)).max() <= 1
    assert page.locator("#frame").is_disabled()


def test_classes_opacity_and_the_pixel_below_the_mouse(segmented, running, recording):
    page, frames = segmented, recording[1]
    found = running.segmenter.segment(frames)
    labels = found.labels[0].copy()
    most = int(np.bincount(labels.ravel()).argmax())
    page.mouse.move(*on_frame(page, 10, 20))
    name = found.class_names[labels[10, 20]]
    assert page.locator("#readout").inner_text() == f"{name} at column 20, row 10"
    page.locator("#legend button").nth(most).click()
    labels[labels == most] = 255
    assert np.abs(pixels(page) - drawn(running, frames, 0, labels)).max() <= 1
    page.locator("#opacity").fill("1")
    opaque = drawn(running, frames, 0, labels, opacity=1)
    assert np.abs(pixels(page) - opaque).max() <= 1


def test_slider_overlay_cards_time_and_plots_are_of_one_frame(segmented, running, recording):
    page, frames = segmented, recording[1]
    page.locator("#frame-rate").fill("40000")
    page.wait_for_selector("#results-time svg", timeout=SECONDS * 1000)
    found = running.segmenter.segment(frames)
    labelled = {index: found.labels[index] for index in bounded_frames(len(frames))}
    table = measure(
        found.labels,
        found.class_names,
        Scale(None, 40_000),
        bounds=running.segmenter.bounds(running.segmenter.inputs(frames), labelled),
        phantoms=find_phantoms(found.labels, found.class_names),
    )
    for index in (2, 0, 1):
        page.locator("#frame").fill(str(index))
        wait_until(lambda index=index: head(page).get("frame") == index)
        assert np.abs(pixels(page) - drawn(running, frames, index)).max() <= 1
        for one in cards(table, index):
            assert card(page, one["title"]).inner_text().split()[0] == one["number"]
        assert page.locator("#frame-said").inner_text() == (f"{index} of 0 to 2 · {25 * index} µs")
        assert page.locator(".plots[data-at]").first.get_attribute("data-at") == str(index)
        assert page.locator("#frame").input_value() == str(index)


def test_view_zoom_grey_levels_and_scale_bar(visit, tmp_path):
    path, frames = write_recording(tmp_path / "movie.tif", seed=4, frames=20)
    frames[:, 20:30, 40:60] += np.arange(20, dtype=np.uint8)[:, None, None] * 4
    tifffile.imwrite(path, frames, photometric="minisblack")
    page = visit()
    upload(page, path)
    plain = pixels(page)
    assert page.evaluate("window.amseg.viewer.scaleBar.unit") == "px"
    page.locator("#pixel-size").fill("2")
    wait_until(lambda: page.evaluate("window.amseg.viewer.scaleBar.unit") == "µm")
    page.get_by_role("button", name="Zoom in").click()
    page.mouse.move(*on_frame(page, 30, 40))
    before = page.evaluate("window.amseg.viewer.at")
    page.mouse.wheel(0, -300)
    assert page.evaluate("window.amseg.viewer.zoom") > 2
    x, y = on_frame(page, *before)
    assert on_frame(page, *before) == pytest.approx((x, y))
    middle = page.evaluate("window.amseg.viewer.middle")
    page.mouse.down()
    page.mouse.move(x + 40, y + 30)
    page.mouse.up()
    assert page.evaluate("window.amseg.viewer.middle") != middle
    page.get_by_role("button", name="Whole frame").click()
    page.get_by_text("Grey levels").click()
    page.locator("#gamma").fill("2")
    assert pixels(page).mean() < plain.mean()
    page.get_by_role("button", name="Reset").click()
    page.get_by_role("button", name="Logarithm").click()
    assert pixels(page).mean() > plain.mean()
    page.get_by_role("button", name="Reset").click()
    for view in ("background", "motion"):
        page.locator("#look").select_option(view)
        wait_until(lambda view=view: head(page).get("view") == view)
        assert np.abs(pixels(page) - plain).mean() > 2


@pytest.mark.parametrize("where", ["#canvas", "#zoom-in", "#opacity", "body", "#tab-time"])
def test_keys_work_wherever_the_focus_is(segmented, where):
    page = segmented
    if where == "body":
        page.evaluate("document.activeElement.blur()")
    else:
        page.locator(where).focus()
    page.keyboard.press("o")
    assert page.evaluate("window.amseg.viewer.opacity") == 0
    page.keyboard.press("o")
    assert page.evaluate("window.amseg.viewer.opacity") == pytest.approx(0.4)
    page.keyboard.press("3")
    assert page.locator("#legend button").nth(2).get_attribute("aria-pressed") == "false"
    page.keyboard.press(" ")
    wait_until(lambda: head(page).get("frame") == 2)
    page.keyboard.press(" ")
    if where != "#tab-time":  # there the arrows choose the tab
        page.keyboard.press("ArrowLeft")
        wait_until(lambda: page.evaluate("!window.amseg.here.playing"))
        now = page.evaluate("window.amseg.here.wanted")
        page.keyboard.press("ArrowLeft" if now else "ArrowRight")
        wait_until(lambda: head(page).get("frame") == (now - 1 if now else 1))


def test_a_number_can_be_typed_without_moving_the_frame(segmented):
    page = segmented
    page.locator("#pixel-size").press_sequentially("1.5")
    assert page.locator("#pixel-size").input_value() == "1.5"
    assert head(page)["frame"] == 0


def test_lines_and_angles_are_measured(segmented):
    page = segmented
    page.locator("#pixel-size").fill("2")
    wait_until(lambda: page.evaluate("window.amseg.viewer.frame?.pixelSize") == 2)
    page.get_by_role("button", name="Line").click()
    page.mouse.move(*on_frame(page, 10, 10))
    page.mouse.down()
    page.mouse.move(*on_frame(page, 10, 40))
    page.mouse.up()
    assert page.locator("#readout").inner_text() == "line of 60.0 µm (30.0 px)"
    page.get_by_role("button", name="Angle").click()
    for row, column in ((10, 40), (30, 40), (30, 60)):
        page.mouse.click(*on_frame(page, row, column))
    assert page.locator("#readout").inner_text() == "angle of 90.0°"


# Never stale


def test_clear_clears_everything(segmented):
    segmented.get_by_role("button", name="Clear").click()
    wait_until(lambda: segmented.locator("#title").inner_text() == "No recording")
    assert is_bare(segmented)
    assert segmented.evaluate("window.amseg.viewer.frame") is None


def test_a_second_upload_shows_nothing_of_the_first(segmented, tmp_path):
    path, frames = write_recording(tmp_path / "other.tif", seed=8)
    upload(segmented, path)
    assert is_bare(segmented)
    levels = np.abs(pixels(segmented).mean(axis=2) - frames[0])
    assert np.corrcoef(pixels(segmented)[..., 0].ravel(), frames[0].ravel())[0, 1] > 0.99
    assert levels.shape == (64, 96)
    segmented.locator("#recordings .pick", has_text="melt").click()
    wait_until(lambda: head(segmented).get("labelled"))
    assert segmented.locator("#title").inner_text() == "melt"


def test_after_clear_and_another_upload_nothing_of_the_first_is_left(segmented, tmp_path):
    segmented.get_by_role("button", name="Clear").click()
    wait_until(lambda: segmented.locator("#title").inner_text() == "No recording")
    path, _ = write_recording(tmp_path / "other.tif", seed=8)
    upload(segmented, path)
    assert is_bare(segmented)
    segmented.get_by_role("tab", name="Downloads").click()
    segmented.get_by_role("button", name="Label maps, TIFF").click()
    segmented.get_by_text("other: is not segmented yet; segment it first").wait_for()


def test_after_a_failed_upload_the_page_names_what_it_shows(segmented, tmp_path):
    (tmp_path / "notes.png").write_text("laser at 200 W")
    shown = pixels(segmented)
    segmented.set_input_files("#files", tmp_path / "notes.png")
    problem = segmented.locator("#problem p")
    wait_until(lambda: problem.inner_text().startswith("notes.png: is not a PNG"))
    assert str(tmp_path) not in problem.inner_text()
    assert segmented.locator("#title").inner_text() == "melt"
    assert (pixels(segmented) == shown).all()
    assert "notes" not in segmented.locator("#recordings").inner_text()


def test_another_network_clears_what_the_first_found(segmented, running, recording):
    segmented.locator("#preset").select_option("tiny-other")
    assert is_bare(segmented)
    segmented.get_by_role("button", name="Segment", exact=True).click()
    wait_until(lambda: head(segmented).get("labelled"))
    assert np.abs(pixels(segmented) - drawn(running, recording[1], 0)).max() > 1


def test_another_background_clears_what_was_found(segmented):
    segmented.get_by_text("Background and scale").click()
    segmented.locator("#background").select_option("none")
    assert is_bare(segmented)


def test_another_pixel_size_rescales_at_once(segmented, running, recording):
    found = running.segmenter.segment(recording[1])
    for size in (2, 4):
        segmented.locator("#pixel-size").fill(str(size))
        assert segmented.locator("#results-time *").count() == 0
        expected = cards(measure(found.labels, found.class_names, Scale(size)), 0)
        for one in expected:
            shown = card(segmented, one["title"])
            wait_until(lambda one=one, shown=shown: shown.inner_text().split()[0] == one["number"])
    segmented.wait_for_selector("#results-time svg", timeout=SECONDS * 1000)
    assert "µm" in segmented.locator("#results-time").inner_text()


def test_another_frame_rate_rescales_at_once(segmented):
    for rate, time_text in (("1000", "1000 µs"), ("40000", "25 µs")):
        segmented.locator("#frame-rate").fill(rate)
        segmented.locator("#frame").fill("1")
        wait_until(lambda t=time_text: t in segmented.locator("#frame-said").inner_text())


def test_thresholds_are_live(segmented, running, recording):
    page = segmented
    before = int(card(page, "pores").inner_text().split()[0].replace(",", ""))
    page.locator("#smallest").fill("12")
    page.locator("#smallest").dispatch_event("change")
    wait_until(
        lambda: (
            page.locator("#cards div").count()
            and int(card(page, "pores").inner_text().split()[0].replace(",", "")) < before
        )
    )
    pores = (page.evaluate("[...window.amseg.viewer.frame.labels]").count(4), before)
    assert pores[0] < (running.segmenter.segment(recording[1]).labels[0] == 4).sum()
    page.locator("#confident").fill("0.99")
    page.locator("#confident").dispatch_event("change")
    wait_until(lambda: page.evaluate("[...window.amseg.viewer.frame.labels]").count(4) == 0)


def test_warnings_of_the_preset_stand_above_the_frame(segmented, running):
    token = segmented.evaluate("window.amseg.here.token")
    recording = running.demo.visitors.of(token).recording(1)
    recording.record["warnings"] = [{"sentence": "the frames are <b>darker</b>"}]
    segmented.locator("#frame-rate").fill("1000")
    warning = segmented.locator("#warnings p")
    wait_until(lambda: warning.count() == 1)
    assert warning.inner_text() == "Caution: the frames are <b>darker</b>"
    canvas = segmented.locator("#canvas").bounding_box()
    assert warning.bounding_box()["y"] < canvas["y"]
