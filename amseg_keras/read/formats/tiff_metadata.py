"""Pixel size, frame rate and axes, where ImageJ or OME metadata of a TIFF say them."""

from xml.etree import ElementTree

import tifffile

_MICROMETRES = {
    "um": 1.0,
    "µm": 1.0,  # micro sign, as OME writes it
    "μm": 1.0,  # Greek mu
    "\\u00B5m": 1.0,  # as ImageJ writes it
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "micrometre": 1.0,
    "nm": 1e-3,
    "mm": 1e3,
}
_SECONDS = {"s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "msec": 1e-3}
_SECONDS |= {"µs": 1e-6, "us": 1e-6}


def pixel_size_um(tiff: tifffile.TiffFile) -> float | None:
    """Edge of a square pixel in micrometres; None if not said, or not square.

    The resolution tag alone is no answer: written by cameras and editors it means dots per inch.
    """
    if tiff.is_imagej:
        unit = str((tiff.imagej_metadata or {}).get("unit", ""))
        tags = tiff.pages.first.tags
        if unit not in _MICROMETRES or "XResolution" not in tags or "YResolution" not in tags:
            return None
        per_unit = tiff.pages.first.resolution
        if per_unit[0] <= 0 or per_unit[1] <= 0:
            return None
        return _square(_MICROMETRES[unit] / per_unit[0], _MICROMETRES[unit] / per_unit[1])
    pixels = _ome_pixels(tiff)
    sizes = []
    for axis in "XY":
        unit = pixels.get(f"PhysicalSize{axis}Unit", "µm")
        value = _positive(pixels.get(f"PhysicalSize{axis}"))
        if value is None or unit not in _MICROMETRES:
            return None
        sizes.append(value * _MICROMETRES[unit])
    return _square(*sizes)


def frame_rate_hz(tiff: tifffile.TiffFile) -> float | None:
    """Frames per second from the frame interval; ImageJ's `fps` is playback and not used."""
    if tiff.is_imagej:
        metadata = tiff.imagej_metadata or {}
        interval = _positive(metadata.get("finterval"))
        unit = str(metadata.get("tunit", "sec"))
    else:
        pixels = _ome_pixels(tiff)
        interval = _positive(pixels.get("TimeIncrement"))
        unit = pixels.get("TimeIncrementUnit", "s")
    if interval is None or unit not in _SECONDS:
        return None
    return 1.0 / (interval * _SECONDS[unit])


def describe_axes(tiff: tifffile.TiffFile) -> str | None:
    """A note where pages run over more than one of time, depth and channel."""
    if tiff.is_imagej:
        metadata = tiff.imagej_metadata or {}
        sizes = {axis: metadata.get(axis, 1) for axis in ("channels", "slices", "frames")}
    else:
        pixels = _ome_pixels(tiff)
        names = {"SizeC": "channels", "SizeZ": "slices", "SizeT": "frames"}
        sizes = {name: int(pixels.get(key, 1)) for key, name in names.items()}
    long = [f"{size} {name}" for name, size in sizes.items() if size > 1]
    if len(long) < 2:
        return None
    if not tiff.is_imagej:
        order = str(pixels.get("DimensionOrder", ""))[:1:-1]
        return f"planes taken in the order of the OME metadata ({' x '.join(long)}, {order})"
    return f"pages taken one after the other as stored ({' x '.join(long)})"


def images_of_recording(tiff: tifffile.TiffFile) -> int:
    """Number of frames that ImageJ metadata promise; 1 without a number."""
    promised = (tiff.imagej_metadata or {}).get("images", 1)
    return int(promised) if isinstance(promised, int | float) and promised > 0 else 1


def _ome_pixels(tiff: tifffile.TiffFile) -> dict[str, str]:
    if not tiff.is_ome or not tiff.ome_metadata:
        return {}
    try:
        root = ElementTree.fromstring(tiff.ome_metadata)
    except ElementTree.ParseError:
        return {}
    pixels = root.find(".//{*}Pixels")
    return {} if pixels is None else dict(pixels.attrib)


def _square(x: float, y: float) -> float | None:
    # a TIFF stores fractions: 4.31, not 4.3100000000000005
    return round(x, 9) if abs(x - y) <= 1e-3 * x else None


def _positive(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if 0 < number < float("inf") else None
