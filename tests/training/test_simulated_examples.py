"""Simulated recordings as examples: what is simulated, kept, seen again, and how it is shown."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from amseg_keras.classes import IGNORE
from amseg_keras.preprocess import Channels, GreyRange, GreyScaling
from amseg_keras.training import Recipe, Simulation
from amseg_keras.training.presentation import Presentation
from amseg_keras.training.recipe import TARGETS
from amseg_keras.training.recordings import Recordings, Sample
from amseg_keras.training.simulated_examples import SimulatedExamples, slots_of

pytest.importorskip("cv2")


BOTH = Channels(("frame", "motion"))
SMALL = {"targets": 2, "shape": (48, 80)}


def recordings(folder, facility="aps", **changes):
    # Another pixel size takes seconds, for textures of its own.
    simulation = Simulation({facility: 1.0}, coverage=False)
    return Recordings(folder, simulation, GreyScaling(), 3, **(SMALL | changes))


def sample_with_a_spot():
    """Gas over plate, 64 x 96, with a spot that the background has not."""
    rng = np.random.default_rng(0)
    labels = np.zeros((64, 96), np.uint8)
    labels[24:] = 2
    background = 1000.0 + 400.0 * (labels > 0) + rng.normal(0, 4, labels.shape)
    frame = background + rng.normal(0, 10, labels.shape)
    labels[30:40, 40:50] = 4
    frame[30:40, 40:50] += 900
    as_counts = [np.rint(one).astype(np.uint16) for one in (frame, background)]
    return Sample(*as_counts, labels, labels, GreyRange(900.0, 2800.0, 1.0))


def test_the_same_number_is_the_same_recording_wherever_it_is_made_first(tmp_path):
    first, second = recordings(tmp_path / "a"), recordings(tmp_path / "b")
    for number in (5, 2):
        first.make(number)
    for number in (2, 5):
        assert first.make(number).read_bytes() == second.make(number).read_bytes()


def test_another_seed_or_simulation_has_files_of_its_own(tmp_path):
    one = recordings(tmp_path)
    others = [replace(one, seed=4), recordings(tmp_path, "esrf"), recordings(tmp_path, targets=3)]
    assert len({made.key for made in (one, *others)}) == 4


def test_a_file_that_is_there_is_not_made_again(tmp_path):
    made = recordings(tmp_path)
    before = made.make(1).stat().st_mtime_ns
    assert made.make(1).stat().st_mtime_ns == before


def test_slices_of_a_casting_have_no_background(tmp_path):
    assert recordings(tmp_path, "hpdc").sample(0, 0).background is None


def test_a_background_is_like_its_frame_but_for_noise_and_what_moves(tmp_path):
    sample = recordings(tmp_path).sample(0, 1)
    ratio = sample.frame.astype(float) / np.maximum(sample.background, 1)
    assert np.median(ratio) == pytest.approx(1, abs=0.1)


def test_a_part_of_an_epoch_is_new_and_each_new_frame_is_seen():
    simulation = Simulation(frames=128, reuse=4)
    shown = slots_of(simulation, 0, epoch=3)
    new = {(s.recording, s.target) for s in shown if s.recording >= 12}
    assert len(shown) == 128
    assert new == {(r, t) for r in range(12, 16) for t in range(TARGETS)}
    assert {s.recording for s in shown} <= set(range(16))


def test_frames_beyond_those_kept_are_not_shown():
    simulation = Simulation(frames=128, reuse=4, kept=64)
    shown = slots_of(simulation, 0, epoch=5)
    assert {s.recording for s in shown} <= set(range(16, 24))


def test_an_epoch_depends_on_its_number_and_the_seed_alone():
    simulation = Simulation(frames=64)
    assert slots_of(simulation, 0, 2) == slots_of(simulation, 0, 2)
    assert slots_of(simulation, 0, 2) != slots_of(simulation, 1, 2)


def test_the_first_batches_wait_for_the_first_recordings_only():
    shown = slots_of(Simulation(frames=1600, reuse=4), 0, epoch=0)
    assert max(slot.recording for slot in shown[:32]) < 15


def test_without_reuse_every_frame_is_new():
    shown = slots_of(Simulation(frames=64, reuse=1), 0, epoch=2)
    assert len({(s.recording, s.target) for s in shown}) == 64
    assert min(s.recording for s in shown) == 16


@pytest.mark.parametrize("coverage", [False, True])
def test_the_motion_is_blank_in_its_share_of_the_frames(coverage):
    shown = Presentation(GreyScaling(), BOTH, 0.4, coverage)
    sample = sample_with_a_spot()
    images = [shown.show(sample, np.random.default_rng(k), None)[0] for k in range(400)]
    blank = np.mean([bool((image[..., 1] == 0.5).all()) for image in images])
    # Three standard deviations of 400 draws.
    assert blank == pytest.approx(0.4, abs=0.075)


def test_what_moves_shows_at_the_same_place_in_both_channels_and_the_labels():
    shown = Presentation(GreyScaling(), BOTH, 0.0, True)
    for seed in range(40):
        image, labels = shown.show(sample_with_a_spot(), np.random.default_rng(seed), (48, 64))
        spot = labels == 4
        if spot.sum() > 10:
            assert np.median(image[spot, 1]) > 0.8
            around = (labels == 2) & (image[..., 1] > 0.8)
            assert around.mean() < 0.05


def test_windows_have_their_shape_and_what_lies_beyond_the_frame_is_ignored():
    shown = Presentation(GreyScaling(), BOTH, 0.0, True)
    sample, ignored = sample_with_a_spot(), 0
    for seed in range(30):
        image, labels = shown.show(sample, np.random.default_rng(seed), (64, 96))
        assert image.shape == (64, 96, 2)
        assert labels.shape == (64, 96)
        assert image.min() >= 0
        assert image.max() <= 1
        ignored += bool((labels == IGNORE).any())
    assert ignored > 3


def test_some_windows_hold_the_plate_alone():
    labels = np.zeros((256, 512), np.uint8)
    labels[60:] = 2
    frame = np.full(labels.shape, 1000, np.uint16)
    sample = replace(sample_with_a_spot(), frame=frame, background=None, labels=labels)
    shown = Presentation(GreyScaling(), Channels(), 0.4, False)
    alone = [
        bool((shown.show(sample, np.random.default_rng(k), (128, 256))[1] == 2).all())
        for k in range(300)
    ]
    # Three standard deviations of 300 draws.
    assert np.mean(alone) == pytest.approx(0.12, abs=0.06)


def test_a_network_without_motion_sees_the_same_frames_and_windows():
    sample = sample_with_a_spot()
    for seed in range(10):
        both = Presentation(GreyScaling(), BOTH, 0.4, True)
        alone = Presentation(GreyScaling(), Channels(), 0.4, True)
        image, labels = both.show(sample, np.random.default_rng(seed), (48, 64))
        plain, same = alone.show(sample, np.random.default_rng(seed), (48, 64))
        np.testing.assert_array_equal(labels, same)
        np.testing.assert_allclose(plain[..., 0], image[..., 0], atol=1e-6)


@pytest.mark.usefixtures("short_recordings")
def test_examples_of_an_epoch_are_the_same_when_made_again(tmp_path):
    simulation = Simulation({"aps": 1.0}, frames=8, crop=(48, 64), validation_frames=1, reuse=2)
    recipe = Recipe(batch_size=4, channels=("frame", "motion"), epochs=2, shape=(48, 64))
    made = []
    for folder in ("a", "b"):
        examples = SimulatedExamples(simulation, recipe, folder=tmp_path / folder)
        # The second one begins in the middle, as a training that goes on.
        epochs = (0, 1) if folder == "a" else (1,)
        made.append([examples.batches(epoch)[1] for epoch in epochs][-1])
        examples.close()
    for first, second in zip(*made, strict=True):
        np.testing.assert_array_equal(first, second)


SCRIPT = """
import os, time
from amseg_keras.training.recordings import simulating_processes

if __name__ == "__main__":
    print(simulating_processes().submit(os.getpid).result(), flush=True)
    time.sleep(600)
"""


def runs(process):
    """Whether a process is there and is no zombie."""
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs the processes of Linux")
def test_a_killed_training_leaves_no_process_behind(tmp_path):
    script = tmp_path / "training.py"
    script.write_text(SCRIPT)
    training = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    worker = int(training.stdout.readline())
    assert runs(worker)
    training.send_signal(signal.SIGKILL)
    training.wait()
    training.stdout.close()
    end = time.monotonic() + 60
    while runs(worker) and time.monotonic() < end:
        time.sleep(0.1)
    assert not runs(worker)


def test_the_environment_stays_as_it_is(monkeypatch):
    from amseg_keras.training.recordings import simulating_processes

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    with simulating_processes() as pool:
        seen = pool.submit(os.getenv, "CUDA_VISIBLE_DEVICES").result()
    assert seen == ""
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3"
    assert "JAX_PLATFORMS" not in os.environ
