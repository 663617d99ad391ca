"""`amseg train` and `amseg finetune`, as a user gives them."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
from click.testing import CliRunner
from random_networks import randomise
from small_sets import make_dataset, small_network, small_recordings

from amseg_keras import PresetInfo, Segmenter
from amseg_keras.command import main
from amseg_keras.models.networks import NETWORKS
from amseg_keras.preprocess import GreyScaling

SMALL = ["--epochs", "2", "--batch-size", "4", "--shape", "32x48"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setitem(NETWORKS, "amsegnet", small_network)
    return make_dataset(tmp_path / "frames", sequences=6, frames=2).folder


def amseg(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_train_prints_an_epoch_a_line_and_names_the_preset(folder, tmp_path):
    done = amseg("train", "--data", folder, "-o", tmp_path / "run", *SMALL)
    assert done.exit_code == 0, done.output
    assert "epoch  minutes" in done.output
    assert "gas  plate  pore" in done.output
    assert str(tmp_path / "run" / "preset") in done.output


def test_repeats_report_mean_and_spread_on_the_test_frames(folder, tmp_path):
    done = amseg("train", "--data", folder, "-o", tmp_path / "run", *SMALL, "--repeats", "2")
    assert done.exit_code == 0, done.output
    lines = (tmp_path / "run" / "repeats.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["", "seed 0", "seed 1", "mean", "sd"]


@pytest.mark.parametrize(
    ("command", "share"), [("train", "--simulated-share"), ("finetune", "--replay")]
)
def test_a_data_set_is_mixed_with_simulated_frames(command, share, folder, tmp_path, monkeypatch):
    pytest.importorskip("cv2")
    small_recordings(monkeypatch)
    info = PresetInfo("small", ("gas", "pore"), GreyScaling(), None, "nothing: random weights")
    preset = Segmenter(randomise(small_network(2)), info).save_pretrained(tmp_path / "preset")
    start = ["-m", preset] if command == "finetune" else []
    source = ["--data", folder, "--simulate", "aps", share, "0.25"]
    short = [*SMALL[2:], "--epochs", "1"]
    done = amseg(command, *source, *start, "-o", tmp_path / "run", *short)
    assert done.exit_code == 0, done.output
    asked = json.loads((tmp_path / "run" / "run.json").read_text())["asked"]
    assert asked["data"]["mixed_with"][0]["simulated"]["facilities"] == {"aps": 1.0}


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A fine-tuning: what the command said, its run, and its data."""
    place = tmp_path_factory.mktemp("tuned")
    data = make_dataset(place / "frames", sequences=6, frames=2).folder
    info = PresetInfo("small", ("gas", "pore"), GreyScaling(), None, "nothing: random weights")
    preset = Segmenter(randomise(small_network(2)), info).save_pretrained(place / "preset")
    done = amseg("finetune", "--data", data, "-m", preset, "-o", place / "run", *SMALL)
    assert done.exit_code == 0, done.output
    return done, place / "run", data


def test_finetune_says_how_long_it_takes_and_what_it_reached(tuned):
    done, _, _ = tuned
    assert "less if it stops early" in done.output
    assert "no simulated frames are mixed in" in done.output
    assert "on the held-out frames after epoch" in done.output
    assert re.search(r"IoU before +IoU after", done.output)


def test_evaluate_scores_the_frames_that_a_fine_tuning_held_out(tuned, tmp_path):
    _, run, data = tuned
    split = pd.read_csv(run / "split.csv")["split"]
    evaluated = amseg("evaluate", "--run", run, "--data", data, "-o", tmp_path / "scores")
    assert evaluated.exit_code == 0, evaluated.output
    record = json.loads((tmp_path / "scores" / "evaluation.json").read_text())
    assert record["frames"] == (split == record["split"]).sum() > 0


def test_evaluate_takes_a_run_or_a_model_not_both(folder, tmp_path):
    done = amseg("evaluate", "--run", tmp_path, "-m", "amsegnet-esrf", "--data", folder)
    assert done.exit_code == 2
    assert "give --run or --model, not both" in done.output


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--data", "nowhere"], 1, "nowhere: no such file or folder"),
        ([], 2, "give --data, --simulate, or both"),
        (["--simulate", "moon"], 1, "'moon' is no facility"),
        (["--simulate", "esrf=much"], 2, "'esrf=much' is no share"),
        (["--simulate", "esrf", "--shape", "30x40"], 2, "multiples of 16"),
        (["--simulate", "esrf", "--channels", "motion"], 2, "the first must be frame"),
        (["--simulate", "esrf", "--student", "giant"], 2, "'giant' is no network"),
        (["--simulate", "esrf", "--student", "unet:wide"], 2, "has no width, such as unet:24"),
        (["--simulate", "esrf", "--kept-frames", "9"], 2, "at least the 200 new frames"),
        (["--simulate", "esrf", "--start-from", "none-such"], 1, "none-such: no preset"),
    ],
)
def test_wrong_input_is_one_sentence(arguments, code, said, tmp_path):
    done = amseg("train", *arguments, "-o", tmp_path / "run")
    assert done.exit_code == code, done.output
    assert said in done.output
    assert "Traceback" not in done.output
    assert not (tmp_path / "run").exists()


def test_a_data_set_without_a_split_says_how_to_split(tmp_path):
    folder = make_dataset(tmp_path / "frames", sequences=3, frames=1, split=False).folder
    done = amseg("train", "--data", folder, "-o", tmp_path / "run")
    assert done.exit_code == 1
    assert "amseg dataset split" in done.output


KILLED = """
import sys
from small_sets import small_network
from amseg_keras.command import main
from amseg_keras.models.networks import NETWORKS
from amseg_keras.training import trainer

NETWORKS["amsegnet"] = small_network
trainer.CHECKPOINT_SECONDS = 0.1
main(sys.argv[1:])
"""


@pytest.mark.slow
def test_a_killed_training_goes_on_with_resume(folder, tmp_path):
    run = tmp_path / "run"
    command = ["train", "--data", str(folder), "-o", str(run), *SMALL, "--epochs", "400"]
    environment = os.environ | {"PYTHONPATH": os.path.dirname(os.path.dirname(__file__))}
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, *command],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not (run / "checkpoint.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    asked = json.loads((run / "run.json").read_text())
    assert "finished" not in asked
    # The same training, but of an end that comes soon.
    asked["asked"]["recipe"]["epochs"] = 2
    (run / "run.json").write_text(json.dumps(asked))
    done = amseg("train", "--data", folder, "-o", run, *SMALL, "--resume")
    assert done.exit_code == 0, done.output
    assert json.loads((run / "run.json").read_text())["finished"]


def test_without_opencv_simulated_frames_are_asked_for_with_what_to_install(tmp_path):
    code = (
        "import sys; sys.modules['cv2'] = None\n"
        "from amseg_keras.command import main\n"
        f"main(['train', '--simulate', 'esrf', '-o', {str(tmp_path / 'out')!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install" in done.stderr
    assert "Traceback" not in done.stderr
