"""Run jobs in separate processes, and end jobs that hang."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import amseg_keras

MEMORY_GB = 8
"""Address space of a worker that opens foreign files."""


class Stopped(Exception):  # noqa: N818 - it is no error
    """The visitor stopped the job."""


Tell = Callable[[str, float], None]
"""Function of the name of the step and the fraction that is done; raises `Stopped`."""


def main() -> None:
    """Do the jobs from standard input, until it ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # What libraries print must not be taken for an answer.
    os.dup2(2, 1)
    if "--limited" in sys.argv:
        _limit_memory()
    from amseg_keras.demo.jobs import JOBS

    stopped: set[int] = set()
    pending: list[dict[str, Any]] = []
    there = threading.Condition()

    def listen() -> None:
        for line in sys.stdin:
            message = json.loads(line)
            with there:
                if "stop" in message:
                    stopped.add(message["stop"])
                else:
                    pending.append(message)
                there.notify()
        os._exit(0)  # the server is gone

    threading.Thread(target=listen, daemon=True).start()
    _say(answers, {"ready": True})
    while True:
        with there:
            while not pending:
                there.wait()
            message = pending.pop(0)
        number = message["number"]

        def tell(stage: str, share: float, number: int = number) -> None:
            if number in stopped:
                raise Stopped
            _say(answers, {"number": number, "stage": stage, "share": share})

        _say(answers, {"number": number, **_outcome(JOBS[message["job"]], message, tell)})


def _outcome(job: Callable[..., Any], message: dict[str, Any], tell: Tell) -> dict[str, Any]:
    from amseg_keras._on_demand import MissingPackageError, install_keras
    from amseg_keras.outputs import OutputError
    from amseg_keras.pretrained import PresetError
    from amseg_keras.read import ReadError

    known: list[type[Exception]] = [ReadError, PresetError, OutputError]
    if "keras" in sys.modules:
        from amseg_keras.training import TrainingError

        known.append(TrainingError)
    try:
        return {"done": job(tell=tell, **message["arguments"])}
    except Stopped:
        return {"stopped": True}
    except tuple(known) as error:
        return {"failed": without_folders(str(error), message["arguments"])}
    except MissingPackageError as error:
        return {"failed": str(error)}
    except ImportError as error:
        sentence = install_keras(error)
        if sentence is None:
            traceback.print_exc()
        return {"failed": sentence}
    except MemoryError:
        return {"failed": "it takes more memory than this page has"}
    except Exception:
        traceback.print_exc()
        return {"failed": None}


def without_folders(text: str, arguments: Any) -> str:
    """Remove the folders in the arguments of a job from a text.

    Args:
        text: Text that may name files by their whole path.
        arguments: Arguments of the job, in which every absolute path is a folder.

    Example:
        >>> without_folders("/srv/x7/melt.tif: is empty", {"uploads": "/srv/x7"})
        'melt.tif: is empty'
    """
    for folder in sorted(_folders(arguments), key=len, reverse=True):
        name = os.path.basename(folder)
        text = text.replace(f"{folder}{os.sep}", "").replace(folder, name)
    return text


