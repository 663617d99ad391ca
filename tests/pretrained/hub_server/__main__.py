"""Run a command that has a Hub on loopback in place of the real one.

    PYTHONPATH=tests python -m pretrained.hub_server OWNER COMMAND...

OWNER is who may push there. What the command pushed is gone when it ends.
"""

import os
import subprocess
import sys
import tempfile

from pretrained.hub_process import TOKEN
from pretrained.hub_server import HubServer

if __name__ == "__main__":
    owner, *command = sys.argv[1:]
    with HubServer(TOKEN, owner) as hub, tempfile.TemporaryDirectory() as home:
        settings = {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HOME": home}
        done = subprocess.run(command, env=os.environ | settings | {"HF_HUB_DISABLE_XET": "1"})
    raise SystemExit(done.returncode)
