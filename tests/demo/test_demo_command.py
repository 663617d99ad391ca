"""`amseg demo`, and the Space's `app.py`."""

import os
import runpy
import signal
import socket
import subprocess
import sys

import httpx
from click.testing import CliRunner

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


def test_the_space_starts_from_the_package(request):
    app = runpy.run_path(str(request.config.rootpath / "demo" / "app.py"))
    assert app["Demo"].__module__ == "amseg_keras.demo.server"
    assert app["LIMITS"].frames == 60
