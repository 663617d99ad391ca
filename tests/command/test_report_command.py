"""`amseg report` as its users run it."""

import json
import re
import shutil
from dataclasses import asdict

import imageio.v3 as iio
import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner
from drawn_experiment import FRAMES, draw_labels, write_quantified, write_segmented
from PIL import Image

from amseg_keras.command.report import report as command
from amseg_keras.outputs import input_content
from amseg_keras.runs.labelled_experiment import find_experiments
from amseg_keras.runs.quantify import QuantifySettings, quantify_experiment


def run(*arguments):
    return CliRunner().invoke(command, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def quantified(tmp_path_factory):
    parameters = {"material": "Ti6Al4V", "power_W": 200.0, "speed_mm_s": 750.0}
    return write_quantified(tmp_path_factory.mktemp("quantified") / "scan", parameters=parameters)


@pytest.fixture
def scan(quantified, tmp_path):
    """An experiment of the test's own."""
    folder = shutil.copytree(quantified, tmp_path / "scan")
    source = shutil.copy(quantified.with_name("scan.tif"), tmp_path)
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(record | {"source": str(source)}))
    return folder


def one_sentence(done, *said):
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert done.stderr.count("\n") == 1
    for text in said:
        assert str(text) in done.stderr


def test_the_report_lies_in_the_folder_with_its_figures(scan):
    done = run(scan)
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{scan / 'report.html'}\n"
    figures = sorted(path.name for path in (scan / "report_figures").iterdir())
    assert figures == [
        f"{name}.{kind}"
        for name in ("keyhole_area_histogram", "keyhole_spectrum", "time_series")
        for kind in ("pdf", "png")
    ]
    for path in (scan / "report_figures").glob("*.png"):
        with Image.open(path) as image:
            assert np.asarray(image.convert("L")).std() > 10
    assert not list(scan.glob("*.mp4"))


def test_the_report_tells_what_it_is_of_and_what_to_know(scan):
    done = run(scan)
    assert done.exit_code == 0, done.output
    assert "  2 frames of 39 without a keyhole" in done.stderr
    text = (scan / "report.html").read_text("utf-8")
    for said in (
        "40 frames of 96 x 64 pixels, 2 µm a pixel, 10,000 frames a second, scan to the right",
        "Ti6Al4V, 200 W, 750 mm/s",
        "trained on: simulated frames",
        "1 frame could not be read, and nothing is measured there: 7",
        "2 frames of 39 without a keyhole",
        "some-net",
        "cafe",
        "9.8.7",
        str(scan.with_name("scan.tif")),
    ):
        assert said in text
    assert text.count("data:image/jpeg;base64,") == 6
    assert "not at hand" not in text


def test_out_and_movie_go_where_they_are_asked(scan, tmp_path):
    before = sorted(path.name for path in scan.iterdir())
    out = tmp_path / "new" / "paper.html"
    done = run(scan, "-o", out, "--movie")
    assert done.exit_code == 0, done.output
    movie = out.with_name("paper_movie.mp4")
    assert done.stdout == f"{out}\n{movie}\n"
    assert sorted(path.name for path in out.parent.iterdir()) == [
        "paper.html",
        "paper_figures",
        "paper_movie.mp4",
    ]
    assert len(iio.imread(movie, plugin="pyav")) == FRAMES
    assert sorted(path.name for path in scan.iterdir()) == before


def test_a_report_is_made_anew(scan):
    assert run(scan).exit_code == 0
    path = scan / "quantities" / "quantities.json"
    record = json.loads(path.read_text())
    record["parameters"]["material"] = "AlSi10Mg"
    path.write_text(json.dumps(record))
    assert run(scan).exit_code == 0
    assert "AlSi10Mg" in (scan / "report.html").read_text("utf-8")


def test_somebody_elses_files_are_left_alone(scan):
    (scan / "report.html").write_text("mine")
    one_sentence(run(scan), scan / "report.html", "-o")
    assert (scan / "report.html").read_text() == "mine"
    movie = scan / "other_movie.mp4"
    movie.write_text("mine")
    one_sentence(run(scan, "-o", scan / "other.html", "--movie"), movie)
    assert movie.read_text() == "mine"


def test_frames_that_have_moved_are_told_and_labels_shown_alone(scan):
    source = scan.with_name("scan.tif")
    source.rename(source.with_name("elsewhere.tif"))
    done = run(scan, "--movie")
    assert done.exit_code == 0, done.output
    said = f"The recording is not at hand, so that only labels are shown: {source}"
    assert said in done.stderr
    assert said in (scan / "report.html").read_text("utf-8")
    assert len(iio.imread(scan / "report_movie.mp4", plugin="pyav")) == FRAMES