def _folders(value: Any) -> list[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [folder for one in value for folder in _folders(one)]
    return [value] if isinstance(value, str) and os.path.isabs(value) else []


def _say(answers: TextIO, message: dict[str, Any]) -> None:
    try:
        answers.write(json.dumps(message) + "\n")
        answers.flush()
    except (BrokenPipeError, ValueError):
        os._exit(0)


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    most = MEMORY_GB << 30
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


START_S = 300.0
"""Longest start of a worker in s, which imports a backend first."""

GRACE_S = 3.0
"""Time in s that a stopped job has to end."""

UNKNOWN = "that did not work because of an error on the server, which its log tells of"

_LOGGER = logging.getLogger(__name__)


class JobError(Exception):
    """A job failed; the message is one sentence for the visitor."""


class JobStopped(Exception):  # noqa: N818 - it is no error
    """A job was stopped by its visitor."""


class Worker:
    """One process that does one job at a time.

    Args:
        limited: Whether it opens foreign files, and so may take only some memory.
    """

    def __init__(self, limited: bool) -> None:
        self._limited = limited
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._numbers = itertools.count()
        atexit.register(self.end)

    def do(
        self,
        job: str,
        arguments: dict[str, Any],
        seconds: float,
        stop: threading.Event,
        told: Callable[[str, float], None],
    ) -> Any:
        """Do a job, and wait for it.

        Args:
            job: Name in `jobs.JOBS`.
            told: Function of the name of the step, and the fraction that is done.

        Returns:
            Result of the job.

        Raises:
            JobError: The job failed, took too long, or ended its process.
            JobStopped: The job was stopped.
        """
        process = self._started()
        number = next(self._numbers)
        ends = time.monotonic() + seconds
        asked_to_stop = None
        try:
            self._send(process, {"number": number, "job": job, "arguments": arguments})
            while True:
                try:
                    answer = self._answers.get(timeout=0.05)
                except queue.Empty:
                    answer = {}
                if answer is None:
                    raise JobError("it ends the program that reads it, so it is damaged")
                if answer.get("number") == number:
                    if "stage" in answer:
                        told(answer["stage"], float(answer["share"]))
                    elif "done" in answer:
                        return answer["done"]
                    elif "stopped" in answer:
                        raise JobStopped
                    elif "failed" in answer:
                        raise JobError(answer["failed"] or UNKNOWN)
                now = time.monotonic()
                if stop.is_set() and asked_to_stop is None:
                    asked_to_stop = now
                    self._send(process, {"stop": number})
                if asked_to_stop is not None and now > asked_to_stop + GRACE_S:
                    self.end()
                    raise JobStopped
                if now > ends:
                    self.end()
                    raise JobError(f"it takes longer than {seconds:g} s, and was given up")
        except BrokenPipeError as error:
            self.end()
            raise JobError(UNKNOWN) from error

    def end(self) -> None:
        """End the process and its child processes."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        process.wait()

    def start(self) -> None:
        """Start the process now, so that the first job does not wait for it."""
        self._started()

    def _started(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.end()
        command = [sys.executable, "-m", "amseg_keras.demo.workers"]
        command += ["--limited"] if self._limited else []
        root = str(Path(amseg_keras.__file__).parents[1])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "MPLBACKEND": "agg"},
            start_new_session=True,
        )
        self._answers = queue.Queue()
        threading.Thread(target=_listen, args=(self._process, self._answers), daemon=True).start()
        try:
            if self._answers.get(timeout=START_S) is not None:
                return self._process
        except queue.Empty:
            pass
        self.end()
        raise JobError("a program of the server does not start; try again")

    def _send(self, process: subprocess.Popen[str], message: dict[str, Any]) -> None:
        assert process.stdin is not None
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()


def _listen(process: subprocess.Popen[str], answers: queue.Queue[dict[str, Any] | None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        try:
            answers.put(json.loads(line))
        except ValueError:
            _LOGGER.warning("a worker said what is no answer")
    answers.put(None)


class Pool:
    """Workers of one kind, which take jobs in the order in which they come.

    Args:
        limited: As in `Worker`.
    """

    def __init__(self, count: int, limited: bool) -> None:
        self._workers: queue.Queue[Worker] = queue.Queue()
        self._all = [Worker(limited) for _ in range(count)]
        for worker in self._all:
            self._workers.put(worker)
        self._turn = threading.Condition()
        self._line: list[object] = []

    def start(self) -> None:
        """Start the workers, each in a thread, and do not wait."""
        for worker in self._all:
            threading.Thread(target=self._start, args=(worker,), daemon=True).start()

    def _start(self, worker: Worker) -> None:
        # Taken out of the line while it starts, so that no job starts it too.
        mine = object()
        self._wait(mine, threading.Event(), lambda before: None)
        taken = self._workers.get()
        try:
            with contextlib.suppress(JobError):
                taken.start()
        finally:
            self._workers.put(taken)
            self._leave(mine)

    def do(
        self,
        job: str,
        arguments: dict[str, Any],
        seconds: float,
        stop: threading.Event | None = None,
        told: Callable[[str, float], None] = lambda stage, share: None,
    ) -> Any:
        """Do a job in its turn, as `Worker.do`."""
        stop = stop or threading.Event()
        mine = object()
        self._wait(
            mine,
            stop,
            lambda before: told(f"waiting, {before} before it" if before else "waiting", 0.0),
        )
        try:
            worker = self._workers.get()
            try:
                return worker.do(job, arguments, seconds, stop, told)
            finally:
                self._workers.put(worker)
        finally:
            self._leave(mine)

    def close(self) -> None:
        """End all workers."""
        for worker in self._all:
            worker.end()

    def _wait(self, mine: object, stop: threading.Event, told: Callable[[int], None]) -> None:
        with self._turn:
            self._line.append(mine)
            shown = None
            while (place := self._line.index(mine)) >= len(self._all):
                if place != shown:
                    shown = place
                    told(place - len(self._all) + 1)
                self._turn.wait(0.2)
                if stop.is_set():
                    self._line.remove(mine)
                    self._turn.notify_all()
                    raise JobStopped

    def _leave(self, mine: object) -> None:
        with self._turn:
            self._line.remove(mine)
            self._turn.notify_all()


@dataclass
class Pools:
    """The workers of a server."""

    files: Pool = field(default_factory=lambda: Pool(2, limited=True))
    network: Pool = field(default_factory=lambda: Pool(1, limited=False))
    teaching: Pool = field(default_factory=lambda: Pool(1, limited=False))

    def close(self) -> None:
        """End all workers."""
        for pool in (self.files, self.network, self.teaching):
            pool.close()


if __name__ == "__main__":
    main()
