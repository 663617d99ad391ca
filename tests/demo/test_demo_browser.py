"""The demo as its visitors see it, in a real browser without a window."""

import io
import shutil
import time

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

from amseg_keras.quantify import Scale, measure
from amseg_keras.report.overlay import overlay

browser_library = pytest.importorskip("playwright.sync_api")

# Of Debian's Chromium: nothing of its own on the network, so that every request is the page's.
QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
)
CANVAS = ".viewer canvas:not([hidden])"


@pytest.fixture(scope="module")
def browser():
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no chromium here; install it: apt-get install chromium")
    with browser_library.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, demo):
    """Opens the page as another visitor; fails if anything but the server was asked."""
    contexts, elsewhere = [], []

    def open_page(**options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.on("request", lambda request: requested(request.url))
        page.goto(demo.url)
        page.wait_for_selector(".viewer .legend button")
        return page

    def requested(url):
        if not url.startswith((demo.url, "data:", "blob:")):
            elsewhere.append(url)

    yield open_page
    for context in contexts:
        context.close()
    assert not elsewhere


@pytest.fixture
def recording(tmp_path):
    """A TIFF stack of three frames, and the frames, uint8 `(3, 64, 96)`."""
    rng = np.random.default_rng(3)
    frames = np.cumsum(rng.normal(0, 9, (3, 64, 96)), axis=2) + 128
    frames = frames.clip(0, 255).astype(np.uint8)
    tifffile.imwrite(tmp_path / "melt.tif", frames, photometric="minisblack")
    return tmp_path / "melt.tif", frames


def upload(page, path):
    page.set_input_files("input[type=file]", path)
    page.get_by_text(f"{path.stem}: ").wait_for()


def segment(page, path):
    upload(page, path)
    page.get_by_role("button", name="Segment").click()
    page.wait_for_selector(CANVAS)


def pixels(page):
    """Red, green, blue of the viewer's canvas, int `(height, width, 3)`."""
    values = page.evaluate(
        """() => { const canvas = document.querySelector(".viewer canvas");
        const {data, width, height} = canvas.getContext("2d").getImageData(
            0, 0, canvas.width, canvas.height);
        return [height, width, [...data]]; }"""
    )
    height, width, data = values
    return np.array(data).reshape(height, width, 4)[..., :3]


def drawn(demo, frames, index):
    """What the library draws of a frame."""
    found = demo.segmenter.segment(frames)
    names, levels = found.class_names, found.grey_range
    return overlay(frames[index], found.labels[index], names, levels).astype(int)


def wait_until(what, seconds=20):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_an_uploaded_frame_is_shown_as_the_library_draws_it(visit, demo, recording, tmp_path):
    frame = recording[1][0]
    Image.fromarray(frame).save(tmp_path / "frame.png")
    page = visit()
    segment(page, tmp_path / "frame.png")
    shown = pixels(page)
    assert shown.std() > 10
    assert np.abs(shown - drawn(demo, frame[None], 0)).max() <= 1
    page.get_by_text("segmented by tiny").wait_for()
    assert not page.get_by_label("number input for Frame").is_visible()


def test_a_class_can_be_hidden_and_opacity_changed(visit, demo, recording):
    path, frames = recording
    page = visit()
    segment(page, path)
    found = demo.segmenter.segment(frames)
    labels, names, levels = found.labels[0].copy(), found.class_names, found.grey_range
    most = int(np.bincount(labels.ravel()).argmax())
    page.locator(".viewer .legend button").nth(most).click()
    labels[labels == most] = 255
    hidden = overlay(frames[0], labels, names, levels).astype(int)
    assert np.abs(pixels(page) - hidden).max() <= 1
    page.locator(".viewer .opacity input").fill("1")
    opaque = overlay(frames[0], labels, names, levels, opacity=1).astype(int)
    assert np.abs(pixels(page) - opaque).max() <= 1


def test_the_class_below_the_mouse_is_named(visit, demo, recording):
    path, frames = recording
    page = visit()
    segment(page, path)
    found = demo.segmenter.segment(frames)
    box = page.locator(CANVAS).bounding_box()
    for row, column in ((10, 20), (50, 80)):
        x = box["x"] + (column + 0.5) / 96 * box["width"]
        y = box["y"] + (row + 0.5) / 64 * box["height"]
        page.mouse.move(x, y)
        name = found.class_names[found.labels[0, row, column]]
        assert page.locator(".readout").inner_text() == f"{name} at column {column}, row {row}"


def test_frame_plots_and_numbers_follow_the_slider(visit, demo, recording):
    path, frames = recording
    page = visit()
    segment(page, path)
    page.wait_for_selector(".plots[data-frames='3'] svg")
    first, start = pixels(page), page.locator(".cursor").get_attribute("style")
    page.get_by_label("range slider for Frame").press("End")
    wait_until(lambda: (pixels(page) != first).any())
    assert np.abs(pixels(page) - drawn(demo, frames, 2)).max() <= 1
    assert page.locator(".cursor").get_attribute("style") != start
    found = demo.segmenter.segment(frames)
    scale = Scale()
    count = measure(found.labels, found.class_names, scale).frames["pore_count"][2]
    card = page.locator(".cards div", has=page.get_by_text("pores", exact=True))
    wait_until(lambda: card.locator("b").inner_text().strip() == f"{count:,}")


def test_the_downloaded_table_holds_the_librarys_numbers(visit, demo, recording, tmp_path):
    path, frames = recording
    page = visit()
    segment(page, path)
    page.get_by_role("tab", name="Downloads").click()
    link = page.locator("a[download='frames.csv']")
    with page.expect_download() as download:
        link.click()
    download.value.save_as(tmp_path / "frames.csv")
    found = demo.segmenter.segment(frames)
    scale = Scale()
    table = measure(found.labels, found.class_names, scale).frames
    written = io.StringIO(table.to_csv(index=False, float_format="%.6g"))
    read = pd.read_csv(tmp_path / "frames.csv")
    pd.testing.assert_frame_equal(read, pd.read_csv(written), check_exact=True)
    names = [one.get_attribute("download") for one in page.locator("a[download]").all()]
    assert {"labels.tif", "overlay.mp4", "report.html", "pores.csv", "melt.zip"} <= set(names)


def test_before_and_after_lie_beside_each_other(visit, recording):
    path, _ = recording
    page = visit()
    segment(page, path)
    page.get_by_role("tab", name="Compare").click()
    pictures = page.locator("[role=tabpanel] img:visible")
    wait_until(lambda: pictures.count() == 2)
    sizes = {
        tuple(one.evaluate("e => [e.naturalWidth, e.naturalHeight]")) for one in pictures.all()
    }
    assert sizes == {(96, 64)}


def test_a_frame_is_explained(visit, recording):
    path, _ = recording
    page = visit()
    segment(page, path)
    page.get_by_role("tab", name="Explain").click()
    page.get_by_role("button", name="Explain this frame").click()
    pictures = page.locator("[role=tabpanel] img:visible")
    wait_until(lambda: pictures.count() == 2)


def test_garbage_gives_one_sentence(visit, tmp_path):
    (tmp_path / "notes.png").write_text("laser at 200 W")
    page = visit()
    page.set_input_files("input[type=file]", tmp_path / "notes.png")
    toast = page.get_by_test_id("toast-body").first
    assert "notes.png: is not a PNG, JPEG or BMP image" in toast.inner_text()
    assert str(tmp_path) not in toast.inner_text()
    assert "Traceback" not in toast.inner_text()


def test_a_file_above_the_limit_is_refused(visit, tmp_path):
    np.save(tmp_path / "large.npy", np.zeros((1, 1200, 1000), "uint8"))
    page = visit()
    page.set_input_files("input[type=file]", tmp_path / "large.npy")
    assert "large.npy" in page.get_by_test_id("toast-body").first.inner_text()


def test_two_visitors_see_each_their_own(visit, demo, tmp_path):
    rng = np.random.default_rng(5)
    frames = rng.integers(0, 255, (2, 1, 48, 64), "uint8")
    pages = [visit(), visit()]
    for number, page in enumerate(pages):
        np.save(tmp_path / f"shot{number}_a.npy", frames[number])
        upload(page, tmp_path / f"shot{number}_a.npy")
    for page in pages:
        page.get_by_role("button", name="Segment").click()
    for number, page in enumerate(pages):
        page.wait_for_selector(CANVAS)
        assert np.abs(pixels(page) - drawn(demo, frames[number], 0)).max() <= 1


def test_a_long_run_can_be_stopped_while_the_page_stays_usable(visit, recording, tmp_path):
    path, _ = recording
    long = np.zeros((300, 256, 512), np.uint8)
    for index in range(300):
        long[index, index % 256, index] = 255
    tifffile.imwrite(tmp_path / "long.tif", long, compression="zlib", photometric="minisblack")
    page = visit()
    segment(page, path)
    page.wait_for_selector(".plots svg")
    page.get_by_role("button", name="Clear").first.click()
    upload(page, tmp_path / "long.tif")
    page.get_by_role("button", name="Segment").click()
    page.get_by_text("Segmenting").first.wait_for()
    first = pixels(page)
    page.get_by_label("range slider for Frame").press("End")
    wait_until(lambda: (pixels(page) != first).any())
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped.").wait_for()
    page.get_by_text("Segmenting").first.wait_for(state="hidden")
    assert "3 frames of 64 x 96" in page.get_by_text("segmented by tiny").inner_text()


def test_a_sample_takes_one_click(visit):
    page = visit()
    page.get_by_role("button", name="Sample esrf-welding").click()
    page.wait_for_selector(CANVAS)
    assert page.get_by_label("Pixel size (µm)").input_value() == "4.31"


def test_files_of_a_visitor_are_deleted_when_the_page_is_closed(visit, recording, upload_folder):
    path, _ = recording
    page = visit()
    segment(page, path)
    page.get_by_role("tab", name="Downloads").click()
    page.locator("a[download='frames.csv']").wait_for()
    assert list(upload_folder.glob("amseg-*/*/run-*/results/melt/labels.tif"))
    page.context.close()
    wait_until(lambda: not list(upload_folder.glob("amseg-*/*/run-*/results/melt/labels.tif")))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_light_or_dark_as_the_visitor_likes(visit, scheme):
    page = visit(color_scheme=scheme)
    brightness = page.evaluate(
        """() => getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3)
        .map(Number).reduce((a, b) => a + b) / 3"""
    )
    assert (brightness > 128) == (scheme == "light")


def test_the_page_fits_a_phone(visit, recording):
    path, _ = recording
    page = visit(viewport={"width": 390, "height": 844})
    segment(page, path)
    page.wait_for_selector(".plots svg")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
