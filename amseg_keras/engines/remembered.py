"""Choices of the fastest engine, remembered from one run to the next."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import platform
from pathlib import Path

from amseg_keras.atomic import complete_or_absent
from amseg_keras.backend import hardware
from amseg_keras.cache import cache_folder
from amseg_keras.versions import versions

_PACKAGES = ("openvino", "onnx", "onnxruntime", "onnxruntime-gpu", "ncnn")


def choice_key(fingerprint: str, size: tuple[int, int], candidates: list[str]) -> str:
    """What a choice is valid for: the network, the frames, the software and the machine.

    Args:
        fingerprint: of the network.
        size: height and width of the frames.
        candidates: engines to choose from.
    """
    packages = {}
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            packages[name] = importlib.metadata.version(name)
    valid_for = [fingerprint, size, candidates, versions(), packages, hardware(), _processor()]
    return hashlib.sha256(json.dumps(valid_for).encode()).hexdigest()


def remembered(key: str) -> dict[str, float] | None:
    """Milliseconds a frame of each engine, if they were measured before."""
    try:
        times = json.loads(_file().read_text("utf-8"))[key]
        return {str(name): float(time) for name, time in times.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def remember(key: str, times: dict[str, float]) -> None:
    """Write what was measured; where the cache cannot be written, it is measured again."""
    file = _file()
    try:
        known = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        known = {}
    known = known if isinstance(known, dict) else {}
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with complete_or_absent(file) as temporary:
            temporary.write_text(json.dumps({**known, key: times}, indent=1) + "\n", "utf-8")


def _file() -> Path:
    return cache_folder() / "engines.json"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line
    return platform.processor()
