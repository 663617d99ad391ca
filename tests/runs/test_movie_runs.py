"""Runs of networks that see what moves: one process, a cluster, a kill, a watch, Grad-CAM."""

import json

import keras
import numpy as np
import pytest
import tifffile
from movie_networks import movie, movie_info
from random_networks import randomise
from shallow_networks import shallow_network

from amseg_keras import Segmenter
from amseg_keras.explain import GradCam
from amseg_keras.preprocess import BackgroundPolicy
from amseg_keras.pretrained.preset import weights_digest
from amseg_keras.read import ReadError, find_stacks, open_stack
from amseg_keras.runs import OutputTakenError, RunSettings, run_stack
from amseg_keras.runs.explain import ExplainSettings, run_explanation
from amseg_keras.runs.labelled_run import open_labelled_run

FRAMES = 60


class KilledError(Exception):
    """Stands for the end of the process."""


@pytest.fixture(scope="module")
def segmenter():
    return Segmenter(randomise(shallow_network(channels=2)), movie_info())


@pytest.fixture
def stack_file(tmp_path):
    tifffile.imwrite(tmp_path / "movie.tif", movie(FRAMES, 32, 48), photometric="minisblack")
    return tmp_path / "movie.tif"


@pytest.fixture
def run(segmenter, stack_file, tmp_path):
    def run(folder="out", progress=lambda done: None, **settings):
        chosen = RunSettings(batch_size=2, drawn=10, **settings)
        with open_stack(stack_file) as stack:
            return run_stack(stack, segmenter, "digest", tmp_path / folder, chosen, progress)

    return run


def labels_of(folder):
    return np.stack(list(open_labelled_run(folder).frames()))


@pytest.mark.parametrize(
    "background", ["auto", "previous:5,3", "so-far", "range:0-20", "none", "recording+register"]
)
def test_a_run_gives_the_labels_of_segment(run, segmenter, tmp_path, background):
    record = run(background=background)
    expected = segmenter.segment(movie(FRAMES, 32, 48), background=background, batch_size=2)
    np.testing.assert_array_equal(labels_of(tmp_path / "out"), expected.labels)
    assert record["background"] == background
    assert record["notes"] == list(expected.notes)


def test_the_record_says_channels_background_drift_and_scale(run):
    record = run(scale=2.0)
    assert record["scale"] == 2.0
    about = record["inputs"]
    assert about["channels"] == ["frame", "motion"]
    assert about["background"] == "recording"
    assert len(about["median_of"]) == 18
    assert about["drift_px"] < 1


def test_a_killed_run_goes_on_with_the_same_background(run, tmp_path):
    def kill(done):
        if done == 31:
            raise KilledError

    expected = run("whole")
    with pytest.raises(KilledError):
        run("killed", kill)
    record = run("killed")
    assert record["times"]["frames_from_earlier_run"] > 0
    np.testing.assert_array_equal(labels_of(tmp_path / "killed"), labels_of(tmp_path / "whole"))
    assert record["inputs"] == expected["inputs"]


@pytest.mark.parametrize("other", [{"background": "none"}, {"scale": 2.0}])
def test_another_background_or_scale_is_another_run(run, other):
    run()
    with pytest.raises(OutputTakenError, match=next(iter(other))):
        run(**other)


def test_a_background_that_does_not_fit_names_the_stack(run):
    with pytest.raises(ReadError, match=r"movie\.tif: the background range:50-90 ends after"):
        run(background="range:50-90")


def test_a_cluster_gives_the_files_of_one_process(segmenter, stack_file, tmp_path):
    pytest.importorskip("distributed")
    from amseg_keras.runs.cluster import ClusterJob, NetworkSpec, connected, segment_on_cluster

    preset = segmenter.save_pretrained(tmp_path / "preset")
    network = NetworkSpec(
        str(preset), None, weights_digest(preset), keras.backend.backend(), "cpu", threads=1
    )
    settings = RunSettings(batch_size=2, drawn=10, background="previous:5,3", scale=2.0)
    sources, _ = find_stacks([stack_file])
    with connected(workers=1) as client:
        job = ClusterJob(network, segmenter, tmp_path / "cluster", settings)
        (result,) = segment_on_cluster(client, sources, job)
    assert result.error is None
    with sources[0].open() as stack:
        expected = run_stack(stack, segmenter, network.weights_sha256, tmp_path / "alone", settings)
    assert result.record["inputs"] == expected["inputs"]
    for name in ("labels.tif", "frames.csv"):
        alone = (tmp_path / "alone" / name).read_bytes()
        assert (tmp_path / "cluster" / "movie" / name).read_bytes() == alone


def test_grad_cam_of_a_run_sees_the_motion(segmenter, stack_file, tmp_path):
    settings = ExplainSettings("keyhole", frames=(12, 40))
    with open_stack(stack_file) as stack:
        record = run_explanation(stack, segmenter, "digest", tmp_path / "why", settings)
        expected = GradCam(segmenter.model, 3, record["layer"]).explain(
            segmenter.inputs(stack).make(40)
        )
    maps = tifffile.imread(tmp_path / "why" / "grad_cam.tif")
    np.testing.assert_allclose(maps[1], expected.heat, atol=1e-5)
    assert record["inputs"]["background"] == "recording"


def test_a_watch_compares_frames_with_those_before(segmenter, tmp_path):
    from watch.watching import LIMIT_S, quick, written

    from amseg_keras.runs.watch import Network, watch

    (tmp_path / "in").mkdir()
    stack = movie(30, 32, 48)
    for number, frame in enumerate(stack):
        tifffile.imwrite(tmp_path / "in" / f"shot_{number:02}.tif", frame)
    import threading

    stop, events = threading.Event(), []
    limit = threading.Timer(LIMIT_S, stop.set)
    limit.start()
    network = Network(segmenter, "digest", "cpu:0")
    for event in watch(tmp_path / "in", tmp_path / "out", network, quick(scale=2.0), stop):
        events.append(event)
        if written(30)(events):
            stop.set()
    limit.cancel()
    record = json.loads((tmp_path / "out" / "shot" / "run.json").read_text())
    levels = segmenter.scaling.measure(stack[:16])
    inputs = segmenter.inputs(stack, levels, background=BackgroundPolicy("so-far"), scale=2.0)
    expected = np.stack([one.labels for one in segmenter.iter_labels(inputs)])
    found = labels_of(tmp_path / "out" / "shot")
    assert (found == expected).mean() > 0.999
    assert record["inputs"] == {
        "channels": ["frame", "motion"],
        "scale": 2.0,
        "background": "so-far",
    }
