"""Model cards: their metadata as the Hub's own library reads it, and their text."""

from dataclasses import replace

import huggingface_hub
import pytest

from amseg_keras import PresetInfo
from amseg_keras.preprocess import GreyScaling
from amseg_keras.pretrained.card import Measured, for_repository, model_card
from amseg_keras.pretrained.preset import description

INFO = PresetInfo("mine", ("gas", "melt"), GreyScaling(), 4.31, "simulated frames of ESRF")

EVALUATION = {
    "origin": "Simulated frames, seed 7.",
    "split": "test",
    "frames": 8,
    "mean_iou": 0.85,
    "mean_f1": 0.9,
    "classes": {"gas": {"iou": 0.85, "f1": 0.9}, "melt": {"iou": None, "f1": None}},
}


def card(info=INFO, **arguments):
    return model_card(info.name, description(info), **arguments)


def test_the_hub_reads_metadata_and_results_from_it():
    evaluation = Measured.of_evaluation(EVALUATION)
    validation = Measured("frames of APS", "validation", "On others", {"gas": 0.5}, mean_iou=0.5)
    text = card(measured=[evaluation, validation], licence="apache-2.0")
    data = huggingface_hub.ModelCard(text).data
    assert (data.library_name, data.pipeline_tag) == ("keras", "image-segmentation")
    assert data.license == "apache-2.0"
    assert set(data.tags) >= {"amseg-keras", "simulated-training-data"}
    found = {
        (one.dataset_name, one.dataset_split, one.metric_name): one.metric_value
        for one in data.eval_results
    }
    simulated, real = ("Simulated frames, seed 7", "test"), ("frames of APS", "validation")
    assert found == {
        (*simulated, "mean IoU"): 0.85,
        (*simulated, "mean F1"): 0.9,
        (*simulated, "IoU, gas"): 0.85,
        (*simulated, "F1, gas"): 0.9,
        (*real, "mean IoU"): 0.5,
        (*real, "IoU, gas"): 0.5,
    }


def test_its_text_has_what_a_reader_must_know():
    text = card(training="By hand.", measured=[Measured.of_evaluation(EVALUATION)])
    for heading in ("Use", "Intended use", "Trained on", "Results", "Limits"):
        assert f"\n## {heading}\n" in text
    assert "**These weights were trained on simulated frames." in text
    assert "| gas | 0.850 | 0.900 |\n| melt | not there | not there |\n| mean | 0.850 |" in text
    assert "simulated frames of ESRF.\n\nBy hand.\n" in text


def test_of_a_mean_without_its_classes_there_is_no_column():
    text = card(measured=[Measured("x", "validation", "On", {"gas": 0.5}, mean_f1=0.75)])
    assert "| class | IoU |" in text
    assert "\n\nMean F1: 0.750." in text


@pytest.mark.parametrize(
    ("trained_on", "bold"),
    [
        ("real frames of APS", ""),
        (
            "real frames of APS; fine-tuned from x (trained on simulated frames)",
            "**These weights were trained on simulated frames and fine-tuned on real ones.",
        ),
    ],
)
def test_it_says_in_bold_what_was_simulated(trained_on, bold):
    text = card(replace(INFO, trained_on=trained_on))
    assert bold in text
    assert ("**" in text) == bool(bold)
    tags = huggingface_hub.ModelCard(text).data.tags
    assert ("simulated-training-data" in tags) == bool(bold)


def test_names_become_neither_markup_nor_code_nor_metadata():
    info = replace(
        INFO,
        name='x"); import os; os.system("y',
        class_names=("<script>", "a | b"),
        trained_on="frames\n---\nlicense: mine",
    )
    scores = Measured("<b>\n- evil: true", "test", "On <b>", {"<script>": 0.5, "a | b": 0.25})
    text = card(info, measured=[scores])
    data = huggingface_hub.ModelCard(text).data
    assert data.license is None
    assert data.eval_results[0].dataset_name == scores.data
    body = text.split("\n---\n", 1)[1]
    assert "<script>" not in body
    assert "<b>" not in body
    assert "| &lt;script&gt; | 0.500 |\n| a &#124; b | 0.250 |" in body
    assert 'from_pretrained("owner/x-import-os-os.system-y")\n' in body.split("```")[1]


def test_only_what_loads_the_preset_is_given_the_name_of_the_repository():
    text = (
        'from_pretrained("hub/mine")\n`amseg segment x --model hub/mine -o out`\n'
        "Command: `amseg finetune --model amsegnet-esrf`, `--model hub/mine-too`\n"
    )
    assert for_repository(text, "owner/mine") == (
        'from_pretrained("owner/mine")\n`amseg segment x --model owner/mine -o out`\n'
        "Command: `amseg finetune --model amsegnet-esrf`, `--model hub/mine-too`\n"
    )
