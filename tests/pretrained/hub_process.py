"""Other processes for tests of the Hub, whose client reads its settings on import.

Each has settings, a cache and a token of its own, and keeps what it prints.
"""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from huggingface_hub import constants

from amseg_keras import PresetError

TOKEN = "hf_" + "secretOfTheTests" * 2
WRONG_TOKEN = "hf_" + "wrongSecretOfTheTests" * 2


def with_token(token, function, *args):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_TOKEN", token)
        return function(*args)


def start(printed):
    """Send all that this process prints, below Python too, to a file."""
    for stream in (1, 2):
        os.dup2(os.open(printed, os.O_WRONLY | os.O_APPEND), stream)
    # The weights of a small network, too, then come in several pieces.
    constants.DOWNLOAD_CHUNK_SIZE = 1 << 12


class Process:
    """A fresh Python process that runs functions of importable modules.

    Args:
        home: for the Hub's cache, and what the process prints.
        settings: environment variables of the Hub's client.
    """

    def __init__(self, home: Path, **settings: str):
        self.cache = home / "hub"
        self._printed = home / f"printed-{len(list(home.glob('printed-*')))}"
        self._printed.touch()
        self._pool = ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), start, (self._printed,)
        )
        with pytest.MonkeyPatch.context() as patch:
            for name in os.environ:
                if name.startswith(("HF_", "HUGGING")) or name.lower().endswith("_proxy"):
                    patch.delenv(name)
            patch.setenv("HF_HOME", str(home))
            patch.setenv("HF_TOKEN", TOKEN)
            patch.setenv("HF_HUB_DISABLE_XET", "1")
            for name, value in settings.items():
                patch.setenv(name, value)
            self._started = self._pool.submit(os.getpid)
        # the environment is passed on by the time that submit returns

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._pool.shutdown()

    def submit(self, function, *args):
        return self._pool.submit(function, *args)

    def __call__(self, function, *args):
        return self.submit(function, *args).result(timeout=120)

    @property
    def printed(self) -> str:
        """All that it has printed."""
        return self._printed.read_text()

    def refusal(self, function, *args) -> str:
        """The `PresetError` of a call, which must be one line and give no token away."""
        with pytest.raises(PresetError) as raised:
            self(function, *args)
        traceback = str(raised.value.__cause__)
        assert "Traceback" in traceback
        for shown in (str(raised.value), traceback, self.printed):
            assert TOKEN not in shown
            assert WRONG_TOKEN not in shown
        assert "\n" not in str(raised.value)
        return str(raised.value)
