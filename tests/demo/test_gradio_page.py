"""The Gradio page: called by programs, and as its visitors see it in a browser."""

from pathlib import Path

import gradio_client
import httpx
import numpy as np
import pytest
import tifffile
from demo_pages import SECONDS
from demo_recordings import write_recording

from amseg_keras.demo import server
from amseg_keras.demo.server import Access, Demo, served
from amseg_keras.demo.workers import Pool, Pools

EMPTY = "Upload frames or take a sample, and press Segment."


@pytest.fixture(scope="module")
def client(running, tmp_path_factory):
    downloads = tmp_path_factory.mktemp("downloads")
    client = gradio_client.Client(f"{running.url}/gradio", download_files=downloads, verbose=False)
    yield client
    client.close()


def segment(client, path, **chosen):
    return client.predict(gradio_client.handle_file(path), api_name="/segment", **chosen)


def test_a_program_gets_the_labels_of_the_segmenter(client, running, recording):
    labels, table = segment(client, recording[0], preset="tiny", pixel_size_um=2)
    expected = running.segmenter.segment(recording[1]).labels
    np.testing.assert_array_equal(tifffile.imread(labels), expected)
    assert "keyhole_area_um2" in Path(table).read_text("utf-8").partition("\n")[0]


def test_the_one_call_for_programs_is_documented(client):
    calls = client.view_api(return_format="dict")["named_endpoints"]
    assert list(calls) == ["/segment"]
    names = [one["parameter_name"] for one in calls["/segment"]["parameters"]]
    assert names == ["file", "preset", "pixel_size_um", "frame_rate_hz"]


def test_garbage_gives_one_sentence_and_the_next_file_works(client, recording, tmp_path):
    (tmp_path / "notes.tif").write_bytes(b"laser at 200 W, hatch 80 um\n")
    with pytest.raises(gradio_client.exceptions.AppError) as caught:
        segment(client, tmp_path / "notes.tif")
    assert caught.value.message.startswith("notes.tif: ")
    assert "\n" not in caught.value.message
    assert len(tifffile.imread(segment(client, recording[0])[0])) == 3


def answer(running, path):
    """What the server answers to a path that was not uploaded."""
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    call = f"{running.url}/gradio/gradio_api/call/segment"
    event = httpx.post(call, json={"data": [file, "tiny", 0, 0]}).json()["event_id"]
    return httpx.get(f"{call}/{event}", timeout=SECONDS).text


def test_only_what_was_uploaded_is_read_and_served(running, tmp_path):
    np.save(tmp_path / "secret.npy", np.zeros((20, 20), "uint8"))
    said = answer(running, str(tmp_path / "secret.npy"))
    assert said.startswith("event: error")
    assert "it was not sent here" in said
    assert "addresses are not followed" in answer(running, "https://example.org/frames.tif")
    url = f"{running.url}/gradio/gradio_api/file={tmp_path / 'secret.npy'}"
    assert httpx.get(url).status_code == 403


def test_host_origin_and_headers_are_those_of_the_workbench(running):
    url = f"{running.url}/gradio/"
    assert httpx.get(url, headers={"Host": "evil.example"}).status_code == 421
    origin = {"Origin": "http://evil.example"}
    join = f"{url}gradio_api/queue/join"
    assert httpx.post(join, json={}, headers=origin).status_code == 403
    policy = httpx.get(url).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy


def without_workers(running):
    pools = Pools(Pool(0, True), Pool(0, False), Pool(0, False))
    return Demo(running.demo.networks, running.demo.limits, pools)


def test_the_login_holds_for_the_gradio_page(running):
    with served(without_workers(running), Access("plume")) as url:
        assert httpx.get(f"{url}/gradio/").headers["location"] == "/login"
        for path in ("config", "gradio_api/info", "gradio_api/upload"):
            assert httpx.get(f"{url}/gradio/{path}").status_code == 401
        right = ("amseg", "plume")
        assert httpx.get(f"{url}/gradio/config", auth=right).status_code == 200
        options = {"auth": httpx.BasicAuth(*right)}
        client = gradio_client.Client(f"{url}/gradio", verbose=False, httpx_kwargs=options)
        assert "/segment" in client.view_api(return_format="dict")["named_endpoints"]
        client.close()


def test_the_workbench_works_without_gradio_and_says_so(running, monkeypatch):
    monkeypatch.setattr(server, "find_spec", lambda name: None)
    with served(without_workers(running)) as url:
        said = "The Gradio page needs amseg-keras[demo]."
        assert said in httpx.get(url).text
        assert httpx.get(f"{url}/gradio/").text == said


@pytest.fixture
def page(browser, running):
    """The page in a browser; fails if anything but the server was asked, or a script is broken."""
    context, asked, broken = browser.new_context(), [], []
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.goto(f"{running.url}/gradio/")
    page.get_by_text(EMPTY).wait_for()
    yield page
    context.close()
    assert [one for one in asked if not one.startswith((running.url, "data:", "blob:"))] == []
    assert broken == []


def run(page, path):
    page.set_input_files("input[type=file]", path)
    page.locator("a[download]").wait_for()  # it is uploaded
    page.get_by_role("button", name="Segment", exact=True).click()


def test_a_change_of_input_clears_the_result(page, recording, tmp_path):
    run(page, recording[0])
    page.get_by_text("no pixel size is known, so results are in px").wait_for(
        timeout=SECONDS * 1000
    )
    page.get_by_text("Measured in frame 0 of 0 to 2").first.wait_for()
    page.get_by_label("number input for Frame").fill("2")
    page.get_by_label("number input for Frame").blur()
    page.get_by_text("Measured in frame 2 of 0 to 2").first.wait_for()
    page.get_by_label("Pixel size (µm)").fill("2")
    page.get_by_text(EMPTY).wait_for()
    assert not page.get_by_text("melt-labels.tif").count()
    page.get_by_role("button", name="Segment", exact=True).click()
    page.get_by_text("pixel size 2 µm").wait_for(timeout=SECONDS * 1000)


def test_the_workbench_has_the_recording_that_was_segmented_here(page, tmp_path):
    path, _ = write_recording(tmp_path / "track.tif", seed=5)
    run(page, path)
    page.get_by_text("track-labels").first.wait_for(timeout=SECONDS * 1000)
    page.get_by_role("link", name="Work on it").click()
    page.locator("#recordings .pick", has_text="track").first.wait_for()
    page.locator("#other-page a").click()
    page.get_by_text(EMPTY).wait_for()


def test_garbage_gives_one_sentence_on_the_page(page, tmp_path):
    (tmp_path / "notes.tif").write_bytes(b"laser at 200 W, hatch 80 um\n")
    run(page, tmp_path / "notes.tif")
    page.locator(".said", has_text="notes.tif: ").wait_for(timeout=SECONDS * 1000)
