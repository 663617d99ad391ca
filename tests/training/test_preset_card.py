"""From a run to a published preset, by the script in `hub`."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

import amseg_keras
from amseg_keras.training import Recipe, train

HUB = Path(__file__).parents[2] / "hub"


@pytest.mark.usefixtures("small_networks")
def test_a_run_becomes_a_preset_whose_card_says_how_it_was_made(data, tmp_path, monkeypatch):
    run = train(data, tmp_path / "run", Recipe(epochs=3, batch_size=4, shape=(32, 48)))
    found = amseg_keras.evaluate(run.preset, data, "test").as_json()
    (tmp_path / "evaluation.json").write_text(json.dumps(found))
    spec = importlib.util.spec_from_file_location("make_preset", HUB / "make_preset.py")
    make_preset = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_preset)
    arguments = [
        str(run.folder),
        str(tmp_path / "amsegnet-mine"),
        "--command",
        "amseg train -o run",
    ]
    arguments += ["--command", "amseg train -o run"]
    arguments += ["--evaluation", str(tmp_path / "evaluation.json")]
    monkeypatch.setattr(sys, "argv", ["make_preset.py", *arguments])
    make_preset.main()
    card = (tmp_path / "amsegnet-mine" / "README.md").read_text()
    assert "`amseg train -o run`, seed 0" in card
    assert f"| mean | {found['mean_iou']:.3f} |" in card
    assert amseg_keras.from_pretrained(tmp_path / "amsegnet-mine").info.name == "amsegnet-mine"
