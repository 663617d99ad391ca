"""A worker of the demo, spoken to as the server does."""

import json
import subprocess
import sys

import pytest

WITHOUT_KERAS = """
import sys
import amseg_keras
sys.modules["keras"] = None
from amseg_keras.demo.workers import main
main()
"""

JOBS = {
    "explain": {"about": {}, "preset": "", "background": "auto", "frame": 0, "class_name": "pore"},
    "teach": {"folder": "", "corrections": "", "preset": "", "epochs": 2},
}


@pytest.mark.parametrize("job", JOBS)
def test_what_needs_keras_says_what_to_install(job):
    message = json.dumps({"number": 1, "job": job, "arguments": JOBS[job]})
    with subprocess.Popen(
        [sys.executable, "-c", WITHOUT_KERAS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as worker:
        worker.stdin.write(message + "\n")
        worker.stdin.flush()
        ready, outcome = (json.loads(worker.stdout.readline()) for _ in range(2))
        said = worker.communicate()[1]
    assert ready == {"ready": True}
    assert outcome["failed"].startswith("this needs Keras with a backend")
    assert "pip install 'amseg-keras[tensorflow]'" in outcome["failed"]
    assert "Traceback" not in said
