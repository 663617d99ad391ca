"""MP4, AVI, MOV and MKV, decoded by PyAV."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from amseg_keras.read.errors import ReadError, reading
from amseg_keras.read.formats.base import FrameReader, StackInfo
from amseg_keras.read.formats.video_index import VideoIndex, index_video
from amseg_keras.read.grey import COLOUR_NOTE, is_colour, plain_dtype, to_grey


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
                # Some containers seek past the keyframe that was asked for, and some streams call
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
