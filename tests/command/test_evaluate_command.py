"""`amseg evaluate` as its users run it."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from PIL import Image

from amseg_keras.classes import CLASS_NAMES, IGNORE
from amseg_keras.command.evaluate import evaluate as command
from amseg_keras.datasets import Dataset, LabelledFrame, open_dataset
from amseg_keras.datasets.dataset import write_frame
from amseg_keras.evaluation import evaluate
from amseg_keras.pretrained.preset import weights_digest

FILES = [
    *("classes.csv", "confusion.csv", "confusion.png", "evaluation.json", "frames.csv"),
    *("quantity_errors.csv", "quantity_errors.png", "quantity_errors_by_material.csv"),
    *("report.html", "worst"),
]


def run(*arguments):
    return CliRunner().invoke(command, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def preset(small_segmenter, tmp_path_factory):
    return small_segmenter.save_pretrained(tmp_path_factory.mktemp("preset") / "small")


@pytest.fixture
def data(tmp_path):
    """Two sequences of three frames, the third of each for the test."""
    rng = np.random.default_rng(2)
    frames = []
    for sequence in "ab":
        for number, split in enumerate(("train", "train", "test"), 1):
            image = rng.integers(0, 60000, (32, 48), dtype=np.uint16)
            labels = rng.integers(0, 4, (32, 48), dtype=np.uint8)
            labels[0] = IGNORE
            about = LabelledFrame("", None, sequence, number, split, material="Ti64")
            frames.append(write_frame(tmp_path / "data", image, labels, about))
    data = Dataset(tmp_path / "data", CLASS_NAMES, tuple(frames), origin="Made for a test.")
    data.save()
    return data


def test_prints_the_table_and_writes_nothing_without_a_folder(preset, data, small_segmenter):
    done = run("-m", preset, "-d", data.folder)
    assert done.exit_code == 0, done.output
    wanted = evaluate(small_segmenter, data)
    rows = [line.split() for line in done.stdout.splitlines()]
    for name, scores in wanted.classes.iterrows():
        (row,) = (row for row in rows if row[:1] == [name])
        assert row[1] == f"{scores['iou']:.3f}"
    assert f"mean IoU {wanted.mean_iou:.3f}, mean F1 {wanted.mean_f1:.3f}, of 2 frames" in (
        done.stdout
    )
    assert "without labels, and in no mean: pore" in done.stdout
    assert "trained on  nothing: random weights" in done.stdout
    assert "Made for a test." in done.stdout
    assert [path.name for path in data.folder.parent.iterdir()] == ["data"]


def test_writes_tables_pictures_and_report(preset, data, tmp_path, small_segmenter):
    out = tmp_path / "out"
    done = run("-m", preset, "-d", data.folder, "--split", "all", "--worst", 2, "-o", out)
    assert done.exit_code == 0, done.output
    wanted = evaluate(small_segmenter, data, None)
    assert sorted(path.name for path in out.iterdir()) == FILES
    record = json.loads((out / "evaluation.json").read_text())
    assert record["mean_iou"] == wanted.mean_iou
    assert record["weights_sha256"] == weights_digest(preset)
    assert record["split"] == "all"
    assert {"amseg-keras", "keras", "backend"} <= record["versions"].keys()
    assert all((out / name).exists() for name in record["outputs"])
    classes = pd.read_csv(out / "classes.csv", index_col="class")
    np.testing.assert_allclose(classes["f1"], wanted.classes["f1"], rtol=1e-5)
    confusion = pd.read_csv(out / "confusion.csv", index_col="truth")
    np.testing.assert_array_equal(confusion, wanted.confusion)
    assert list(confusion.columns) == list(confusion.index) == list(CLASS_NAMES)
    assert list(pd.read_csv(out / "frames.csv")["image"]) == [one.image for one in data.frames]
    worst = sorted(path.name for path in (out / "worst").iterdir())
    assert worst == [
        f"{place:02}_{counts.frame.sequence}_{counts.frame.frame:05}.png"
        for place, counts in enumerate(wanted.worst(2), 1)
    ]
    text = (out / "report.html").read_text("utf-8")
    assert weights_digest(preset) in text
    assert text.count("data:image/png;base64,") == 4


def test_results_of_another_run_are_replaced_only_when_asked(preset, data, tmp_path):
    out = tmp_path / "out"
    given = ("-m", preset, "-d", data.folder, "-o", out)
    assert run(*given).exit_code == 0
    before = (out / "evaluation.json").read_text()
    done = run(*given, "--split", "train")
    assert done.exit_code == 1
    assert str(out) in done.stderr
    assert "--overwrite" in done.stderr
    assert (out / "evaluation.json").read_text() == before
    (out / "worst" / "mine.png").touch()
    done = run(*given, "--split", "train", "--worst", 0, "--overwrite")
    assert done.exit_code == 0, done.output
    assert json.loads((out / "evaluation.json").read_text())["split"] == "train"
    # Pictures of the earlier run are gone, what somebody else put there is not.
    assert [path.name for path in (out / "worst").iterdir()] == ["mine.png"]


def test_the_same_evaluation_is_done_anew_since_labels_may_have_changed(preset, data, tmp_path):
    given = ("-m", preset, "-d", data.folder, "-o", tmp_path / "out")
    assert run(*given).exit_code == 0
    first = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    for frame in data.frames:
        Image.new("L", (48, 32), 1).save(data.folder / frame.label)
    assert run(*given).exit_code == 0
    second = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert first["confusion"] != second["confusion"]


def test_somebody_elses_files_are_left_alone(preset, data, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.html").write_text("mine")
    done = run("-m", preset, "-d", data.folder, "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert "report.html" in done.stderr
    assert (tmp_path / "out" / "report.html").read_text() == "mine"


def test_a_frame_that_cannot_be_read_is_named_and_the_others_evaluated(preset, data, tmp_path):
    broken = data.folder / data.of_split("test").frames[0].image
    broken.write_bytes(broken.read_bytes()[:200])
    done = run("-m", preset, "-d", data.folder, "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert broken.name in done.stderr[done.stderr.index("failed:") :]
    assert "of 1 frame\n" in done.stdout
    record = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert broken.name in record["unreadable_frames"][0]
    assert broken.name in (tmp_path / "out" / "report.html").read_text("utf-8")


def one_sentence(done, file):
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert done.stderr.count("\n") == 1
    assert str(file) in done.stderr


def test_bad_input_is_one_sentence(preset, data, tmp_path):
    one_sentence(run("-m", preset, "-d", tmp_path / "missing"), tmp_path / "missing")
    one_sentence(run("-m", preset, "-d", data.folder, "--split", "validation"), data.folder)
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "out"
    one_sentence(run("-m", preset, "-d", data.folder, "-o", out), out)
    document = data.folder / "dataset.json"
    document.write_text(document.read_text().replace('"pore"', '"slag"'))
    assert open_dataset(data.folder).class_names[-1] == "slag"
    done = run("-m", preset, "-d", data.folder)
    one_sentence(done, data.folder)
    assert "'slag'" in done.stderr
    shutil.rmtree(data.folder / "images")
    one_sentence(run("-m", preset, "-d", data.folder), data.folder)


@pytest.mark.parametrize(
    "wrong",
    [
        ("--split", "half"),
        ("--worst", -1),
        ("--device", "abacus"),
        ("-m", "no-such-preset"),
        ("--revision", "main"),
        ("-o", __file__),
    ],
)
def test_wrong_use_is_exit_code_2(preset, data, wrong):
    assert run("-m", preset, "-d", data.folder, *wrong).exit_code == 2


def test_a_data_set_must_be_given(preset):
    done = run("-m", preset)
    assert done.exit_code == 2
    assert "--data" in done.stderr
