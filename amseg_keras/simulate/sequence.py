"""Simulated frames, one by one or as a time series of one shot."""

from dataclasses import dataclass, field

import numpy as np

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.simulate.grains import draw_airborne
from amseg_keras.simulate.radiograph import expose
from amseg_keras.simulate.ranges import ESRF, Ranges, draw, draw_integer
from amseg_keras.simulate.scene import (
    Moment,
    Void,
    as_void,
    compose,
    draw_moment,
    draw_pore,
    draw_track,
    void_depth,
)
from amseg_keras.simulate.stage import FRAME_RATE_HZ, PIXEL_UM, draw_stage
from amseg_keras.simulate.voids import draw_keyhole, pore_outline


@dataclass(frozen=True)
class SimulatedSequence:
    """A time series of one shot.

    Attributes:
        frames: uint8 or uint16, `(frames, height, width)`.
        labels: uint8 class ids of the same shape, 255 where nobody could tell.
        class_names: Names of the class ids.
        pixel_size_um: Size of a pixel in the object.
        frame_rate_hz: Frames per second.
        parameters: Process, materials, laser power (W), speed (mm/s) and what was drawn.
    """

    frames: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...] = CLASS_NAMES
    pixel_size_um: float = PIXEL_UM
    frame_rate_hz: float = FRAME_RATE_HZ
    parameters: dict = field(default_factory=dict)


def simulate_frame(
    rng: np.random.Generator, shape: tuple[int, int] = (256, 512), ranges: Ranges = ESRF
) -> tuple[np.ndarray, np.ndarray]:
    """Simulate one labelled frame of a random experiment.

    Args:
        rng: Source of all randomness.
        shape: Height and width in pixels.
        ranges: What to draw from.

    Returns:
        Frame (uint8 or uint16) and labels (uint8), both `(height, width)`.

    Example:
        >>> frame, labels = simulate_frame(np.random.default_rng(0))
        >>> frame.shape, labels.shape, str(labels.dtype)
        ((256, 512), (256, 512), 'uint8')
    """
    process = "lpbf" if rng.random() < 0.6 else "welding"
    stage = draw_stage(rng, process, shape, ranges)
    log, labels = compose(stage, draw_moment(rng, stage, ranges))
    return expose(rng, log, stage.detector), labels


def simulate_sequence(
    frames: int,
    seed: int,
    process: str = "lpbf",
    shape: tuple[int, int] = (256, 512),
) -> SimulatedSequence:
    """Simulate one shot: the laser moves, the keyhole oscillates, pores pinch off and stay.

    Args:
        frames: Number of frames.
        seed: Same seed, same sequence.
        process: "lpbf" or "welding".
        shape: Height and width in pixels.
    """
    rng = np.random.default_rng(seed)
    stage = draw_stage(rng, process, shape, ESRF)
    track = draw_track(rng, process, ESRF)
    direction = int(rng.choice((-1, 1)))
    power, speed = draw(rng, (100, 600)), draw(rng, (200, 1800))
    step = direction * speed * 1e3 / FRAME_RATE_HZ / PIXEL_UM
    start = 0.12 * shape[1] if direction > 0 else 0.88 * shape[1]
    keyhole = draw_keyhole(rng, ESRF, PIXEL_UM)
    depth_um = void_depth(rng, stage, ESRF)
    frequency = draw(rng, (2500, 10_000)) / FRAME_RATE_HZ
    wobble = np.cumsum(rng.normal(0, 0.08, frames))
    conduction = rng.random() < 0.15
    count = draw_integer(rng, ESRF.airborne) if process == "lpbf" else int(rng.integers(0, 4))
    airborne = draw_airborne(rng, count, stage.powder_top - 2, start)
    pores = [draw_pore(rng, stage, ESRF) for _ in range(rng.integers(0, 3))]

    images, truth = [], []
    for index in range(frames):
        laser = start + index * step
        swing = np.sin(2 * np.pi * frequency * index + wobble[index])
        void = None
        if not conduction and -20 < laser < shape[1] + 20:
            state = keyhole.breathing(
                depth=1 + 0.2 * swing,
                bulb=1 + 0.6 * swing,
                tail=max(1 + 0.5 * swing, 0.2),
                phase=2 * np.pi * frequency * index,
            )
            void = as_void(state, stage, (laser, direction), depth_um)
            # A deep keyhole about to collapse leaves its bulb behind.
            if state.depth > 18 and swing > 0.6 and rng.random() < 0.2:
                column = int(np.clip(laser, 0, shape[1] - 1))
                tip = state.tip(laser, float(stage.surface[column]), direction)
                diameter = draw(rng, (4, 9)) + 1.5 * state.bulb
                pores.append(Void(pore_outline(rng, tip, diameter), depth_um, 3.0))
        moment = Moment(laser, direction, track, void, tuple(pores), airborne.later(index), None)
        log, labels = compose(stage, moment)
        images.append(expose(rng, log, stage.detector))
        truth.append(labels)
    parameters = {
        "process": process,
        "material": stage.powder,
        "plate": stage.beam.plate.name,
        "power_W": power,
        "speed_mm_s": speed,
        "scan_direction": direction,
        "keyhole_frequency_hz": frequency * FRAME_RATE_HZ,
        "mode": "conduction" if conduction else "keyhole",
        "seed": seed,
    }
    return SimulatedSequence(np.stack(images), np.stack(truth), parameters=parameters)
