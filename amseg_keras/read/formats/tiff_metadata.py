"""Pixel size, frame rate and axes, where ImageJ or OME metadata of a TIFF say them."""

from xml.etree import ElementTree

import tifffile

from amseg_keras.read.formats.units import in_micrometres, in_seconds


def pixel_size_um(tiff: tifffile.TiffFile) -> float | None:
    """Edge of a square pixel in micrometres; None if not said, or not square.

    The resolution tag alone is no answer: written by cameras and editors it means dots per inch.
    """
    if tiff.is_imagej:
        unit_um = in_micrometres(str((tiff.imagej_metadata or {}).get("unit", "")))
        tags = tiff.pages.first.tags
        if unit_um is None or "XResolution" not in tags or "YResolution" not in tags:
            return None
        per_unit = tiff.pages.first.resolution
        if per_unit[0] <= 0 or per_unit[1] <= 0:
            return None
        return square(unit_um / per_unit[0], unit_um / per_unit[1])
    pixels = _ome_pixels(tiff)
    sizes = []
    for axis in "XY":
        unit_um = in_micrometres(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        value = _positive(pixels.get(f"PhysicalSize{axis}"))
        if value is None or unit_um is None:
            return None
        sizes.append(value * unit_um)
    return square(*sizes)


def frame_rate_hz(tiff: tifffile.TiffFile) -> float | None:
    """Frames per second from the frame interval; ImageJ's `fps` is playback and not used.

    There is none where channels or slices stand between the points of time, as all of them are
    counted as frames.
    """
    return None if _counts_more_than_time(tiff) else _stated_rate_hz(tiff)


def rate_note(tiff: tifffile.TiffFile) -> str | None:
    """Say that the frame interval of the file was not taken; None where it was or is not there."""
    if not _counts_more_than_time(tiff) or _stated_rate_hz(tiff) is None:
        return None
    return (
        "the frame interval in the file was not taken, as channels and slices count as frames too; "
        "save one channel as a file of its own, or give the frame rate"
    )


def _counts_more_than_time(tiff: tifffile.TiffFile) -> bool:
    sizes = _sizes(tiff)
    return sizes["channels"] > 1 or (sizes["slices"] > 1 and sizes["frames"] > 1)


def _stated_rate_hz(tiff: tifffile.TiffFile) -> float | None:
    if tiff.is_imagej:
        metadata = tiff.imagej_metadata or {}
        interval = _positive(metadata.get("finterval"))
        unit = str(metadata.get("tunit", "sec"))
    else:
        pixels = _ome_pixels(tiff)
        interval = _positive(pixels.get("TimeIncrement"))
        unit = pixels.get("TimeIncrementUnit", "s")
    unit_s = in_seconds(unit)
    return None if interval is None or unit_s is None else 1.0 / (interval * unit_s)


def describe_axes(tiff: tifffile.TiffFile) -> str | None:
    """A note where pages run over more than one of time, depth and channel."""
    sizes = _sizes(tiff)
    long = [f"{size} {name}" for name, size in sizes.items() if size > 1]
    if len(long) < 2:
        return None
    if not tiff.is_imagej:
        order = str(_ome_pixels(tiff).get("DimensionOrder", ""))[:1:-1]
        return f"planes taken in the order of the OME metadata ({' x '.join(long)}, {order})"
    return f"pages taken one after the other as stored ({' x '.join(long)})"


def _sizes(tiff: tifffile.TiffFile) -> dict[str, int]:
    """Number of channels, slices and frames; the colours of a pixel are no channels."""
    if tiff.is_imagej:
        metadata = tiff.imagej_metadata or {}
        return {axis: _count(metadata.get(axis)) for axis in ("channels", "slices", "frames")}
    pixels = _ome_pixels(tiff)
    samples = int(tiff.pages.first.samplesperpixel)
    return {
        "channels": max(_count(pixels.get("SizeC")) // samples, 1),
        "slices": _count(pixels.get("SizeZ")),
        "frames": _count(pixels.get("SizeT")),
    }


def _count(value: object) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 12 else 1


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


def square(x: float, y: float) -> float | None:
    """Give the edge of a pixel from its two edges; None if they differ.

    Example:
        >>> square(4.31, 4.3100000000000005), square(1.0, 2.0)
        (4.31, None)
    """
    # a TIFF stores fractions: 4.31, not 4.3100000000000005
    return round(x, 9) if abs(x - y) <= 1e-3 * x else None


def _positive(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if 0 < number < float("inf") else None
