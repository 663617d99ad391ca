"""The demo as programs meet it: a running server, called over HTTP."""

import io
import os
import threading
import time
import zipfile
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest
import tifffile

from amseg_keras.demo.server import Access, Demo, served
from amseg_keras.demo.workers import JobError, Pool, Pools
from amseg_keras.quantify import Scale, measure

SLOW = 120


@pytest.fixture
def visitor(running):
    """Asks as a page does, with a token of its own."""
    token = httpx.post(f"{running.url}/visit", json={}).json()["token"]
    with httpx.Client(base_url=f"{running.url}/v/{token}/", timeout=SLOW) as client:
        yield client
        client.post("leave")


def segment(running, path, **chosen):
    url = f"{running.url}/api/segment/{path.name}"
    return httpx.put(url, content=path.read_bytes(), params=chosen, timeout=SLOW)


def upload(visitor, *paths):
    folder = visitor.post("uploads").json()["upload"]
    for path in paths:
        visitor.put(f"uploads/{folder}/{path.name}", content=path.read_bytes()).raise_for_status()
    return visitor.post(f"uploads/{folder}", json={"preset": "tiny"})


def test_results_are_the_librarys(running, frames, tmp_path):
    tifffile.imwrite(tmp_path / "run_07.tif", frames, photometric="minisblack")
    answer = segment(running, tmp_path / "run_07.tif", pixel_size_um=2, frame_rate_hz=40_000)
    packed = zipfile.ZipFile(io.BytesIO(answer.content))
    expected = running.segmenter.segment(frames)
    labels = tifffile.imread(io.BytesIO(packed.read("run_07/labels.tif")))
    np.testing.assert_array_equal(labels, expected.labels)
    measured = measure(expected.labels, expected.class_names, Scale(2, 40_000)).frames
    written = io.StringIO(measured.to_csv(index=False, float_format="%.6g"))
    table = pd.read_csv(io.BytesIO(packed.read("run_07/quantities/frames.csv")))
    wanted = pd.read_csv(written)  # the command adds intervals, which need the preset
    pd.testing.assert_frame_equal(table[list(wanted)], wanted, check_exact=True)
    names = {"report.html", "report_movie.mp4", "run_07.ome.tif", "run_07-rois.zip"}
    assert {f"run_07/{name}" for name in names} <= {*packed.namelist()}
    with tifffile.TiffFile(io.BytesIO(packed.read("run_07/run_07-labels.tif"))) as tiff:
        assert tiff.imagej_metadata["unit"] == "um"
        assert tiff.pages[0].resolution[0] == pytest.approx(0.5)
    for name in packed.namelist():
        if name.endswith((".html", ".json")):
            assert b"/tmp/" not in packed.read(name)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("notes.png", b"laser at 200 W, hatch 80 um\n", "notes.png: is not a PNG"),
        ("empty.tif", b"", "empty.tif: is empty"),
        ("scan.h5", b"\x89HDF\r\n\x1a\n", "scan.h5: cannot be read as HDF5"),
        ("notes.doc", b"laser", "notes.doc: is of no type that is read here"),
    ],
)
def test_a_file_that_cannot_be_taken_gives_one_sentence(running, tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    answer = segment(running, tmp_path / name)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(sentence)
    assert "\n" not in answer.json()["error"]


def test_several_recordings_may_be_sent_at_once(visitor, tmp_path):
    paths = [tmp_path / name for name in ("a.npy", "b.npy")]
    for number, path in enumerate(paths):
        np.save(path, np.full((2 + number, 32, 48), 7, "uint8"))
    made = upload(visitor, *paths).json()["recordings"]
    assert [(one["name"], one["frames"]) for one in made] == [("a", 2), ("b", 3)]


def edf_with_many_axes(path):
    """A file of 12 kB that keeps its reader busy for as long as it is let."""
    data = bytes(64 * 48 * 2)
    head = {
        "EDF_DataBlockID": "0.Image.Psd",
        "EDF_BinarySize": len(data),
        "EDF_HeaderSize": 512,
        "ByteOrder": "LowByteFirst",
        "DataType": "UnsignedShort",
        "Dim_1": 64,
        "Dim_2147483648": 48,
        "Image": 0,
        "HeaderID": "EH:000000:000000:000000",
        "Size": len(data),
    }
    text = "{\n" + "".join(f"{key} = {value} ;\n" for key, value in head.items())
    path.write_bytes(text.ljust(510).encode() + b"}\n" + data)


def test_a_hostile_file_gives_one_sentence(visitor, tmp_path):
    edf_with_many_axes(tmp_path / "many.edf")
    answer = upload(visitor, tmp_path / "many.edf")
    assert answer.status_code == 400
    assert "\n" not in answer.json()["error"]


def test_a_file_that_never_ends_is_given_up_while_others_go_on(
    running, visitor, recording, tmp_path
):
    """A pipe that nobody writes into keeps its reader waiting for ever."""
    (tmp_path / "uploads").mkdir()
    os.mkfifo(tmp_path / "uploads" / "hangs.tif")
    limits = vars(running.demo.limits)
    arguments = {"folder": str(tmp_path), "uploads": str(tmp_path / "uploads"), "limits": limits}
    failed = []

    def hang():
        try:
            running.demo.visitors.pools.files.do("read", arguments, seconds=4)
        except JobError as error:
            failed.append(str(error))

    hanging = threading.Thread(target=hang)
    hanging.start()
    time.sleep(0.5)
    assert upload(visitor, recording[0]).status_code == 200
    assert failed == []
    hanging.join()
    assert failed == ["it takes longer than 4 s, and was given up"]
    assert upload(visitor, recording[0]).status_code == 200


def test_another_visitors_recording_cannot_be_asked_for(running, visitor, recording):
    upload(visitor, recording[0])
    other = httpx.post(f"{running.url}/visit", json={}).json()["token"]
    answer = httpx.get(f"{running.url}/v/{other}/recordings/1/frames/0")
    assert answer.status_code == 404
    assert httpx.get(f"{running.url}/v/guessed/state").status_code == 404


@pytest.mark.parametrize("name", ["..%2f..%2fsecret.npy", "%2fetc%2fpasswd.npy", "..%5csecret.npy"])
def test_a_name_cannot_lead_out_of_the_folder(running, visitor, name):
    folder = visitor.post("uploads").json()["upload"]
    visitor.put(f"uploads/{folder}/{name}", content=b"x")
    token = str(visitor.base_url).rstrip("/").rpartition("/")[2]
    home = running.demo.visitors.of(token).folder
    kept = [path for path in home.rglob("*") if path.is_file()]
    assert all(path.parent == home / folder / "frames" for path in kept)
    assert not Path("/etc/passwd.npy").exists()


def test_a_file_above_the_limit_is_refused(visitor, tmp_path):
    folder = visitor.post("uploads").json()["upload"]
    answer = visitor.put(f"uploads/{folder}/large.npy", content=bytes(1_000_001))
    assert answer.json()["error"].startswith("large.npy: is larger than the 1 MB of this page")


def test_the_host_is_checked(running):
    port = running.url.rpartition(":")[2]
    for host, status in ((f"evil.example:{port}", 421), (f"localhost:{port}", 200)):
        assert httpx.get(running.url, headers={"Host": host}).status_code == status


def test_another_page_may_not_ask(running):
    answer = httpx.post(f"{running.url}/visit", json={}, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403


def test_the_browser_is_told_to_fetch_nothing_from_elsewhere(running):
    policy = httpx.get(running.url).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy


@pytest.fixture
def locked(running):
    """A demo behind a password, without workers."""
    pools = Pools(Pool(0, True), Pool(0, False), Pool(0, False))
    demo = Demo(running.demo.networks, running.demo.limits, pools)
    with served(demo, Access("plume")) as url:
        yield url


def test_a_password_is_asked_for(locked):
    assert httpx.get(f"{locked}/").headers["location"] == "/login"
    assert httpx.post(f"{locked}/visit", json={}).status_code == 401
    with httpx.Client(base_url=locked) as browser:
        login = {"user": "amseg", "password": "wrong"}
        assert browser.post("/login", data=login).status_code == 400
        login["password"] = "plume"
        assert browser.post("/login", data=login).status_code == 303
        assert browser.get("/").status_code == 200
    assert httpx.post(f"{locked}/visit", json={}, auth=("amseg", "plume")).status_code == 200


def test_wrong_passwords_are_throttled(locked):
    login = {"user": "amseg", "password": "wrong"}
    codes = [httpx.post(f"{locked}/login", data=login).status_code for _ in range(6)]
    assert codes == [400] * 5 + [429]
    login["password"] = "plume"
    assert httpx.post(f"{locked}/login", data=login).status_code == 429
    assert httpx.post(f"{locked}/visit", json={}, auth=("amseg", "plume")).status_code == 401
