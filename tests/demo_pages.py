"""What tests of the demo ask of its page."""

import time

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
