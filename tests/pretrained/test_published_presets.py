"""The presets in `hub/`: each loads, and says what it was trained on."""

from pathlib import Path

import numpy as np
import pytest

from amseg_keras import from_pretrained

HUB = Path(__file__).parents[2] / "hub"
PRESETS = sorted(path.parent.name for path in HUB.glob("*/preprocessing.json"))


def test_all_facilities_have_one():
    assert {"amsegnet-aps", "amsegnet-dls", "amsegnet-esrf", "amsegnet-hpdc"} <= set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_it_segments_into_its_own_classes(name):
    segmenter = from_pretrained(HUB / name)
    labels = segmenter.segment(np.random.default_rng(0).integers(0, 255, (1, 32, 48))).labels
    assert segmenter.model.output_shape[-1] == len(segmenter.class_names)
    assert labels.max() < len(segmenter.class_names)


@pytest.mark.parametrize("name", PRESETS)
def test_its_card_says_in_bold_that_frames_were_simulated(name):
    card = (HUB / name / "README.md").read_text("utf-8")
    assert f"# {name}\n" in card
    assert "**These weights were trained on simulated frames" in card


@pytest.mark.parametrize("name", ["amsegnet-aps", "amsegnet-hpdc"])
def test_those_tuned_on_real_frames_say_which(name):
    card = (HUB / name / "README.md").read_text("utf-8")
    assert "and fine-tuned on" in card
    assert "real frames of" in from_pretrained(HUB / name).info.trained_on