def test_frames_that_are_others_now_are_not_shown(scan):
    tifffile.imwrite(scan.with_name("scan.tif"), np.zeros((5, 64, 96), np.uint16))
    done = run(scan)
    assert done.exit_code == 0, done.output
    assert "is now 5 x 64 x 96 and was 40 x 64 x 96" in done.stderr


def test_frames_of_another_recording_of_the_same_size_are_not_shown(scan):
    path = scan.with_name("scan.tif")
    record = json.loads((scan / "run.json").read_text())
    record["input"] = asdict(input_content([path]))
    (scan / "run.json").write_text(json.dumps(record))
    tifffile.imwrite(path, tifffile.imread(path)[:, ::-1].copy(), photometric="minisblack")
    done = run(scan)
    assert done.exit_code == 0, done.output
    assert "changed since then, so its frames are not those of the labels" in done.stderr


def test_labels_that_were_corrected_are_measured_again_before_they_are_reported(scan):
    labels = tifffile.imread(scan / "labels.tif")
    labels[:, :4] = 0
    tifffile.imwrite(scan / "labels.tif", labels, photometric="minisblack")
    one_sentence(run(scan), "its labels changed since they were measured", "amseg quantify")


def test_without_a_frame_rate_frames_are_counted(tmp_path):
    scan = write_quantified(tmp_path / "scan", frame_rate_hz=None, pixel_size_um=None)
    done = run(scan)
    assert done.exit_code == 0, done.output
    assert "The frame rate is not known" in done.stderr
    assert "The size of a pixel is not known" in done.stderr
    assert not (scan / "report_figures" / "keyhole_spectrum.pdf").exists()
    assert "time (" not in (scan / "report.html").read_text("utf-8")


def test_a_recording_of_one_frame_has_a_report(tmp_path):
    scan = write_quantified(tmp_path / "scan", labels=draw_labels()[:1])
    done = run(scan)
    assert done.exit_code == 0, done.output
    text = (scan / "report.html").read_text("utf-8")
    assert "1 frame of 96 x 64 pixels" in text
    assert text.count("data:image/jpeg;base64,") == 1


def test_what_is_missing_is_one_sentence(scan, tmp_path):
    one_sentence(run(tmp_path / "missing"), tmp_path / "missing")
    one_sentence(run(tmp_path), tmp_path, "scan")
    segmented = write_segmented(tmp_path / "segmented")
    one_sentence(run(segmented), f"run: amseg quantify {segmented}")
    (scan / "labels.tif").write_bytes(b"II*\0")
    one_sentence(run(scan), "labels.tif")


def test_a_place_that_cannot_be_written_is_one_sentence(scan, tmp_path):
    (tmp_path / "file").touch()
    one_sentence(run(scan, "-o", tmp_path / "file" / "report.html"), tmp_path / "file")


def test_wrong_use_is_exit_code_2(scan, tmp_path):
    assert run().exit_code == 2
    assert run(scan, "-o", tmp_path).exit_code == 2
    assert run(scan, "--speed").exit_code == 2


def test_a_report_on_an_assumed_pixel_size_says_so_at_every_length(tmp_path):
    scan = write_segmented(
        tmp_path / "scan", pixel_size_um=None, pixel_size_from=None, trained_pixel_size_um=2.0
    )
    (experiment,), _ = find_experiments([str(scan)])
    settings = QuantifySettings(frame_rate_hz=10_000.0, assume_pixel_size=True)
    quantify_experiment(experiment, scan / "quantities", settings)
    assert run(scan).exit_code == 0
    text = (scan / "report.html").read_text("utf-8")
    assert "2 µm a pixel (assumed)" in text
    assert "Nobody measured it" in text
    for place in re.finditer(r"µm²?(?!\w)", text.partition("How it was made")[0]):
        around = text[place.start() - 20 : place.end() + 120]
        assert "assumed" in around or "Nobody" in around or "µm here is a guess" in around, around
    for name in ("frames", "pores", "tracks", "events"):
        table = pd.read_csv(scan / "quantities" / f"{name}.csv")
        assert (table["pixel_size_from"] == "assumed").all()


def test_a_report_without_a_pixel_size_has_no_micrometre(tmp_path):
    scan = write_quantified(
        tmp_path / "scan", pixel_size_um=None, pixel_size_from=None, trained_pixel_size_um=2.0
    )
    assert run(scan).exit_code == 0
    numbers = (scan / "report.html").read_text("utf-8").partition("How it was made")[0]
    assert "µm" not in numbers.partition("<h1>")[2]
