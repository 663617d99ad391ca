"""Limit what visitors may upload, and check files from elsewhere before they are decoded."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
from PIL import Image

from amseg_keras.read import FrameStack, ReadError, ReadOptions, StackSource, find_stacks
from amseg_keras.read.errors import quiet
from amseg_keras.read.formats import SUPPORTED, file_type, is_supported
from amseg_keras.read.names import safe_name

LARGEST_CHUNK = 1 << 28
"""Largest chunk in bytes, because HDF5 always decompresses a whole chunk."""

_ELSEWHERE = "or run amseg segment on your own computer"


@dataclass(frozen=True)
class Limits:
    """Limits on the files of a visitor.

    Attributes:
        upload_mb: Size of a file.
        frames: Frames of a recording.
        frame_pixels: Pixels of a frame.
        decoded_mb: Size of all frames of a recording in memory.
        recordings: Recordings of a visitor at a time.
        visitor_mb: Size of all files of a visitor.
        read_s: Seconds that reading the files of an upload may take.
        job_s: Seconds that segmenting, measuring or packing a recording may take.
        teach_s: Seconds that teaching may take.
    """

    upload_mb: int = 200
    frames: int = 500
    frame_pixels: int = 1 << 22
    decoded_mb: int = 2000
    recordings: int = 32
    visitor_mb: int = 8000
    read_s: int = 60
    job_s: int = 1800
    teach_s: int = 1800


def check_file(path: Path, limits: Limits) -> None:
    """Look at the headers of a file; what they do not tell, or tell wrong, is left to its reader.

    Raises:
        ReadError: A frame of it is larger than the page takes, it holds too many frames, or it
            points to other files of this computer.
    """
    _CHECKS.get(file_type(path), _nothing)(path, limits)


def check_stack(stack: FrameStack, limits: Limits) -> None:
    """Refuse a recording that is longer or larger than the page takes.

    Raises:
        ReadError: It is.
    """
    frames, height, width = stack.shape
    _check_count(stack.name, frames, limits)
    _check_size(stack.name, (height, width), limits)
    size = math.prod(stack.shape) * stack.dtype.itemsize
    if size > limits.decoded_mb * 1_000_000:
        raise ReadError(
            f"{stack.name}: takes {size // 1_000_000:,} MB once it is read, and this page has "
            f"{limits.decoded_mb:,} MB for a recording; give a part of it, {_ELSEWHERE}"
        )


def _check_count(name: str, frames: int, limits: Limits) -> None:
    if frames > limits.frames:
        raise ReadError(
            f"{name}: holds {frames:,} frames and this page takes {limits.frames:,}; give a part "
            f"of it, {_ELSEWHERE}"
        )


def _check_size(name: str, shape: tuple[int, ...], limits: Limits, channels: int = 1) -> None:
    if math.prod(shape) > limits.frame_pixels * channels:
        size = " x ".join(map(str, shape))
        raise ReadError(
            f"{name}: has frames of {size} pixels and this page takes {limits.frame_pixels:,} "
            f"pixels a frame; crop them, {_ELSEWHERE}"
        )


def _nothing(path: Path, limits: Limits) -> None:
    """Check nothing, because the pixels of a `.npy` file are as large as the file."""


def _check_picture(path: Path, limits: Limits) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=("PNG", "JPEG", "BMP")) as image:
                width, height = image.size
    except Image.DecompressionBombError as error:
        raise ReadError(
            f"{path.name}: its picture is too large for this page, {limits.frame_pixels:,} pixels "
            f"at most; crop it, {_ELSEWHERE}"
        ) from error
    except (OSError, ValueError, SyntaxError):
        return
    _check_size(path.name, (height, width), limits)


def _check_tiff(path: Path, limits: Limits) -> None:
    import tifffile

    try:
        with quiet("tifffile"), tifffile.TiffFile(path) as tiff:
            # Of four channels at most, as the reader takes them.
            shapes = [(page.shape, page.chunks) for page in tiff.pages[: limits.frames + 1]]
            count = len(tiff.pages)
    except Exception:  # tifffile raises many kinds; the reader says which
        return
    _check_count(path.name, count, limits)
    for shape, chunks in shapes:
        for one in (shape, chunks):
            _check_size(path.name, one, limits, channels=4)


def _check_edf(path: Path, limits: Limits) -> None:
    from amseg_keras.read.formats.edf import check_headers, open_image

    try:
        with quiet("fabio.edfimage", "fabio.fabioimage"):
            check_headers(path)
            image = open_image(path)
            frames = [image.get_frame(index) for index in range(image.nframes)]
            shapes = [tuple(frame.shape) for frame in frames]
            said = [
                str(value).strip().lower()
                for frame in frames
                for key, value in frame.header.items()
                if key.lower() == "compression"
            ]
            image.close()
    except Exception:  # as above
        return
    _check_count(path.name, len(shapes), limits)
    for shape in shapes:
        _check_size(path.name, shape, limits)
    if any(value not in ("", "none", "nocompression") for value in said):
        raise ReadError(f"{path.name}: is compressed, which this page does not take; save it plain")


def _check_video(path: Path, limits: Limits) -> None:
    import av

    if not _is_video(path):
        raise ReadError(
            f"{path.name}: is no MP4, MOV, AVI or Matroska video, though its name says so; give "
            "the video itself"
        )
    try:
        with av.open(str(path)) as container:
            sizes = [(one.height, one.width) for one in container.streams.video]
    except (av.FFmpegError, OSError, ValueError):
        return
    for size in sizes:
        _check_size(path.name, size, limits)


def _is_video(path: Path) -> bool:
    """Tell by the first bytes, because FFmpeg would also follow a playlist of other files."""
    with path.open("rb") as file:
        head = file.read(12)
    return (
        head[4:8] in (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip")
        or head.startswith(b"\x1a\x45\xdf\xa3")
        or (head.startswith(b"RIFF") and head[8:] == b"AVI ")
    )


def _check_hdf5(path: Path, limits: Limits) -> None:
    try:
        file = h5py.File(path, "r", locking="best-effort")
    except OSError:
        return
    with file:
        seen = {h5py.h5o.get_info(file.id).addr}
        pending = [file["/"]]
        while pending:
            group = pending.pop()
            for key in group:
                if _leads_outside(group, key):
                    raise ReadError(
                        f"{path.name}: takes {_below(group, key)} from another file, which this "
                        f"page does not follow; copy the frames into one file, {_ELSEWHERE}"
                    )
                if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                    continue
                item = group[key]
                address = h5py.h5o.get_info(item.id).addr
                if isinstance(item, h5py.Group) and address not in seen:
                    seen.add(address)
                    pending.append(item)


def _leads_outside(group: h5py.Group, key: str) -> bool:
    link = group.get(key, getlink=True)
    if not isinstance(link, h5py.HardLink):
        return isinstance(link, h5py.ExternalLink)
    item = group[key]
    if not isinstance(item, h5py.Dataset):
        return False
    if item.chunks and math.prod(item.chunks) * item.dtype.itemsize > LARGEST_CHUNK:
        raise ReadError(
            f"{Path(group.file.filename).name}: {_below(group, key)} is compressed in pieces of "
            f"more than {LARGEST_CHUNK >> 20} MB; save it in chunks of a frame"
        )
    if item.external:
        return True
    return item.is_virtual and any(one.file_name != "." for one in item.virtual_sources())


def _below(group: h5py.Group, key: str) -> str:
    return f"{str(group.name).rstrip('/')}/{key}"


_CHECKS: dict[str, Callable[[Path, Limits], None]] = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".bmp"), _check_picture),
    **dict.fromkeys((".tif", ".tiff"), _check_tiff),
    **dict.fromkeys((".h5", ".hdf5", ".nxs", ".hdf"), _check_hdf5),
    **dict.fromkeys((".mp4", ".avi", ".mov", ".mkv"), _check_video),
    **dict.fromkeys((".edf", ".edf.gz", ".edf.bz2"), _check_edf),
}


MOST_RECORDINGS = 32
"""Recordings that may be sent at once."""


def harmless_name(name: str) -> str:
    """Name the file of an upload: letters, digits, `_`, `-` and `.` of its own name are kept.

    Raises:
        ReadError: A file of this name is of no type that is read.

    Example:
        >>> harmless_name("..%2f.. -$(x)'.png")
        '2f.._-_x.png'
    """
    path = Path(name.replace("\\", "/").rpartition("/")[2])
    if not is_supported(path):
        raise ReadError(
            f"{safe_name(path.name)}: is of no type that is read here; give one of "
            f"{', '.join(SUPPORTED)}, or a sample"
        )
    return f"{safe_name(path.stem)}{path.suffix.lower()}"


def place_for(folder: Path, name: str, limits: Limits) -> Path:
    """Give the path of a further file of an upload.

    Raises:
        ReadError: The file is of no type that is read, there is one of this name already, or there
            are too many.
    """
    path = folder / harmless_name(name)
    if path.exists():
        raise ReadError(f"{path.name}: there are two files of this name; rename one")
    if len(list(folder.iterdir())) >= limits.frames:
        raise ReadError(f"these are more files than the {limits.frames:,} of this page")
    return path


def recordings_in(folder: Path, limits: Limits) -> list[StackSource]:
    """Check the files in a folder, and find the recordings that they are.

    Raises:
        ReadError: A file breaks a limit or cannot be read, or there are too many recordings.
    """
    files = sorted(folder.iterdir())
    if not files:
        raise ReadError("choose a file first, or one of the samples")
    for path in files:
        check_file(path, limits)
    stacks, errors = find_stacks(files, ReadOptions(join=True))
    if errors:
        raise errors[0]
    if len(stacks) > MOST_RECORDINGS:
        raise ReadError(
            f"these files are {len(stacks)} recordings, and this page takes {MOST_RECORDINGS} at "
            "once; give frames of one recording names that differ only in the number that counts"
        )
    return stacks
