"""The browser demo as a Hugging Face Space, or by `python app.py`; the page is the package's."""

from amseg_keras import PresetError
from amseg_keras.demo.limits import Limits
from amseg_keras.demo.networks import Networks
from amseg_keras.demo.page import build_page
from amseg_keras.demo.serve import launch_options

LIMITS = Limits(upload_mb=200, frames=60, frame_pixels=1 << 20)
"""Those who wait behind a recording of this size wait for minutes, not hours."""

if __name__ == "__main__":
    try:
        page = build_page(Networks(["amsegnet-esrf"]), LIMITS)
    except PresetError as error:
        raise SystemExit(str(error)) from None
    page.launch(**launch_options(LIMITS))
    page.block_thread()
