"""Start the server."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import uvicorn

from amseg_keras.demo.server import Access, Demo

FIRST_PORT = 7860

OPEN = Access()
"""Everybody may ask."""


@dataclass(frozen=True)
class Address:
    """Where the page is, and who may open it.

    Attributes:
        host: Name or address of this computer that is listened on.
        port: Port; None for the first that is free from 7860 on.
        access: Password, and further names of the server.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    access: Access = field(default_factory=Access)


def listening_socket(address: Address) -> socket.socket:
    """Take a port.

    Args:
        address: Where to listen.

    Raises:
        OSError: The port is taken, or the host is no address of this computer.
    """
    ports = [address.port] if address.port else range(FIRST_PORT, FIRST_PORT + 100)
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    last: OSError | None = None
    for port in ports:
        taken = socket.socket(family)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((address.host, port))
            taken.listen()
            return taken
        except OSError as error:
            taken.close()
            last = error
    assert last is not None
    raise last


def server_of(demo: Demo, address: Address) -> uvicorn.Server:
    """Make the web server of a demo."""
    config = uvicorn.Config(
        demo.app(address.access),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(config)


def url_of(taken: socket.socket) -> str:
    """Give the address of a port for a browser on this computer."""
    host, port = taken.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{host}:{port}"


@contextlib.contextmanager
def served(demo: Demo, access: Access = OPEN) -> Iterator[str]:
    """Serve a demo in a thread, for tests and notebooks; gives its address.

    Args:
        demo: Demo to serve.
        access: Who may ask.
    """
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    server = server_of(demo, Address(access=access))
    thread = threading.Thread(target=server.run, args=([taken],), daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.02)
        yield url_of(taken)
    finally:
        server.should_exit = True
        thread.join()
