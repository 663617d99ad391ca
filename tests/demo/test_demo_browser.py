"""The demo as its visitors see it, in a real browser without a window."""

import zipfile

import numpy as np
import pytest
import tifffile
from demo_pages import SECONDS, card, head, on_frame, wait_until
from demo_recordings import write_recording
from PIL import Image

from amseg_keras.demo.pictures import cards
from amseg_keras.quantify import Scale, find_phantoms, measure
from amseg_keras.report.overlay import overlay
from amseg_keras.segment.bounds import bounded_frames


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
    """What the library draws of a frame."""
    found = running.segmenter.segment(frames)
    names, levels = found.class_names, found.grey_range
    labels = found.labels[index] if labels is None else labels
    return overlay(frames[index], labels, names, levels, **options).astype(int)


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


@pytest.fixture
def segmented(visit, recording):
    """A page with a segmented recording of three frames."""
    page = visit()
    segment(page, recording[0])
    return page


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


def is_bare(page):
    """Whether nothing of any segmentation is on the page."""
    return (
        not page.locator("#legend button").count()
        and not page.locator("#cards div").count()
        and not page.locator("#results-time *").count()
        and not page.locator("#results-pores *").count()
        and not page.evaluate("Boolean(window.amseg.viewer.frame?.labels)")
    )


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


# Recordings in a list


def test_recordings_are_segmented_one_after_the_other(visit, tmp_path):
    paths = [write_recording(tmp_path / f"{name}.tif", seed)[0] for seed, name in enumerate("abc")]
    page = visit()
    page.set_input_files("#files", paths)
    wait_until(lambda: page.locator("#recordings li").count() == 3)
    page.get_by_role("button", name="Segment all").click()
    page.get_by_role("button", name="Remove b").click()
    wait_until(lambda: page.locator("#recordings li[data-state=done]").count() == 2)


def test_a_long_run_can_be_cancelled_while_the_page_stays_usable(visit, tmp_path):
    long = np.zeros((300, 256, 512), np.uint8)
    for index in range(300):
        long[index, index % 256, index] = 255
    tifffile.imwrite(tmp_path / "long.tif", long, compression="zlib", photometric="minisblack")
    page = visit()
    upload(page, tmp_path / "long.tif")
    page.get_by_role("button", name="Segment", exact=True).click()
    wait_until(lambda: "segmenting" in page.locator("#recordings").inner_text())
    page.locator("#frame").fill("7")
    wait_until(lambda: head(page).get("frame") == 7)
    page.get_by_role("button", name="Cancel", exact=True).click()
    wait_until(lambda: "cancelled" in page.locator("#recordings").inner_text())
    assert is_bare(page)


def test_two_visitors_see_each_their_own(visit, running, tmp_path):
    pages, frames = [visit(), visit()], []
    for number, page in enumerate(pages):
        path, made = write_recording(tmp_path / f"shot{number}.tif", seed=20 + number)
        frames.append(made)
        upload(page, path)
    for page in pages:
        page.get_by_role("button", name="Segment", exact=True).click()
    for number, page in enumerate(pages):
        wait_until(lambda page=page: head(page).get("labelled"))
        assert np.abs(pixels(page) - drawn(running, frames[number], 0)).max() <= 1
        assert page.locator("#recordings li").count() == 1
        assert f"shot{1 - number}" not in page.content()


def test_a_reload_keeps_the_work_and_closing_deletes_it(segmented, running):
    segmented.reload()
    segmented.wait_for_selector("html[data-ready=yes]")
    wait_until(lambda: head(segmented).get("labelled"))
    token = segmented.evaluate("window.amseg.here.token")
    folder = running.demo.visitors.of(token).folder
    assert list(folder.rglob("found.npy"))
    segmented.close()
    wait_until(lambda: not folder.exists())


# Correcting


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


# For everybody


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_has_no_fault_that_axe_finds(visit, recording, axe, scheme):
    page = visit(color_scheme=scheme)
    segment(page, recording[0])
    page.locator("#problem p").evaluate(
        "(e) => { e.textContent = 'x'; e.parentNode.hidden = false }"
    )
    page.evaluate(axe)
    for tab in ("Over time", "Pores", "Explain", "Correct and teach", "Downloads"):
        page.get_by_role("tab", name=tab).click()
        found = page.evaluate("axe.run(document)")["violations"]
        said = [(one["id"], one["nodes"][0]["html"]) for one in found]
        assert said == []
    brightness = page.evaluate(
        """() => getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3)
        .map(Number).reduce((a, b) => a + b) / 3"""
    )
    assert (brightness > 128) == (scheme == "light")


def test_the_focus_is_visible(visit):
    page = visit()
    for _ in range(4):
        page.keyboard.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
        assert float(outline.removesuffix("px")) >= 2


def test_the_page_fits_a_phone(visit, recording):
    page = visit(viewport={"width": 390, "height": 844})
    segment(page, recording[0])
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
