"""Start the page."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import gradio as gr

from amseg_keras.demo.limits import Limits

USER = "amseg"
"""Name to log in with, where there is a password."""

FONTS = ("system-ui", "Segoe UI", "Roboto", "sans-serif")
FIXED_FONTS = ("ui-monospace", "Consolas", "monospace")
"""Of the visitor's computer: none is fetched from anywhere."""

VISITORS = 64
"""Pages whose results are kept in memory at a time."""


@dataclass(frozen=True)
class Address:
    """Where the page is.

    Attributes:
        host: Name or address of this computer that is listened on.
        port: Likewise; None for the first that is free from 7860 on.
        password: Asked of visitors, None for nothing.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    password: str | None = None


def launch_options(limits: Limits, address: Address = Address()) -> dict[str, Any]:
    """Arguments for the page's `launch`, after which `block_thread` waits for Ctrl-C.

    Nothing is fetched from elsewhere, shared or kept.
    """
    return {
        "server_name": address.host,
        "server_port": address.port,
        "auth": None if address.password is None else (USER, address.password),
        "max_file_size": limits.upload_mb * 1_000_000,
        "theme": gr.themes.Default(
            primary_hue="teal", neutral_hue="slate", font=FONTS, font_mono=FIXED_FONTS
        ),
        "css": (files("amseg_keras.demo") / "assets" / "page.css").read_text("utf-8"),
        "footer_links": ["api"],
        "run_history": False,
        "share": False,
        "enable_monitoring": False,
        "mcp_server": False,
        "ssr_mode": False,
        "prevent_thread_lock": True,
        "quiet": True,
        "state_session_capacity": VISITORS,
    }
