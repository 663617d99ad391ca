"""The comparison of networks: what is in it, going on after an interruption, its files."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from shallow_networks import put_in_place
from small_sets import make_dataset

from amseg_keras.comparison import Timing, compare_networks, write_comparison
from amseg_keras.evaluation import evaluate
from amseg_keras.models.networks import NETWORKS
from amseg_keras.models.titles import TITLES
from amseg_keras.read import ReadError
from amseg_keras.training import Recipe, TrainingError

RECIPE = Recipe(epochs=2, batch_size=4, shape=(32, 32), averaging=0.8, precision="float32")
TIMING = Timing(rounds=1, shape=(16, 16))
TWO = ("amsegnet", "unet")


@pytest.fixture(scope="module", autouse=True)
def _shallow_networks():
    with pytest.MonkeyPatch.context() as patch:
        put_in_place(patch)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_dataset(tmp_path_factory.mktemp("set") / "frames", sequences=6, frames=1)


class Trainings:
    """What was told, and how many steps of each stage."""

    def __init__(self, stop_in=None):
        self.stages, self.steps, self.stop_in = [], {}, stop_in

    def __call__(self, what, training):
        if training is None:
            self.stages.append(what)
        else:
            self.steps[what] = self.steps.get(what, 0) + 1
            if what == self.stop_in:
                raise KeyboardInterrupt


@pytest.fixture(scope="module")
def made(data, tmp_path_factory):
    """Two networks compared: the folder, what was told, the comparison."""
    out, told = tmp_path_factory.mktemp("comparison"), Trainings()
    found = compare_networks(data, out, RECIPE, TWO, timing=TIMING, progress=told)
    return out, told, found


def test_the_table_has_costs_scores_and_times(made, data):
    out, _, found = made
    table = found.table.set_index("network")
    assert list(table.columns) == [
        "trainable_parameters",
        "gmac",
        "mean_iou",
        "f1",
        *(f"iou_{name}" for name in data.class_names),
        "training_s_per_frame",
        "segmentation_ms_per_frame",
        "training_ratio",
        "segmentation_ratio",
    ]
    assert list(table.index) == list(TWO)
    for name in TWO:
        wanted = evaluate(out / "runs" / name / "preset", data)
        assert table.loc[name, "mean_iou"] == pytest.approx(wanted.mean_iou)
        assert table.loc[name, "f1"] == pytest.approx(wanted.mean_f1)
        assert table.loc[name, "iou_plate"] == pytest.approx(wanted.classes.loc["plate", "iou"])
        weights = NETWORKS[name](num_classes=3).trainable_weights
        assert table.loc[name, "trainable_parameters"] == sum(
            int(np.prod(w.shape)) for w in weights
        )
    assert (table[["training_s_per_frame", "segmentation_ms_per_frame"]] > 0).all(axis=None)
    assert table.loc["unet", ["training_ratio", "segmentation_ratio"]].tolist() == [1, 1]


def test_the_curves_are_those_of_the_trainings(made):
    out, _, found = made
    for name in TWO:
        curve = found.curves[found.curves["network"] == name]
        epochs = pd.read_csv(out / "runs" / name / "epochs.csv")
        for column in ("epoch", "minutes", "mean_iou"):
            assert curve[column].tolist() == epochs[column].tolist()
        assert len(curve) == 2


def test_all_networks_are_trained_alike_and_it_is_said_how(made, data):
    out, _, found = made
    records = [json.loads((out / "runs" / name / "run.json").read_text()) for name in TWO]
    asked = [{**record["asked"]["recipe"], "network": None} for record in records]
    assert asked[0] == asked[1]
    conditions = found.conditions
    assert conditions["recipe"]["batch_size"] == 4
    assert "network" not in conditions["recipe"]
    assert conditions["data"]["frames"] == {"train": 4, "validation": 1, "test": 1}
    assert conditions["timing"]["rounds"] == 1
    assert conditions["precision"] == "float32"
    assert {"hardware", "versions", "finished"} <= conditions.keys()
    assert found.errors == ()


def test_every_stage_is_told(made):
    _, told, found = made
    titles = [TITLES[name] for name in TWO]
    assert [stage for stage in told.stages if stage.startswith(("training", "evaluating"))] == [
        f"{what} {title}" for title in titles for what in ("training", "evaluating")
    ]
    assert told.stages[-1] == "timing all networks: round 2 of 2"
    assert f"U-Net: mean IoU {found.table['mean_iou'][1]:.3f} on the test frames" in told.stages
    assert set(told.steps) == {f"training {title}" for title in titles}


def test_finished_networks_are_neither_trained_nor_timed_again(made, data):
    out, _, found = made
    told = Trainings()
    again = compare_networks(data, out, RECIPE, TWO, timing=TIMING, progress=told)
    assert not told.steps
    assert not any(stage.startswith("timing") for stage in told.stages)
    pd.testing.assert_frame_equal(again.table, found.table)
    pd.testing.assert_frame_equal(again.curves, found.curves)


def test_killed_it_goes_on_with_the_network_that_was_trained(data, tmp_path):
    recipe = replace(RECIPE, epochs=1)
    killed = Trainings(stop_in="training U-Net")
    with pytest.raises(KeyboardInterrupt):
        compare_networks(data, tmp_path, recipe, TWO, timing=TIMING, progress=killed)
    assert killed.steps["training AM-SegNet"] > 0
    told = Trainings()
    found = compare_networks(data, tmp_path, recipe, TWO, timing=TIMING, progress=told)
    assert set(told.steps) == {"training U-Net"}
    assert found.table["network"].tolist() == list(TWO)


def test_trainings_by_another_recipe_are_refused(made, data):
    with pytest.raises(TrainingError, match="epochs 2, not 3"):
        compare_networks(data, made[0], replace(RECIPE, epochs=3), TWO, timing=TIMING)


def test_missing_test_frames_are_known_before_training(tmp_path):
    data = make_dataset(tmp_path / "frames", sequences=5, frames=1)
    told = Trainings()
    with pytest.raises(ReadError, match="'test'"):
        compare_networks(data, tmp_path / "out", RECIPE, TWO, timing=TIMING, progress=told)
    assert not told.stages
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("networks", [(), ("unet", "unet"), ("unet", "w-net")])
def test_networks_that_cannot_be_compared_are_refused(data, tmp_path, networks):
    with pytest.raises(ValueError, match=r"network"):
        compare_networks(data, tmp_path / "out", RECIPE, networks)
    assert not (tmp_path / "out").exists()


def test_files_of_a_comparison(made, tmp_path):
    found = made[2]
    write_comparison(found, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "curves.csv",
        "networks.csv",
        "networks.json",
        "networks.md",
        "networks.png",
    ]
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "networks.csv"), found.table)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "curves.csv"), found.curves)
    record = json.loads((tmp_path / "networks.json").read_text())
    assert record["networks"][1]["mean_iou"] == found.table["mean_iou"][1]
    assert record["conditions"]["recipe"]["epochs"] == 2
    text = (tmp_path / "networks.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert rows[0].startswith("| network | parameters | GMAC | mean IoU | F1 | IoU gas |")
    assert [row.split(" | ")[0] for row in rows[2:]] == ["| AM-SegNet", "| U-Net"]
    assert len({row.count("|") for row in rows}) == 1
    assert "4 train, 1 validation, 1 test" in text
    assert f"{found.table['mean_iou'][0]:.3f}" in rows[2]
    with Image.open(tmp_path / "networks.png") as picture:
        assert picture.width > 1000


def test_a_class_that_is_nowhere_has_no_score(made, tmp_path):
    found = made[2]
    write_comparison(replace(found, table=found.table.assign(iou_pore=np.nan)), tmp_path)
    # Not `NaN`, which is no JSON.
    record = json.loads((tmp_path / "networks.json").read_text(), parse_constant=pytest.fail)
    assert record["networks"][0]["iou_pore"] is None
    assert "| - |" in (tmp_path / "networks.md").read_text("utf-8")


def test_every_network_can_be_drawn(made, tmp_path):
    found = made[2]
    rows = [found.table.iloc[:1].assign(network=name) for name in NETWORKS]
    curves = [found.curves.assign(network=name) for name in NETWORKS]
    write_comparison(replace(found, table=pd.concat(rows), curves=pd.concat(curves)), tmp_path)
    assert (tmp_path / "networks.png").is_file()
