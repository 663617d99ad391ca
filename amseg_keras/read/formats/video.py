"""MP4, AVI, MOV and MKV, decoded by PyAV."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np

from amseg_keras.read.errors import ReadError, reading
from amseg_keras.read.formats.base import FrameReader, StackInfo
from amseg_keras.read.pixels import COLOUR_NOTE, is_colour, plain_dtype, to_grey


class VideoReader(FrameReader):
    """A video; reading on is fast, going back starts from the keyframe before."""

    kind = "a video"

    def __init__(self, path: Path) -> None:
        self.label = str(path)
        self._path = path
        self._decoder: Iterator[av.VideoFrame] | None = None
        self._next = 0
        with reading(self.label, self.kind):
            self._index: VideoIndex = index_video(path)
            self._container = av.open(str(path))
            try:
                self.info = self._inspect()
            except BaseException:
                self._container.close()
                raise

    def read(self, index: int) -> np.ndarray:
        return self._grey(self._frame(index))

    def close(self) -> None:
        self._decoder = None
        self._container.close()

    def _inspect(self) -> StackInfo:
        self._grey_format: str | None = None
        first = self._frame(0)
        notes = []
        if first.format.name.startswith("gray"):
            self._grey_format = first.format.name
        else:
            if first.format.components[0].bits > 8:
                notes.append(f"video of {first.format.components[0].bits} bits read as 8 bit")
            if is_colour(first.to_ndarray(format="rgb24")):
                notes.append(COLOUR_NOTE)
            else:
                self._grey_format = "gray"
        frame = self._grey(first)
        return StackInfo(
            frames=self._index.frames,
            height=frame.shape[0],
            width=frame.shape[1],
            dtype=plain_dtype(frame.dtype, self.label),
            notes=tuple(notes),
        )

    def _grey(self, frame: av.VideoFrame) -> np.ndarray:
        return to_grey(frame.to_ndarray(format=self._grey_format or "rgb24"))

    def _frame(self, index: int) -> av.VideoFrame:
        """Decode frame `index`, reading on from the last one where that is the shorter way."""
        keyframe = self._index.keyframe_before(index)
        try:
            if self._decoder is None or index < self._next or keyframe > self._next:
                self._seek(keyframe)
            frame = self._advance_to(index)
            if frame is None:
                # Some containers seek past the requested keyframe, and some streams call
                # a frame a keyframe from which not everything can be decoded.
                self._rewind()
                frame = self._advance_to(index)
        except BaseException:
            self._decoder = None  # a decoder that raised is not to be read on from
            raise
        if frame is None:
            raise ReadError(
                f"{self.where(index)} cannot be decoded; the file may be damaged or cut short: "
                "copy or export it again"
            )
        return frame

    def _advance_to(self, index: int) -> av.VideoFrame | None:
        """Decode up to frame `index`; None if the decoder does not give it whole."""
        assert self._decoder is not None
        for frame in self._decoder:
            number = self._index.number(frame.pts, self._next)
            if number is None:
                continue
            self._next = number + 1
            if number >= index:
                return frame if number == index and not frame.is_corrupt else None
        return None

    def _seek(self, keyframe: int) -> None:
        times = self._index.times
        if times is None or keyframe == 0 or self._decoder is None:
            self._rewind()
        if times is not None and keyframe > 0:
            stream = self._container.streams.video[0]
            self._container.seek(times[keyframe], stream=stream)
            self._decoder = self._container.decode(stream)
        self._next = keyframe

    def _rewind(self) -> None:
        # A fresh container: after its end, a decoder does not always start again by a seek.
        self._container.close()
        self._container = av.open(str(self._path))
        stream = self._container.streams.video[0]
        stream.thread_type = "AUTO"
        self._decoder = self._container.decode(stream)
        self._next = 0


def open_file(path: Path) -> VideoReader:
    """Open a video file."""
    return VideoReader(path)


# Codecs that put exactly one shown frame into each packet. Others (VP8 hides frames, MPEG-4 in AVI
# packs two into one) are counted by decoding the file once.
_ONE_FRAME_A_PACKET = frozenset(
    {"h264", "hevc", "av1", "vp9", "mjpeg", "png", "rawvideo", "ffv1", "huffyuv", "ffvhuff"}
    | {"prores", "dnxhd", "jpeg2000", "utvideo"}
)
# H.264 and HEVC reorder at most this many frames.
_REORDERED = 16


@dataclass(frozen=True)
class VideoIndex:
    """Places of the frames of a video.

    Attributes:
        frames: Exact number of frames.
        times: Presentation time of each frame in the time base of the stream, ascending; None
            where the container has no times and frames can only be counted from the start.
        keyframes: Frames at which decoding can start, ascending; the first is 0.
    """

    frames: int
    times: tuple[int, ...] | None
    keyframes: tuple[int, ...]

    def keyframe_before(self, index: int) -> int:
        """Return the last keyframe that is not after frame `index`."""
        return self.keyframes[bisect_right(self.keyframes, index) - 1]

    def number(self, time: int | None, counted: int) -> int | None:
        """Return the number of a decoded frame, from its time, or from a count without times.

        None for a frame that is not in the index.
        """
        if self.times is None:
            return counted
        if time is None:
            return None
        number = bisect_left(self.times, time)
        return number if number < self.frames and self.times[number] == time else None


def index_video(path: Path) -> VideoIndex:
    """Read the packets of a video, without decoding them where that is enough.

    Raises:
        ReadError: There is no video in the file, or it was cut short.
    """
    with av.open(str(path)) as container:
        if not container.streams.video:
            raise ReadError(f"{path}: holds no video; give a file with a video track")
        stream = container.streams.video[0]
        # The demuxer ends with an empty packet that only flushes the decoder.
        packets = [packet for packet in container.demux(stream) if packet.size]
        _check_whole(path, container, stream, packets)
        by_packets = stream.codec_context.name in _ONE_FRAME_A_PACKET
        shown = [packet for packet in packets if not packet.is_discard]
        times = [packet.pts for packet in shown]
        key_times = {packet.pts for packet in shown if packet.is_keyframe}
    if not by_packets or None in times:
        with av.open(str(path)) as container:
            times = [frame.pts for frame in container.decode(video=0)]
    if not times:
        raise ReadError(f"{path}: holds no frames; copy or export it again")
    if None in times or len(set(times)) < len(times):
        return VideoIndex(frames=len(times), times=None, keyframes=(0,))
    ordered = sorted(time for time in times if time is not None)
    keyframes = [index for index, time in enumerate(ordered) if time in key_times]
    if not keyframes or keyframes[0] != 0:
        keyframes.insert(0, 0)
    return VideoIndex(frames=len(ordered), times=tuple(ordered), keyframes=tuple(keyframes))


def _check_whole(
    path: Path,
    container: av.container.InputContainer,
    stream: av.VideoStream,
    packets: "list[av.Packet[Any]]",
) -> None:
    """Raise if the file is shorter than its own header says.

    FFmpeg plays what is there: of a cut Matroska file fewer frames without a word, of a cut AVI a
    last frame with a grey bottom.
    """
    damaged = sum(packet.is_corrupt for packet in packets)
    if damaged or len(packets) < stream.frames:
        raise ReadError(
            f"{path}: is cut short or damaged, {len(packets) - damaged} whole frames of "
            f"{max(stream.frames, len(packets))} are there; copy or export it again"
        )
    promised = None if stream.frames else _promised_seconds(container, stream)
    if promised is None or not packets or not stream.average_rate:
        return
    interval = float(1 / stream.average_rate)
    base = float(stream.time_base or 0)
    shown = sorted((p.pts * base, (p.duration or 0) * base) for p in packets if p.pts is not None)
    end = max((start + duration for start, duration in shown), default=promised)
    # Half a frame: less is rounding of the times, and a missing frame is a whole one.
    if promised - end > 0.5 * interval or _has_hole_at_end([at for at, _ in shown], interval):
        raise ReadError(
            f"{path}: is cut short, frames of its {promised:.3f} s are missing at the end; "
            "copy or export it again"
        )


def _has_hole_at_end(times: list[float], interval: float) -> bool:
    """Tell whether frames are missing at the end of a video that has no other holes.

    Frames are stored in the order of decoding: of those shown last, a cut can take one between.
    """
    holes = [later - earlier > 1.5 * interval for earlier, later in pairwise(times)]
    return any(holes[-_REORDERED:]) and not any(holes[:-_REORDERED])


def _promised_seconds(
    container: av.container.InputContainer, stream: av.VideoStream
) -> float | None:
    tag = stream.metadata.get("DURATION")  # Matroska, "00:00:01.200000000"
    if tag is not None:
        hours, minutes, seconds = tag.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    if container.duration is not None and len(container.streams) == 1:
        return container.duration / av.time_base
    return None
