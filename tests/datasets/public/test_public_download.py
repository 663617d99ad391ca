"""Downloads from a real server on this machine that misbehaves like those elsewhere."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from amseg_keras.datasets.public import DownloadError, PublicFile, download
from amseg_keras.datasets.public import download as download_function

CONTENT = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Shop:
    """What the server has and how it behaves; the requests it got."""

    content: bytes = CONTENT
    tag: str = '"one"'
    cut_after: list[int] = field(default_factory=list)  # bytes of each answer, then whole ones
    statuses: list[int] = field(default_factory=list)  # of each answer, then good ones
    ranges: bool = True
    asked: list[str | None] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            shop.asked.append(wanted)
            status = shop.statuses.pop(0) if shop.statuses else 200
            if status != 200:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start = int(wanted[6:-1]) if wanted and shop.ranges else 0
            size = len(shop.content)
            if start >= size:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{size}")
                self.send_header("Content-Length", "0")
                self.send_header("ETag", shop.tag)
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            self.send_header("Content-Length", str(size - start))
            if shop.tag:
                self.send_header("ETag", shop.tag)
            self.end_headers()
            body = shop.content[start:]
            if shop.cut_after:
                body = body[: shop.cut_after.pop(0)]
            self.wfile.write(body)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    shop.url = f"http://127.0.0.1:{server.server_port}/frames.bin"
    yield shop
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(download_function.__globals__, "WAIT_S", 0.0)


def wanted(shop: Shop, sha256: str | None = SHA256) -> PublicFile:
    return PublicFile("frames.bin", shop.url, sha256)


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_arrives_whole_and_is_not_asked_for_again(shop, tmp_path):
    seen = []
    file = download(wanted(shop), tmp_path / "new", lambda *done: seen.append(done))
    assert file.read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert left(tmp_path / "new") == ["frames.bin"]
    download(wanted(shop), tmp_path / "new")
    assert shop.asked == [None]


def test_a_cut_connection_is_taken_up_where_it_broke(shop, tmp_path):
    shop.cut_after = [100_000, 70_000]
    assert download(wanted(shop), tmp_path).read_bytes() == CONTENT
    assert shop.asked == [None, "bytes=100000-", "bytes=170000-"]


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(shop, tmp_path):
    shop.cut_after = [100_000, 0, 0, 0, 0]
    with pytest.raises(DownloadError, match=r"frames\.bin: cannot be downloaded"):
        download(wanted(shop), tmp_path)
    assert left(tmp_path) == ["frames.bin.part", "frames.bin.version"]
    shop.cut_after = []
    assert download(wanted(shop), tmp_path).read_bytes() == CONTENT
    assert shop.asked[-1] == "bytes=100000-"
    assert left(tmp_path) == ["frames.bin"]


def test_a_server_that_knows_no_ranges_sends_it_all_again(shop, tmp_path):
    shop.ranges, shop.cut_after = False, [100_000]
    assert download(wanted(shop), tmp_path).read_bytes() == CONTENT


def test_a_server_that_tells_no_version_is_asked_for_all_of_it_again(shop, tmp_path):
    shop.tag, shop.cut_after = "", [100_000]
    assert download(wanted(shop), tmp_path).read_bytes() == CONTENT
    assert shop.asked == [None, None]


def test_a_file_that_changes_meanwhile_is_not_stitched_together(shop, tmp_path):
    old = np.random.default_rng(1).bytes(len(CONTENT))
    shop.content, shop.tag, shop.cut_after = old, '"old"', [100_000, 0, 0, 0, 0]
    with pytest.raises(DownloadError):
        download(wanted(shop), tmp_path)
    shop.content, shop.tag, shop.cut_after = CONTENT, '"new"', []
    assert download(wanted(shop, None), tmp_path).read_bytes() == CONTENT


def test_a_part_that_is_the_whole_file_is_enough(shop, tmp_path):
    (tmp_path / "frames.bin.part").write_bytes(CONTENT)
    (tmp_path / "frames.bin.version").write_text(shop.tag)
    assert download(wanted(shop), tmp_path).read_bytes() == CONTENT
    assert shop.asked == [f"bytes={len(CONTENT)}-"]


def test_a_part_longer_than_the_file_is_thrown_away(shop, tmp_path):
    (tmp_path / "frames.bin.part").write_bytes(CONTENT + b"more")
    (tmp_path / "frames.bin.version").write_text(shop.tag)
    assert download(wanted(shop), tmp_path).read_bytes() == CONTENT


def test_a_missing_file_is_not_asked_for_twice(shop, tmp_path):
    shop.statuses = [404]
    with pytest.raises(DownloadError, match="refuses it \\(404"):
        download(wanted(shop), tmp_path)
    assert len(shop.asked) == 1
    assert left(tmp_path) == []


def test_a_busy_server_is_asked_again(shop, tmp_path):
    shop.statuses = [503, 429]
    assert download(wanted(shop), tmp_path).read_bytes() == CONTENT


def test_a_wrong_file_is_named_and_not_kept(shop, tmp_path):
    shop.content = CONTENT[::-1]
    with pytest.raises(DownloadError, match=f"not the {SHA256}"):
        download(wanted(shop), tmp_path)
    assert left(tmp_path) == []


def test_a_damaged_file_of_an_earlier_time_is_replaced(shop, tmp_path):
    (tmp_path / "frames.bin").write_bytes(b"damaged")
    assert download(wanted(shop), tmp_path).read_bytes() == CONTENT


def test_no_server_is_one_sentence(tmp_path):
    with pytest.raises(DownloadError, match=r"^http://127\.0\.0\.1:9/f: cannot .*no connection"):
        download(PublicFile("f", "http://127.0.0.1:9/f"), tmp_path)
