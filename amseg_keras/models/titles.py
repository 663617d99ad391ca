"""Names of the networks: on the command line, and in tables and figures."""

from __future__ import annotations

from collections.abc import Mapping

TITLES: Mapping[str, str] = {
    "amsegnet": "AM-SegNet",
    "amsegnet-no-gate": "AM-SegNet*",
    "resunet": "Res-U-Net",
    "unet": "U-Net",
    "squeezeunet": "Squeeze-U-Net",
    "amsegnet-lite": "AM-SegNet lite",
}
"""Titles as the paper writes them, by the name that the command line has for a network. The
asterisk is the network without attention gate."""

OF_THE_PAPER = tuple(name for name in TITLES if name != "amsegnet-lite")
"""The networks of Table 2 of the paper."""
