"""How many training samples with motion the simulator makes a second on one core.

    OMP_NUM_THREADS=1 python benchmarks/simulated_movies.py

A sample is a frame of 256 x 512 pixels, its labels, and its motion channel: log of the frame less
log of its background. 18 background frames of a recording serve 8 samples, as in training. Drawing
the recording counts; the textures of a pixel size, made once per process, do not.
"""

import argparse
import statistics
import time

import cv2
import numpy as np

from amseg_keras.simulate import Recording, draw_recording
from amseg_keras.simulate.recording import median_frame

SHAPE = (256, 512)
FRAMES, BACKGROUND, TARGETS = 80, 18, 8


def samples(recording: Recording) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Make the samples of one recording: frame, motion, labels."""
    chosen = np.linspace(0, len(recording) - 1, BACKGROUND).round().astype(int)
    background = median_frame([recording.grey(int(index)) for index in chosen])
    dark = cv2.log(background.astype(np.float32) + 1)
    made = []
    for index in np.linspace(5, len(recording) - 6, TARGETS).round().astype(int):
        frame, labels = recording[int(index)]
        made.append((frame, cv2.log(frame.astype(np.float32) + 1) - dark, labels))
    return made


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recordings", type=int, default=40)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    for seed in range(options.recordings):
        draw_recording(seed, FRAMES, shape=SHAPE)  # the textures
    seconds = []
    for seed in range(options.recordings):
        # Of the process: what else the machine does is not the simulator's.
        begun = time.process_time()
        samples(draw_recording(seed, FRAMES, shape=SHAPE))
        seconds.append(time.process_time() - begun)
    mean = statistics.fmean(seconds)
    slowest = max(seconds)
    print(f"{TARGETS / mean:.0f} samples of {SHAPE[0]} x {SHAPE[1]} a second and core")
    print(f"{(TARGETS + BACKGROUND) / mean:.0f} frames a second and core")
    print(f"recordings take {mean:.3f} s on average, the slowest {slowest:.3f} s")


if __name__ == "__main__":
    main()
