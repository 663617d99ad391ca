"""A shot as it is recorded: any of its frames, whenever it is asked for."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from amseg_keras.classes import CLASS_NAMES, IGNORE
from amseg_keras.simulate.casting.shot import draw_casting
from amseg_keras.simulate.deposit.shot import draw_deposit
from amseg_keras.simulate.detector import Unrest, collect, shifted, shifted_labels, stretch_limits
from amseg_keras.simulate.facilities import FACILITIES, Facility
from amseg_keras.simulate.melt.shot import draw_melt_shot
from amseg_keras.simulate.presentation import (
    Presentation,
    draw_presentation,
    named_presentation,
    present,
    present_labels,
    ratio,
)
from amseg_keras.simulate.ranges import MovieRanges, draw, draw_log
from amseg_keras.simulate.ranges.casting import CastingRanges
from amseg_keras.simulate.ranges.deposit import DepositRanges
from amseg_keras.simulate.ranges.melt import MeltRanges
from amseg_keras.simulate.shot import Picture, Shot, View

_BACKGROUND_FRAMES = 7
_NEAR = 4
"""Frames about a frame that its background does without."""
_PREVIOUS, _SKIPPED = 5, 5
_EARLIEST = 1 << 20

_OFF_PX = 1.0
"""Pixels by which a background lies off, from which on none of the texture is divided out."""

_VOIDS = tuple(map(CLASS_NAMES.index, ("keyhole", "pore")))


@dataclass(frozen=True)
class Recording:
    """A shot as it is recorded: frames are rendered when they are asked for.

    Attributes:
        facility: Facility of the recording.
        shot: What was drawn.
        first: Frame of the shot with which the recording begins; negative where it begins before
            the laser comes.
        frames: Its length.
        seed: Seed of all random draws.
        unrest: Beam flicker, drift and shake; None for slices.
        presentation: Form in which the frames are stored.
        motion: True for the labels of a network that sees what moves: they hold voids that
            only motion shows.

    Example:
        >>> recording = record("dls", 500, seed=3, shape=(96, 160))
        >>> len(recording), recording.facility.frame_rate_hz, recording.parameters["process"]
        (500, 1000.0, 'ded')
        >>> frame, labels = recording[250]
        >>> bool(np.array_equal(recording.grey(250), frame))  # the same whenever it is asked for
        True
    """

    facility: Facility
    shot: Shot
    first: int
    frames: int
    seed: int
    unrest: Unrest | None
    presentation: Presentation
    motion: bool = False

    @property
    def lit(self) -> range:
        """Indices of the frames with the laser on and in view; empty for castings."""
        if self.unrest is None:
            return range(0)
        begin, end = max(-self.first, 0), min(self.shot.frames - self.first, self.frames)
        return range(min(begin, end), max(end, 0))

    @property
    def parameters(self) -> dict[str, Any]:
        """Facility, process, material, laser power (W), speed (mm/s), seed, what was drawn."""
        head = {
            "facility": self.facility.name,
            "seed": self.seed,
            "first_frame": self.first,
            "pixel_size_um": self.facility.pixel_size_um,
            "presentation": self.presentation.name,
            "divided_by": self.presentation.background or "",
            "flat_field": self.presentation.corrected,
        }
        if self.unrest is not None:
            head |= {
                "flicker": self.unrest.flicker,
                "drift_px_per_frame": float(np.hypot(*self.unrest.drift_px)),
                "shake_px": self.unrest.shake_px,
            }
        return head | self.shot.parameters

    def __len__(self) -> int:
        return self.frames

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a frame (uint8 or uint16) and its labels (uint8), both `(height, width)`.

        Args:
            index: Number of the frame, from 0 to `len(recording) - 1`.

        Raises:
            IndexError: There is no such frame.
        """
        picture = self.shot.picture(self._number(index))
        return self._grey(index, picture.intensity), self._labels(index, picture, self.motion)

    def grey(self, index: int) -> np.ndarray:
        """Return a frame without its labels, in less time: uint8 or uint16 `(height, width)`.

        Args:
            index: Number of the frame, from 0 to `len(recording) - 1`.

        Raises:
            IndexError: There is no such frame.
        """
        return self._grey(index, self.shot.picture(self._number(index), False).intensity)

    def labels(self, index: int, motion: bool | None = None, melt_pool: bool = False) -> np.ndarray:
        """Return the labels of a frame, uint8 `(height, width)`.

        Args:
            index: Number of the frame, from 0 to `len(recording) - 1`.
            motion: True if the labels hold voids that only motion shows; defaults to `motion` of
                the recording.
            melt_pool: Whether liquid metal is a class of its own: id 5 where its boundary can be
                seen, 255 where it cannot.

        Raises:
            IndexError: There is no such frame.
        """
        picture = self.shot.picture(self._number(index))
        motion = self.motion if motion is None else motion
        return self._labels(index, picture, motion, melt_pool)

    def with_both_labels(
        self, index: int, melt_pool: bool = False
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return a frame, its labels, and its labels for who sees motion too, `(height, width)`.

        The scene is rendered once; `recording[index]` and `labels` render it each.

        Args:
            index: Number of the frame, from 0 to `len(recording) - 1`.
            melt_pool: See `labels`.

        Raises:
            IndexError: There is no such frame.
        """
        picture = self.shot.picture(self._number(index))
        labels = [self._labels(index, picture, motion, melt_pool) for motion in (False, True)]
        return self._grey(index, picture.intensity), labels[0], labels[1]

    def liquid(self, index: int) -> np.ndarray | None:
        """Return where a frame shows liquid metal, uint8 0 or 1 `(height, width)`.

        Args:
            index: Number of the frame, from 0 to `len(recording) - 1`.

        Returns:
            The mask; None where the scene does not say: depositions and castings.

        Raises:
            IndexError: There is no such frame.
        """
        number = self._number(index)
        liquid = self.shot.picture(number).liquid
        if liquid is None:
            return None
        moved = liquid.mask
        if self.unrest is not None:
            moved = shifted_labels(moved, *self._shift(number))
        return present_labels(moved, self.presentation)

    def presented(self, name: str) -> "Recording":
        """Return this recording in another presentation: the same scene, the same noise.

        Args:
            name: Name out of `PRESENTATIONS`.

        Raises:
            ValueError: There is no such presentation.

        Example:
            >>> recording = record("aps", 3, seed=3, process="welding", shape=(96, 160))
            >>> recording.presented("8 bit").grey(1).dtype, recording.presented("raw").grey(1).dtype
            (dtype('uint8'), dtype('uint16'))
        """
        return replace(self, presentation=named_presentation(name, self.shot.detector))

    def _number(self, index: int) -> int:
        if not 0 <= index < self.frames:
            raise IndexError(f"frame {index} of {self.frames}")
        return self.first + index

    def _shift(self, number: int) -> tuple[float, float]:
        assert self.unrest is not None
        return self.unrest.shift(number)

    def _labels(
        self, index: int, picture: Picture, motion: bool, melt_pool: bool = False
    ) -> np.ndarray:
        assert picture.labels is not None
        # A divided frame shows nothing but what moves.
        divided = self.presentation.background is not None
        # Where the background lies off, nothing is divided out: what is seen is seen through it.
        through = np.hypot(*self.presentation.misplaced) >= _OFF_PX
        if divided:
            labels = picture.labels.divided
            if through:
                void = np.isin(labels, _VOIDS)
                labels = np.where(void & (picture.labels.frame == IGNORE), np.uint8(IGNORE), labels)
        else:
            labels = picture.labels.motion if motion else picture.labels.frame
        if melt_pool and picture.liquid is not None:
            liquid = picture.liquid
            if divided:
                seen = liquid.in_motion and (liquid.in_frame or not through)
            else:
                seen = liquid.in_frame or (motion and liquid.in_motion)
            wet = (liquid.mask > 0) & (labels == CLASS_NAMES.index("substrate"))
            labels = np.where(wet, np.uint8(len(CLASS_NAMES) if seen else IGNORE), labels)
        if self.unrest is not None:
            labels = shifted_labels(labels, *self._shift(self._number(index)))
        return present_labels(labels, self.presentation)

    def _light(self, number: int, intensity: np.ndarray | None = None) -> np.ndarray:
        """Light of a frame of the shot, with its noise, before any flat field."""
        if intensity is None:
            intensity = self.shot.picture(number, False).intensity
        if self.unrest is not None:
            intensity = shifted(intensity, *self._shift(number))
            level, tilt = self.unrest.brightness(number)
            rows = np.linspace(-0.5, 0.5, len(intensity), dtype=np.float32)[:, None]
            intensity = intensity * (np.float32(level) + np.float32(tilt) * rows)
        noise = np.random.default_rng((self.seed, _EARLIEST + number))
        return collect(noise, intensity, self.shot.detector)

    def _grey(self, index: int, intensity: np.ndarray) -> np.ndarray:
        number = self._number(index)
        light = self._light(number, intensity)
        presentation = self.presentation
        if presentation.background is not None:
            light = ratio(light, self._background(number))
            return present(light, presentation, None, self._ratio_limits)
        limits = self._stretch_limits if presentation.stretch == "stack" else None
        return present(light, presentation, self.shot.detector.flat, limits)

    @cached_property
    def _stretch_limits(self) -> tuple[float, float]:
        light = self._light(self.first + self.frames // 2)
        flat = self.shot.detector.flat
        return stretch_limits(light if flat is None else light / flat)

    @cached_property
    def _ratio_limits(self) -> tuple[float, float]:
        number = self.first + self.frames // 2
        divided = ratio(self._light(number), self._background(number))[::3, ::3]
        noise = 1.4826 * float(np.median(np.abs(divided - np.median(divided))))
        span = float(np.clip(self.presentation.span * noise, 0.04, 0.8))
        return 1 - span, 1 + span

    @cached_property
    def _reference_frames(self) -> dict[int, np.ndarray]:
        """Light of the frames of which a background is made, by their numbers."""
        if self.presentation.background == "before":
            numbers = range(-5, 0)
        else:
            # A recording of a few frames has the whole shot as its background.
            length = max(self.frames, min(self.shot.frames, 60))
            start = self.first if length == self.frames else 0
            spread = np.linspace(start, start + length - 1, _BACKGROUND_FRAMES + 2)
            numbers = np.unique(spread.round().astype(int)).tolist()
        return {number: self._light(number) for number in numbers}

    def _background(self, number: int) -> np.ndarray:
        """Background by which a frame is divided, where it lies."""
        background = self._background_in_place(number)
        return np.asarray(shifted(background, *self.presentation.misplaced))

    def _background_in_place(self, number: int) -> np.ndarray:
        kind = self.presentation.background
        if kind == "previous":
            before = range(number - _SKIPPED - _PREVIOUS, number - _SKIPPED)
            return median_frame([self._light(one) for one in before])
        frames = self._reference_frames
        if kind == "spread":
            far = [light for one, light in frames.items() if abs(one - number) > _NEAR]
            return median_frame(far or list(frames.values()))
        return self._mean_background

    @cached_property
    def _mean_background(self) -> np.ndarray:
        frames = list(self._reference_frames.values())
        return np.asarray(np.mean(frames, axis=0), np.float32)


def record(
    facility: str | Facility,
    frames: int,
    seed: int,
    *,
    process: str | None = None,
    shape: tuple[int, int] | None = None,
    motion: bool = False,
) -> Recording:
    """Draw a recording whose frames are rendered one by one: for stacks of any length.

    Args:
        facility: Name of one of `FACILITIES`, or one with ranges of your own.
        frames: Number of frames.
        seed: Same seed, same frames.
        process: Process of the facility; any by default.
        shape: Height and width in pixels; the facility's by default.
        motion: True if labels hold voids that only motion shows.

    Returns:
        The recording: each frame is rendered when it is asked for.

    Raises:
        ValueError: No such facility, the process was not run there, or no frames.

    Example:
        >>> from amseg_keras.classes import CLASS_NAMES
        >>> recording = record("hpdc", 200, seed=1, shape=(96, 160))
        >>> sum(int((labels == CLASS_NAMES.index("pore")).any()) for _, labels in recording) > 100
        True
    """
    if frames < 1:
        raise ValueError(f"frames must be at least 1, not {frames}.")
    place = facility_named(facility)
    rng = np.random.default_rng(seed)
    shot = draw_shot(rng, place, process, shape, frames)
    unrest = None
    first = int(rng.integers(max(shot.frames - frames, 0) + 1))
    if place.frame_rate_hz is not None:
        first = _first_frame(rng, shot.frames, frames, place.movie)
        unrest = _draw_unrest(rng, first + frames // 2, place.movie)
    presentation = draw_presentation(rng, shot.detector, place.presentations)
    # A network that sees a single frame has the whole shot to be compared with.
    window = (first, first + frames) if frames > 2 * _NEAR else (0, shot.frames)
    return Recording(place, shot.seen(*window), first, frames, seed, unrest, presentation, motion)


def draw_shot(
    rng: np.random.Generator,
    facility: Facility,
    process: str | None = None,
    shape: tuple[int, int] | None = None,
    frames: int = 1,
) -> Shot:
    """Draw one experiment of a facility.

    Args:
        rng: Source of all randomness.
        facility: Facility of the recording.
        process: Process of the facility; any by default.
        shape: Height and width in pixels; the facility's by default.
        frames: Smallest number of slices of a casting; a laser's recording has its own length.

    Raises:
        ValueError: The process was not run there.
    """
    experiment = facility.draw_experiment(rng, process)
    shape = shape or facility.shape
    ranges = facility.ranges
    if isinstance(ranges, CastingRanges):
        return draw_casting(rng, shape, experiment.material, frames, ranges)
    assert facility.pixel_size_um is not None
    assert facility.frame_rate_hz is not None
    view = View(shape, facility.pixel_size_um, facility.frame_rate_hz)
    if isinstance(ranges, DepositRanges):
        return draw_deposit(rng, view, experiment, ranges)
    assert isinstance(ranges, MeltRanges)
    return draw_melt_shot(rng, view, experiment, ranges)


def facility_named(facility: str | Facility) -> Facility:
    """Return a facility by its name, or as it is given.

    Raises:
        ValueError: There is no such facility.
    """
    if isinstance(facility, Facility):
        return facility
    if facility not in FACILITIES:
        raise ValueError(f"facility must be one of {', '.join(FACILITIES)}, not {facility!r}.")
    return FACILITIES[facility]


def _first_frame(rng: np.random.Generator, shot: int, frames: int, ranges: MovieRanges) -> int:
    """Draw with which frame of the shot a recording begins."""
    first = int(rng.integers(max(shot - frames, 0) + 1))
    fate, dark = rng.random(), draw(rng, ranges.dark_share)
    if fate < ranges.before:
        return -max(round(dark * frames), 1)
    if fate < ranges.before + ranges.after:
        return max(shot - frames, 0) + max(round(dark * frames), 1)
    return first


def _draw_unrest(rng: np.random.Generator, middle: int, ranges: MovieRanges) -> Unrest:
    flicker = draw_log(rng, ranges.flicker)
    turn, other = rng.uniform(0, 2 * np.pi, 2)
    drift, sway = draw(rng, ranges.drift_px), draw(rng, ranges.sway_px)
    stronger = 10.0 if rng.random() < ranges.shaking else 1.0
    return Unrest(
        seed=int(rng.integers(2**31)),
        flicker=flicker,
        tilt=flicker * draw(rng, ranges.flicker_tilt),
        wave=draw(rng, ranges.wave),
        drift_px=(float(drift * np.cos(turn)), float(drift * np.sin(turn))),
        sway_px=(float(sway * np.cos(other)), float(sway * np.sin(other))),
        sway_frames=draw_log(rng, ranges.sway_frames),
        phase=float(rng.uniform(0, 2 * np.pi)),
        shake_px=stronger * draw(rng, ranges.shake_px),
        middle=middle,
        most_px=draw(rng, ranges.most_drift_px),
    )


def median_frame(frames: list[np.ndarray]) -> np.ndarray:
    """Return the median of frames of one shape; float32 for an even number of frames.

    Several times as fast as a sort of every pixel.

    Example:
        >>> int(median_frame([np.full((2, 2), level, np.uint8) for level in (9, 1, 4)])[0, 0])
        4
    """
    kept = [frame.copy() for frame in frames]
    count = len(kept)
    # Batcher's merge exchange, of whole frames.
    first = 1 << (max(count - 1, 1).bit_length() - 1)
    reach = first
    while reach:
        step, part, away = first, 0, reach
        while True:
            for low in range(count - away):
                if low & reach == part:
                    less = np.minimum(kept[low], kept[low + away])
                    np.maximum(kept[low], kept[low + away], out=kept[low + away])
                    kept[low] = less
            if step == reach:
                break
            away, step, part = step - reach, step >> 1, reach
        reach >>= 1
    middle = count // 2
    if count % 2:
        return kept[middle]
    return np.asarray((kept[middle - 1].astype(np.float32) + kept[middle]) / 2)
