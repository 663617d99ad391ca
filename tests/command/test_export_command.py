"""`amseg export` and the option `--engine`, as a user gives them."""

import importlib.util

import click
import numpy as np
import pytest
from click.testing import CliRunner
from segmented_runs import write_run

from amseg_keras.command.export import export
from amseg_keras.command.options import EngineChoice, engine_option


@pytest.fixture(scope="module")
def preset(small_segmenter, tmp_path_factory):
    return small_segmenter.save_pretrained(tmp_path_factory.mktemp("preset") / "small")


def exported(*arguments):
    return CliRunner().invoke(export, [str(argument) for argument in arguments])


def test_export_says_what_it_wrote_and_that_it_is_right(preset, tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    done = exported(preset, "-o", tmp_path / "out", "--height", 64, "--width", 96)
    assert done.exit_code == 0, done.output
    assert f"{tmp_path / 'out' / 'model.onnx'}: " in done.output
    assert "of a sample frame's labels are those of amseg segment" in done.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.md",
        "model.onnx",
        "preprocessing.json",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nowhere", "-o", "out"], 2, "PRESET"),
        (["PRESET", "-o", "out", "--height", "50"], 2, "50 is not a multiple of 16"),
        (["PRESET", "-o", "out", "--format", "caffe"], 2, "caffe"),
        (["PRESET", "-o", "PRESET"], 1, "not an empty folder: give another one"),
    ],
    ids=["no preset", "odd height", "no format", "full folder"],
)
def test_what_cannot_be_is_said_in_a_sentence(preset, tmp_path, monkeypatch, arguments, code, said):
    monkeypatch.chdir(tmp_path)
    done = exported(*(preset if word == "PRESET" else word for word in arguments))
    assert done.exit_code == code
    assert said in done.output
    assert "Traceback" not in done.output


def test_label_maps_are_exported_for_other_programs(tmp_path):
    labels = np.zeros((2, 8, 9), np.uint8)
    labels[:, 2:5, 3:6] = 4
    run = write_run(tmp_path / "scan", labels)
    done = exported(run, "-o", tmp_path / "out", "--format", "imagej-rois")
    assert done.exit_code == 0, done.output
    assert str(tmp_path / "out" / "scan-rois.zip") in done.output
    done = exported(run, "-o", tmp_path / "out", "--format", "imagej-rois")
    assert done.exit_code == 1
    assert "is there already" in done.output


def test_a_result_is_no_network(tmp_path):
    run = write_run(tmp_path / "scan", np.zeros((2, 8, 9), np.uint8))
    done = exported(run, "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert "is a result of amseg segment; give one of imagej-rois" in " ".join(done.output.split())


@click.command()
@engine_option
def chosen(engine):
    click.echo(engine)


def test_the_engine_is_auto_unless_asked():
    assert CliRunner().invoke(chosen, []).output == "auto\n"
    assert CliRunner().invoke(chosen, ["--engine", "openvino-int8"]).output == "openvino-int8\n"
    assert CliRunner().invoke(chosen, ["--engine", "magic"]).exit_code == 2


def test_an_engine_gives_a_line_to_print(small_segmenter, frames):
    chosen, said = EngineChoice(small_segmenter, "keras").for_stack(frames)
    assert said.startswith("engine keras, ")
    assert chosen.engine == "keras"
    assert small_segmenter.engine == "predict"


def test_stacks_after_the_first_run_on_the_same_engine_without_a_word(small_segmenter, frames):
    choice = EngineChoice(small_segmenter, "keras")
    first, _ = choice.for_stack(frames)
    assert choice.for_stack(frames[:1]) == (first, None)


def test_an_engine_that_is_not_installed_is_wrong_use(small_segmenter, frames, monkeypatch):
    if importlib.util.find_spec("onnxruntime"):
        monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    choice = EngineChoice(small_segmenter, "onnxruntime")
    with pytest.raises(click.BadParameter, match="onnxruntime is not installed: run pip install"):
        choice.for_stack(frames)
