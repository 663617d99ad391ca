"""Visitors of the demo and their recordings, in a real browser; the page is for everybody."""

import base64

import numpy as np
import pytest
import tifffile
from demo_pages import drawn, head, is_bare, pixels, segment, upload, wait_until
from demo_recordings import write_recording


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


def drop(page, *paths):
    """Drop files on the place for uploads, as a file manager does."""
    files = [(path.name, base64.b64encode(path.read_bytes()).decode()) for path in paths]
    data = page.evaluate_handle(
        """(files) => { const data = new DataTransfer(); for (const [name, bytes] of files)
        data.items.add(new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], name));
        return data; }""",
        files,
    )
    for event in ("dragover", "drop"):
        page.locator(".upload").dispatch_event(event, {"dataTransfer": data})


def test_files_are_dropped_on_the_page(visit, tmp_path):
    paths, frames = zip(
        *(write_recording(tmp_path / f"{name}.tif", seed) for seed, name in enumerate("ab")),
        strict=True,
    )
    page = visit()
    drop(page, *paths)
    wait_until(lambda: page.locator("#recordings li").count() == 2)
    wait_until(lambda: head(page))
    shown = pixels(page)[..., 0].ravel()
    assert np.corrcoef(shown, frames[0][0].ravel())[0, 1] > 0.99
    assert "over" not in page.locator(".upload").get_attribute("class").split()


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
