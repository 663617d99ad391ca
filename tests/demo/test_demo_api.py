"""The demo as programs meet it: a running server, called over HTTP."""

import io

import gradio_client
import httpx
import numpy as np
import pandas as pd
import pytest
import tifffile

from amseg_keras.demo.limits import Limits
from amseg_keras.demo.networks import Networks
from amseg_keras.demo.page import build_page
from amseg_keras.demo.serve import Address, launch_options
from amseg_keras.quantify import Scale, measure


@pytest.fixture(scope="module")
def client(demo, tmp_path_factory):
    downloads = tmp_path_factory.mktemp("downloads")
    client = gradio_client.Client(demo.url, download_files=downloads, verbose=False)
    yield client
    client.close()


def segment(client, path, **chosen):
    return client.predict(gradio_client.handle_file(path), api_name="/segment", **chosen)


def test_results_are_the_librarys(client, demo, frames, tmp_path):
    tifffile.imwrite(tmp_path / "run_07.tif", frames, photometric="minisblack")
    labels, table = segment(client, tmp_path / "run_07.tif", frame_rate_hz=40_000)

    expected = demo.segmenter.segment(frames)
    np.testing.assert_array_equal(tifffile.imread(labels), expected.labels)
    scale = Scale(None, 40_000)
    measured = measure(expected.labels, expected.class_names, scale).frames
    written = io.StringIO(measured.to_csv(index=False, float_format="%.6g"))
    pd.testing.assert_frame_equal(pd.read_csv(table), pd.read_csv(written), check_exact=True)


def test_the_pixel_size_that_is_given_counts(client, frames, tmp_path):
    np.save(tmp_path / "scan.npy", frames)
    tables = [
        pd.read_csv(segment(client, tmp_path / "scan.npy", pixel_size_um=size)[1])
        for size in (1, 2)
    ]
    np.testing.assert_allclose(
        tables[0]["surface_slope"], tables[1]["surface_slope"], equal_nan=True
    )
    for number, table in enumerate(tables, start=1):
        expected = table["keyhole_area_px"] * number**2
        np.testing.assert_allclose(table["keyhole_area_um2"], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("notes.png", b"laser at 200 W, hatch 80 um\n", "notes.png: is not a PNG"),
        ("empty.tif", b"", "empty.tif: is empty"),
        ("scan.h5", b"\x89HDF\r\n\x1a\n", "scan.h5: cannot be read as HDF5"),
        ("notes.doc", b"laser", "notes.doc: is of no type that is read here"),
    ],
)
def test_a_file_that_cannot_be_taken_gives_one_sentence(client, tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(gradio_client.exceptions.AppError) as caught:
        segment(client, tmp_path / name)
    assert caught.value.message.startswith(sentence)
    assert "\n" not in caught.value.message


def answer(demo, path):
    """What the server answers to a path that was not uploaded."""
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    call = f"{demo.url}/gradio_api/call/segment"
    event = httpx.post(call, json={"data": [file, "tiny", 0, 0]}).json()["event_id"]
    return httpx.get(f"{call}/{event}", timeout=30).text


def test_a_file_of_the_server_is_no_upload(demo, tmp_path):
    np.save(tmp_path / "secret.npy", np.zeros((20, 20), "uint8"))
    said = answer(demo, str(tmp_path / "secret.npy"))
    assert said.startswith("event: error")
    assert "secret" not in said


def test_an_address_is_not_fetched(demo):
    assert "addresses are not followed" in answer(demo, "https://example.org/frames.tif")


def test_only_uploads_and_results_are_served(demo, request, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    for path in (tmp_path / "secret.txt", request.config.rootpath / "pyproject.toml"):
        assert httpx.get(f"{demo.url}/gradio_api/file={path}").status_code == 403


def test_the_one_endpoint_is_documented(client):
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert list(endpoints) == ["/segment"]
    assert "labels.tif" in endpoints["/segment"]["description"]
    names = [one["parameter_name"] for one in endpoints["/segment"]["parameters"]]
    assert names == ["file", "preset", "pixel_size_um", "frame_rate_hz"]


def test_nothing_is_reported_or_remembered(client):
    assert client.config["analytics_enabled"] is False
    assert client.config["run_history"] is False


def test_a_password_is_asked_for(tiny_presets, upload_folder):
    page = build_page(Networks(tiny_presets[:1]), Limits())
    options = launch_options(Limits(), Address(password="plume"))
    page.launch(**options)
    try:
        assert httpx.get(f"{page.local_url}config").status_code == 401
        with httpx.Client(base_url=page.local_url) as browser:
            login = {"username": "amseg", "password": "wrong"}
            assert browser.post("/login", data=login).status_code == 400
            login["password"] = "plume"
            assert browser.post("/login", data=login).status_code == 200
            assert browser.get("/config").status_code == 200
    finally:
        page.close(verbose=False)


def test_the_smaller_network_is_offered_where_the_first_is_slow(tiny_presets):
    networks = Networks(tiny_presets)
    assert networks.names[:2] == ["tiny", "tiny-lite"]
    name, said = networks.choose(longest_s=0)
    assert (name, said.startswith("tiny-lite is chosen because tiny takes")) == ("tiny-lite", True)
    name, said = networks.choose(longest_s=60)
    assert (name, said.startswith("tiny takes about")) == ("tiny", True)
