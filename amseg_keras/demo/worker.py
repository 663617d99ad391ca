"""A worker: the process that opens foreign files and runs networks, apart from the server.

The server starts it with `python -m amseg_keras.demo.worker`, sends it jobs as lines of JSON, and
may end it at any time. Answers are lines of JSON too: nothing that a worker says is run.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, TextIO

MEMORY_GB = 8
"""Address space of a worker that opens foreign files."""


class Stopped(Exception):  # noqa: N818 - it is no error
    """The visitor wants the job no more."""


Tell = Callable[[str, float], None]
"""Called with what is being done and the part that is done, 0 to 1; raises `Stopped`."""


def main() -> None:
    """Do the jobs that standard input names, until it ends."""
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
    except MemoryError:
        return {"failed": "it takes more memory than this page has"}
    except Exception:
        traceback.print_exc()
        return {"failed": None}


def without_folders(text: str, arguments: Any) -> str:
    """Take the folders that a job was given out of a text.

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


if __name__ == "__main__":
    main()
