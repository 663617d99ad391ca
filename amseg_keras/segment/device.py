"""Which device the network runs on."""

from __future__ import annotations


def choose_device(name: str = "auto") -> str:
    """The device to run on, as `keras.device` takes it.

    Args:
        name: `"auto"` (the first GPU or TPU, else the CPU), `"cpu"`, `"gpu"`, or one of several,
            as `"gpu:1"`.

    Raises:
        ValueError: there is no such device; the message lists those that the backend sees.

    Example:
        >>> choose_device("cpu")
        'cpu:0'
    """
    import keras

    devices = _visible_devices()
    if name == "auto":
        return next((device for device in devices if not device.startswith("cpu")), "cpu:0")
    wanted = name if ":" in name else f"{name}:0"
    if wanted not in devices:
        raise ValueError(f"no device {name!r}: {keras.backend.backend()} sees {', '.join(devices)}")
    return wanted


def _visible_devices() -> list[str]:
    """Names as `keras.device` takes them, the CPU always among them."""
    import keras

    if keras.backend.backend() == "torch":
        # Keras lists no devices of PyTorch
        import torch

        return ["cpu:0", *(f"gpu:{index}" for index in range(torch.cuda.device_count()))]
    listed: list[str] = keras.distribution.list_devices()
    return listed if "cpu:0" in listed else ["cpu:0", *listed]
