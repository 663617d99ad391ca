"""Stacks over processes: the labels of one process, whatever is killed on the way."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pytest
import tifffile
from random_networks import randomise
from shallow_networks import shallow_network

from amseg_keras import Segmenter
from amseg_keras.classes import CLASS_NAMES
from amseg_keras.preprocess import GreyScaling
from amseg_keras.pretrained import PresetInfo
from amseg_keras.pretrained.preset import weights_digest
from amseg_keras.read import find_stacks
from amseg_keras.runs import RunSettings, run_stack
from amseg_keras.runs.cluster import (
    ClusterError,
    ClusterJob,
    NetworkSpec,
    connected,
    segment_on_cluster,
)
from amseg_keras.runs.cluster_worker import Chunk, chunks_of

pytest.importorskip("distributed")
FRAMES = 90


@pytest.fixture(scope="module")
def client():
    with connected(workers=2) as client:
        yield client


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    info = PresetInfo("tiny", CLASS_NAMES, GreyScaling(), 4.31, "nothing: random weights")
    segmenter = Segmenter(randomise(shallow_network()), info)
    return segmenter, segmenter.save_pretrained(tmp_path_factory.mktemp("preset") / "tiny")


@pytest.fixture
def job(preset, tmp_path):
    segmenter, folder = preset
    segmenter = Segmenter(segmenter.model, segmenter.info)  # a test may put it on an engine
    network = NetworkSpec(
        model=str(folder),
        revision=None,
        weights_sha256=weights_digest(folder),
        backend=keras.backend.backend(),
        device="cpu",
        threads=1,
    )
    return ClusterJob(network, segmenter, tmp_path / "out", RunSettings(batch_size=2, drawn=10))


@pytest.fixture
def stack_files(tmp_path):
    """A TIFF stack, and a folder of frames of which one is damaged."""
    rng = np.random.default_rng(1)
    frames = (np.cumsum(rng.normal(0, 60, (FRAMES, 64, 96)), axis=1) + 2000).astype(np.uint16)
    tifffile.imwrite(tmp_path / "movie.tif", frames, photometric="minisblack")
    (tmp_path / "frames").mkdir()
    for index, frame in enumerate(frames[:20]):
        tifffile.imwrite(tmp_path / "frames" / f"{index:04}.tif", frame)
    (tmp_path / "frames" / "0007.tif").write_bytes(b"")
    return tmp_path / "movie.tif", tmp_path / "frames"


def sources_of(*paths):
    sources, errors = find_stacks(paths)
    assert not errors
    return sources


def by_one_process(job, sources, folder):
    for source in sources:
        with source.open() as stack:
            run_stack(
                stack,
                job.segmenter,
                job.network.weights_sha256,
                folder / source.name,
                job.settings,
            )


def assert_same_files(folder, other):
    names = [path.name for path in sorted(other.iterdir())]
    assert [path.name for path in sorted(folder.iterdir())] == names
    for name in set(names) - {"run.json"}:
        assert (folder / name).read_bytes() == (other / name).read_bytes(), name


def test_chunks_are_whole_batches_and_all_frames():
    assert chunks_of([range(50)], 3) == [Chunk(0, 24), Chunk(24, 48), Chunk(48, 50)]


def test_many_stacks_with_a_damaged_frame_are_as_those_of_one_process(
    client, job, stack_files, tmp_path
):
    sources = sources_of(*stack_files)
    seen = []
    results = list(segment_on_cluster(client, sources, job, lambda *told: seen.append(told)))
    assert [result.error for result in results] == [None, None]
    assert seen[-1] == (FRAMES + 20, FRAMES + 20)
    by_one_process(job, sources, tmp_path / "alone")
    for source in sources:
        assert_same_files(tmp_path / "out" / source.name, tmp_path / "alone" / source.name)
    (failed,) = results[1].record["unreadable_frames"]
    assert failed["frame"] == 7
    table = pd.read_csv(tmp_path / "out" / "frames" / "frames.csv")
    assert 7 not in table["frame"].tolist()


def test_a_worker_killed_in_the_middle_loses_nothing(client, job, stack_files, tmp_path):
    sources = sources_of(stack_files[0])
    (victim, *_) = client.run(os.getpid).values()
    killed = []

    def kill(done, frames):
        if done and not killed:
            killed.append(done)
            os.kill(victim, signal.SIGKILL)

    (result,) = segment_on_cluster(client, sources, job, kill)
    assert killed[0] < FRAMES
    assert result.error is None
    by_one_process(job, sources, tmp_path / "alone")
    assert_same_files(tmp_path / "out" / "movie", tmp_path / "alone" / "movie")


class LeftError(Exception):
    """Stands for the end of the client."""


def test_a_client_that_goes_on_has_only_missing_chunks_done(client, job, stack_files, tmp_path):
    sources = sources_of(stack_files[0])

    def leave(*_):
        raise LeftError

    job_left = replace(job, out=tmp_path / "left")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(LeftError):
        patch.setattr("amseg_keras.outputs.OutputFolder.finish", leave)
        list(segment_on_cluster(client, sources, job_left))
    seen = []
    list(segment_on_cluster(client, sources, job_left, lambda done, _: seen.append(done)))
    assert seen == [FRAMES]
    assert (tmp_path / "left" / "movie" / "run.json").exists()


@pytest.mark.slow
def test_a_client_killed_while_workers_go_on_completes_later(client, job, preset, tmp_path):
    rng = np.random.default_rng(2)
    frames = (np.cumsum(rng.normal(0, 60, (600, 64, 96)), axis=1) + 2000).astype(np.uint16)
    tifffile.imwrite(tmp_path / "long.tif", frames, photometric="minisblack")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "amseg_keras", "segment", tmp_path / "long.tif"),
            *("-o", tmp_path / "out", "-m", preset[1], "--batch-size", "2", "--overlay", "10"),
            *("--device", "cpu", "--engine", "keras", "--dask", client.scheduler.address),
        ],
        stderr=subprocess.DEVNULL,
    )
    store = tmp_path / "out" / "long" / ".unfinished" / "frames"
    deadline = time.monotonic() + 120
    while not (store.exists() and store.stat().st_size > 20 * 64 * 96):
        assert process.poll() is None, "ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "out" / "long" / "run.json").exists()

    job.segmenter.compile_inference("keras")
    job = replace(job, network=replace(job.network, engine="keras"))
    sources, seen = sources_of(tmp_path / "long.tif"), []
    (result,) = segment_on_cluster(client, sources, job, lambda done, _: seen.append(done))
    assert result.error is None
    assert seen[0] >= 16
    by_one_process(job, sources, tmp_path / "alone")
    assert_same_files(tmp_path / "out" / "long", tmp_path / "alone" / "long")


def test_frames_that_a_worker_cannot_find_are_named(client, job, stack_files):
    (source,) = sources_of(stack_files[0])

    def move_away(*_):
        stack_files[0].rename(stack_files[0].with_suffix(".moved"))

    hidden = segment_on_cluster(client, [source], job)
    with pytest.MonkeyPatch.context() as patch:
        submit = type(client).submit

        def submit_without_file(*arguments, **options):
            if stack_files[0].exists():
                move_away()
            return submit(*arguments, **options)

        patch.setattr(type(client), "submit", submit_without_file)
        (result,) = hidden
    assert result.record is None
    assert f"{stack_files[0]}: no such file" in result.error


def test_other_weights_under_the_same_name_are_refused(client, job, stack_files):
    other = replace(job, network=replace(job.network, weights_sha256="0" * 64))
    (result,) = segment_on_cluster(client, sources_of(stack_files[0]), other)
    assert "has other weights there than here" in result.error


def test_workers_of_another_backend_are_refused(client, job, stack_files):
    other = replace(job, network=replace(job.network, backend="another"))
    (result,) = segment_on_cluster(client, sources_of(stack_files[0]), other)
    assert "start the workers with KERAS_BACKEND=another" in result.error


def test_a_finished_stack_is_left_as_it_is(client, job, stack_files, tmp_path):
    sources = sources_of(stack_files[1])
    list(segment_on_cluster(client, sources, job))
    record = json.loads((tmp_path / "out" / "frames" / "run.json").read_text())
    (result,) = segment_on_cluster(client, sources, job)
    assert result.record == record


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr("amseg_keras.runs.cluster.CONNECT_S", 1)
    with (
        pytest.raises(ClusterError, match=r"127\.0\.0\.1:9: no dask scheduler answers there"),
        connected(scheduler="tcp://127.0.0.1:9"),
    ):
        pass


def test_without_dask_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(ClusterError, match=r"pip install 'amseg-keras\[cluster\]'"),
        connected(workers=1),
    ):
        pass
