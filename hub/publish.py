"""Push a preset of this folder to the Hugging Face Hub.

    python hub/publish.py amsegnet-esrf owner/amsegnet-esrf

The token comes from where huggingface_hub finds it: `hf auth login`, or HF_TOKEN.
"""

from __future__ import annotations

import argparse
import sys

from amseg_keras import PresetError
from amseg_keras.pretrained import find_preset, hub


def main() -> None:
    """Read the command line and push."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("preset", help="name of a folder here, or any preset folder")
    parser.add_argument("repository", help="owner/repo")
    parser.add_argument("--private", action="store_true", help="make a new repository private")
    arguments = parser.parse_args()
    try:
        print(hub.push(find_preset(arguments.preset), arguments.repository, arguments.private))
    except PresetError as error:
        sys.exit(f"publish: {error}")


if __name__ == "__main__":
    main()
