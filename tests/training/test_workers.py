"""Processes that simulate end with the training that started them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("cv2")

SCRIPT = """
import os, time
from amseg_keras.training.recordings import simulating_processes

if __name__ == "__main__":
    print(simulating_processes().submit(os.getpid).result(), flush=True)
    time.sleep(600)
"""


def runs(process):
    """Whether a process is there and is no zombie."""
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs the processes of Linux")
def test_a_killed_training_leaves_no_process_behind(tmp_path):
    script = tmp_path / "training.py"
    script.write_text(SCRIPT)
    training = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    worker = int(training.stdout.readline())
    assert runs(worker)
    training.send_signal(signal.SIGKILL)
    training.wait()
    training.stdout.close()
    end = time.monotonic() + 60
    while runs(worker) and time.monotonic() < end:
        time.sleep(0.1)
    assert not runs(worker)


def test_the_environment_stays_as_it_is(monkeypatch):
    from amseg_keras.training.recordings import simulating_processes

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    with simulating_processes() as pool:
        seen = pool.submit(os.getenv, "CUDA_VISIBLE_DEVICES").result()
    assert seen == ""
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3"
    assert "JAX_PLATFORMS" not in os.environ
