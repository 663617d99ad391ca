"""The browser demo as a Hugging Face Space, or by `python app.py`; the pages are the package's: its
workbench at `/`, and the Gradio page at `/gradio`.
"""

import os

from amseg_keras import PresetError
from amseg_keras.demo.lessons import Networks
from amseg_keras.demo.limits import Limits
from amseg_keras.demo.server import Access, Address, Demo, listening_socket, server_of

LIMITS = Limits(upload_mb=200, frames=60, frame_pixels=1 << 20, recordings=8, teach_s=900)
"""Those who wait behind a recording of this size wait for minutes, not hours."""

ACCESS = Access(
    hosts=("*.hf.space",), frames=("https://huggingface.co", "https://*.huggingface.co")
)
"""A Space has a name of its own, and is shown within a page of the Hub."""

ADDRESS = Address("0.0.0.0", int(os.environ.get("GRADIO_SERVER_PORT", "7860")), ACCESS)
"""A Space asks port 7860 of every address; it names the port to Gradio."""

if __name__ == "__main__":
    try:
        demo = Demo(Networks(["amsegnet-movie"]), LIMITS)
    except PresetError as error:
        raise SystemExit(str(error)) from None
    server_of(demo, ADDRESS).run([listening_socket(ADDRESS)])
