"""Take the pictures of the demo, docs/demo-*.png, in a browser without a window.

    python docs/make_demo.py

Needs the extra `amseg-keras[demo]`, playwright and Chromium (`apt-get install chromium`).
"""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from amseg_keras.demo.lessons import Networks
from amseg_keras.demo.limits import Limits
from amseg_keras.demo.server import Demo, served

FOLDER = Path(__file__).parent
FRAME = 20
MINUTE_MS = 60_000

PICTURES = {
    "demo-light": {"viewport": {"width": 1280, "height": 1000}, "color_scheme": "light"},
    "demo-dark": {"viewport": {"width": 1280, "height": 1000}, "color_scheme": "dark"},
    "demo-phone": {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2},
}
"""Windows by the name of their picture."""


def take(browser: Browser, url: str, name: str) -> None:
    """Segment a sample, go to a frame in which much is seen, and take the whole page."""
    page = browser.new_context(bypass_csp=True, **PICTURES[name]).new_page()
    page.goto(url)
    page.wait_for_selector("html[data-ready=yes]")
    page.get_by_role("button", name="Sample esrf-lpbf").click()
    page.wait_for_selector("#results-time svg", timeout=10 * MINUTE_MS)
    page.locator("#frame-rate").fill("40000")
    page.locator("#frame").fill(str(FRAME))
    page.wait_for_function(f"window.amseg.here.head.frame === {FRAME}")
    page.wait_for_selector("#results-time svg", timeout=MINUTE_MS)
    page.evaluate("document.activeElement.blur()")
    if name == "demo-dark":
        page.get_by_role("button", name="Brush").click()
        page.get_by_role("tab", name="Correct and teach").click()
    page.screenshot(path=FOLDER / f"{name}.png", full_page=True)
    page.context.close()


def main() -> None:
    """Take all pictures."""
    demo = Demo(Networks(["amsegnet-movie"]), Limits())
    with served(demo) as url, sync_playwright() as playwright:
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        for name in PICTURES:
            take(browser, url, name)
        browser.close()


if __name__ == "__main__":
    main()
