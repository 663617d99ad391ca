"""Who is on the page: a folder for each visitor, and the word to stop."""

from __future__ import annotations

import shutil
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

import gradio as gr
from gradio.utils import get_upload_folder

_RESULT = "run"


class Stopped(Exception):  # noqa: N818 - it is no error
    """The visitor asked to stop, or left."""


@dataclass
class Visitor:
    """One open page.

    Attributes:
        folder: For files of this visitor; nobody else can guess its path.
        stop: Set when what is being computed for the visitor is no longer wanted.
    """

    folder: Path
    stop: threading.Event = field(default_factory=threading.Event)

    def new_folder(self, purpose: str = _RESULT) -> Path:
        """A folder for another recording."""
        return Path(tempfile.mkdtemp(prefix=f"{purpose}-", dir=self.folder))

    def keep_only(self, folder: Path) -> None:
        """Delete the results of earlier recordings."""
        for other in self.folder.glob(f"{_RESULT}-*"):
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)

    def check(self) -> None:
        """Raise `Stopped` if the visitor wants no more."""
        if self.stop.is_set():
            raise Stopped


class Visitors:
    """All visitors of a page; their folders go when they leave, all of them when the server ends.

    The folders lie where Gradio serves files from, so that it makes no copies of its own, which
    would stay when the visitor is gone.
    """

    def __init__(self) -> None:
        Path(get_upload_folder()).mkdir(parents=True, exist_ok=True)
        self._root = tempfile.TemporaryDirectory(prefix="amseg-", dir=get_upload_folder())
        self._here: dict[str, Visitor] = {}
        self._lock = threading.Lock()

    def of(self, request: gr.Request) -> Visitor:
        """The visitor who sent a request."""
        with self._lock:
            session = str(request.session_hash)
            if session not in self._here:
                self._here[session] = Visitor(Path(tempfile.mkdtemp(dir=self._root.name)))
            return self._here[session]

    def leave(self, request: gr.Request) -> None:
        """Delete all files of a visitor who closed the page."""
        with self._lock:
            visitor = self._here.pop(str(request.session_hash), None)
        if visitor is not None:
            visitor.stop.set()
            shutil.rmtree(visitor.folder, ignore_errors=True)
