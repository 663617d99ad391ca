"""Which device the network runs on."""

from __future__ import annotations

import keras


def choose_device(name: str = "auto") -> str:
    """The device to run on, as `keras.device` takes it.

    Args:
        name: `"auto"` (the first GPU or TPU, else the CPU), `"cpu"`, `"gpu"`, or one of several,
            as `"gpu:1"`.

    Raises:
        ValueError: there is no such device; the message lists those that the backend sees.
    """
    devices = keras.distribution.list_devices()
    if name == "auto":
        return next((device for device in devices if not device.startswith("cpu")), "cpu:0")
    wanted = name if ":" in name else f"{name}:0"
    if wanted not in devices and wanted != "cpu:0":
        raise ValueError(
            f"no device {name!r}: {keras.backend.backend()} sees {', '.join(devices) or 'cpu:0'}"
        )
    return wanted
