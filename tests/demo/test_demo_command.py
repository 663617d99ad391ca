"""`amseg demo`, and the Space's `app.py`."""

import os
import shutil
import signal
import socket
import subprocess
import sys

import httpx
from click.testing import CliRunner
from demo_pages import wait_until

from amseg_keras.command.demo import demo as demo_command

START = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # in a shell's background it is ignored
from amseg_keras.command.demo import demo
demo()
"""


def test_the_page_is_served_until_ctrl_c_and_leaves_no_files(tiny_presets, tmp_path):
    command = [sys.executable, "-c", START, "--model", str(tiny_presets[0])]
    environment = os.environ | {"TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            url = server.stdout.readline().split()[0]
            assert "Melt pools in X-ray frames" in httpx.get(url).text
            assert list(tmp_path.glob("amseg-demo-*"))
            server.send_signal(signal.SIGINT)
            assert server.wait(120) == 0
        finally:
            server.kill()
    assert not list(tmp_path.glob("amseg-demo-*"))


def test_a_port_that_is_taken_gives_one_sentence(tiny_presets):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        model = str(tiny_presets[0])
        result = CliRunner().invoke(demo_command, ["--model", model, "--port", port])
    assert result.exit_code == 1
    assert result.stderr.strip().endswith("give another --port or --host")
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_preset_that_is_not_there_is_wrong_use():
    result = CliRunner().invoke(demo_command, ["--model", "no-such-preset"])
    assert result.exit_code == 2
    assert "no-such-preset: no preset" in result.stderr


def test_the_space_serves_both_pages_from_a_folder_of_its_own(request, tmp_path):
    space, home = tmp_path / "app", tmp_path / "home"
    home.mkdir()
    shutil.copytree(request.config.rootpath / "demo", space)
    assert (space / "requirements.txt").read_text().strip() == "amseg-keras[demo,tensorflow]"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        **{"HOME": str(home), "TMPDIR": str(home), "PYTHONUNBUFFERED": "1"},
        **{"GRADIO_SERVER_PORT": str(port), "GRADIO_SERVER_NAME": "0.0.0.0"},
        "PYTHONPATH": str(request.config.rootpath),
    }
    url = f"http://127.0.0.1:{port}"
    proxied = {"Host": "someone-am-segnet.hf.space", "X-Forwarded-Proto": "https"}
    with subprocess.Popen([sys.executable, "app.py"], cwd=space, env=environment) as server:
        try:
            wait_until(lambda: answers(url) or server.poll() is not None)
            page = httpx.get(url, headers=proxied)
            assert "Melt pools in X-ray frames" in page.text
            policy = page.headers["content-security-policy"]
            assert "frame-ancestors https://huggingface.co https://*.huggingface.co" in policy
            assert "x-frame-options" not in page.headers
            assert "Melt pools" in httpx.get(f"{url}/gradio/", headers=proxied).text
            root = httpx.get(f"{url}/gradio/config", headers=proxied).json()["root"]
            assert root == "https://someone-am-segnet.hf.space/gradio"
            assert httpx.get(url, headers={"Host": "evil.example"}).status_code == 421
            visit = httpx.post(f"{url}/visit", headers=proxied, json={}).json()
            assert visit["presets"][0]["name"] == "amsegnet-movie"
            assert visit["limits"]["frames"] == 60
        finally:
            server.terminate()


def answers(url):
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False
