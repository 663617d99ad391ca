"""A process of its own for all that needs Keras.

The drivers that draw the window and TensorFlow may hold two versions of LLVM, which bring down a
process with both. A process of its own can also be ended while it computes. It keeps the network
for the next call.

Messages are pickled in both directions, over the pipes of the process: ("run", function,
arguments) and ("stop",) to it; ("told", done, of, what), ("done", result), ("failed", sentence) and
("stopped",) from it.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import subprocess
import sys
import threading
import time
from importlib import import_module
from typing import IO, Any, Protocol

PATIENCE_S = 5.0
"""Time that a cancelled computation has to end by itself."""

_TICK_S = 0.1


class StoppedError(Exception):
    """The user cancelled the work."""


class WorkError(ValueError):
    """Error in the process, in a sentence."""


class Tell(Protocol):
    """Told how far the work has come; raises `StoppedError` if the user cancelled."""

    def __call__(self, done: int, of: int, what: str) -> None: ...

    def check(self) -> None:
        """Raise `StoppedError` if the user cancelled."""


class Worker:
    """A process that runs functions of this package, one after the other."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._messages: queue.Queue[tuple[Any, ...]] = queue.Queue()
        self._turn = threading.Lock()

    def run(self, function: str, arguments: tuple[Any, ...], tell: Tell) -> Any:
        """Run a function in the process, and wait for what it gives.

        Args:
            function: Module and name, as `amseg_keras.napari.jobs:segment`.
            arguments: Given to it, before the function to tell progress to.

        Raises:
            StoppedError: The user cancelled.
            WorkError: The function failed, or the process ended.
        """
        while not self._turn.acquire(timeout=_TICK_S):
            tell.check()
        try:
            process = self._started()
            _send(process.stdin, ("run", function, arguments))
            return self._wait(process, tell)
        finally:
            self._turn.release()

    def end(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _wait(self, process: subprocess.Popen[bytes], tell: Tell) -> Any:
        while True:
            try:
                kind, *rest = self._messages.get(timeout=_TICK_S)
                if kind == "told":
                    tell(*rest)
                else:
                    tell.check()
            except queue.Empty:
                kind = ""
                with self._stopping(process):
                    tell.check()
            except StoppedError:
                self._stop(process)
                raise
            if kind == "done":
                return rest[0]
            if kind == "failed":
                raise WorkError(rest[0])
            if kind == "ended":
                self._process = None
                raise WorkError(
                    "the process of the network ended; if the memory was not enough, choose a "
                    "smaller network or fewer frames"
                )

    @contextlib.contextmanager
    def _stopping(self, process: subprocess.Popen[bytes]) -> Any:
        try:
            yield
        except StoppedError:
            self._stop(process)
            raise

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        """Ask the process to stop; end it if it does not."""
        with contextlib.suppress(OSError):
            _send(process.stdin, ("stop",))
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            with contextlib.suppress(queue.Empty):
                kind, *_ = self._messages.get(timeout=_TICK_S)
                if kind != "told":
                    break
        else:
            self.end()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._messages = queue.Queue()
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        reader = threading.Thread(
            target=_receive, args=(self._process.stdout, self._messages), daemon=True
        )
        reader.start()
        return self._process


def _send(pipe: IO[bytes] | None, message: tuple[Any, ...]) -> None:
    assert pipe is not None
    pickle.dump(message, pipe)
    pipe.flush()


def _receive(pipe: IO[bytes], messages: queue.Queue[tuple[Any, ...]]) -> None:
    try:
        while True:
            messages.put(pickle.load(pipe))
    except (EOFError, OSError, pickle.UnpicklingError):
        messages.put(("ended",))


def _serve() -> None:
    """Run the jobs of a window until the window is gone."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not be among the answers
    orders: queue.Queue[tuple[Any, ...]] = queue.Queue()
    stop = threading.Event()

    def listen() -> None:
        try:
            while True:
                order = pickle.load(sys.stdin.buffer)
                if order == ("stop",):
                    stop.set()
                else:
                    orders.put(order)
        except (EOFError, OSError):
            os._exit(0)

    threading.Thread(target=listen, daemon=True).start()

    def tell(done: int, of: int, what: str) -> None:
        if stop.is_set():
            raise StoppedError
        _send(answers, ("told", done, of, what))

    while True:
        _, function, arguments = orders.get()
        stop.clear()
        _send(answers, _answer(function, arguments, tell))


def _answer(function: str, arguments: tuple[Any, ...], tell: Any) -> tuple[Any, ...]:
    from amseg_keras._on_demand import install_keras
    from amseg_keras.outputs import OutputError
    from amseg_keras.pretrained import PresetError
    from amseg_keras.read import ReadError

    known = (ReadError, OutputError, PresetError, ValueError, OSError)
    module, _, name = function.partition(":")
    try:
        return "done", getattr(import_module(module), name)(*arguments, tell)
    except StoppedError:
        return ("stopped",)
    except known as error:
        return "failed", str(error)
    except ImportError as error:
        return "failed", install_keras(error) or str(error)
    except Exception as error:
        if type(error).__name__ == "TrainingError":  # its module takes seconds to import
            return "failed", str(error)
        import traceback

        traceback.print_exc()
        return "failed", f"an error of the program, which the terminal shows: {error!r}"


WORKER = Worker()
"""The process that all panels share."""

if __name__ == "__main__":
    # The classes of this module are those that the other side knows it by.
    import_module("amseg_keras.napari.worker")._serve()
