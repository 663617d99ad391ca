"""`amseg correlate`"""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from amseg_keras.command.report import correlate
from amseg_keras.quantify.study import covariance_ellipse, dividing_line
from amseg_keras.runs.correlate import read_experiments


def run(*arguments):
    return CliRunner().invoke(correlate, list(map(str, arguments)))


def write_run(folder, pores, delta, **record):
    """A folder as `amseg quantify` writes it, with what is read of it."""
    folder.mkdir(parents=True)
    areas = 5000 * (1 + delta * np.array([-1, 1, -1, 1]))
    summary = {
        "frames": 5, "keyhole_frames": 4, "pores_formed": pores + 1, "pores_from_keyhole": pores,
        "median_keyhole_depth_px": 25.0, "median_keyhole_depth_um": 100.0 + 300 * delta,
        "median_keyhole_area_px": 312.5, "median_keyhole_area_um2": float(np.median(areas)),
        "area_delta_avg": delta, "area_delta_max": 1.7 * delta**0.8,
        "depth_delta_avg": delta, "depth_delta_max": delta, "oscillation_hz": None,
    }  # fmt: skip
    quantities = {"summary": summary, "model": "amsegnet-esrf", "parameters": {}} | record
    (folder / "quantities.json").write_text(json.dumps(quantities))
    frames = {"frame": range(5), "keyhole_area_um2": [*areas, 0], "keyhole_area_px": 1}
    pd.DataFrame(frames).to_csv(folder / "frames.csv", index=False)
    tracks = {"from_keyhole": [True] * pores + [False]}
    tracks |= {"largest_area_px": 50.0, "largest_area_um2": [400.0] * pores + [9000.0]}
    pd.DataFrame(tracks).to_csv(folder / "tracks.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Eight experiments; pores begin at a fluctuation of 0.3."""
    folders = []
    for number, delta in enumerate((0.08, 0.1, 0.17, 0.2, 0.3, 0.35, 0.39, 0.5)):
        parameters = {"material": "Ti6Al4V", "power_W": 250.0 + 20 * number}
        pores = max(number - 3, 0)
        folder = tmp_path_factory.getbasetemp() / "correlated" / f"scan_{number}"
        folders.append(write_run(folder, pores, delta, parameters=parameters))
    return folders


@pytest.fixture(scope="module")
def done(runs, tmp_path_factory):
    """All of them correlated, with parameters and a map of choice: the result and the folder."""
    folder = tmp_path_factory.mktemp("study")
    rows = ["run\tspeed_mm_s\tpower_W", *(f"scan_{number}\t{number}00\t400" for number in range(7))]
    (folder / "parameters.tsv").write_text("\n".join([*rows, "scan_99\t1\t1"]))
    chosen = ("--x", "power_W", "--y", "area_delta_avg", "--title", "made up")
    out = folder / "out"
    return run(*runs, "-o", out, "--parameters", folder / "parameters.tsv", *chosen), out


def test_writes_the_table_the_numbers_and_the_figures(done):
    result, out = done
    assert result.exit_code == 0, result.output
    record = json.loads((out / "correlation.json").read_text())
    figures = ("correlation", "power_speed", "area_delta_avg_against_power_W")
    assert {path.name for path in out.iterdir()} == set(record["outputs"]) == {
        *("experiments.csv", "experiments.parquet", "correlation.json"),
        *(f"{name}.{kind}" for name in figures for kind in ("png", "pdf")),
    }  # fmt: skip
    assert [[plane["x"], plane["y"]] for plane in record["planes"]] == [
        ["area_delta_avg", "area_delta_max"],
        ["median_keyhole_depth_um", "median_keyhole_area_um2"],
        ["power_W", "area_delta_avg"],
    ]
    table = pd.read_csv(out / "experiments.csv")
    assert table["experiment"].tolist() == [f"scan_{number}" for number in range(8)]
    assert table["has_pores"].tolist() == [False] * 4 + [True] * 4
    diameters = table["largest_keyhole_pore_equivalent_diameter_um"]
    assert diameters[7] == pytest.approx(np.sqrt(4 * 400 / np.pi))
    assert diameters[:4].isna().all()
    same = ["experiment", "power_W", "area_delta_avg"]
    pd.testing.assert_frame_equal(pd.read_parquet(out / "experiments.parquet")[same], table[same])
    assert record["experiments"] == {"all": 8, "with_pores": 4, "without_pores": 4}


def test_lines_and_ellipses_are_those_of_the_table(done):
    result, out = done
    table = pd.read_csv(out / "experiments.csv")
    plane = json.loads((out / "correlation.json").read_text())["planes"][0]
    line = dividing_line(table, "area_delta_avg", "area_delta_max")
    assert plane["line"]["slope"] == pytest.approx(line.slope)
    assert plane["line"]["accuracy"] == pytest.approx(line.accuracy)
    group = table[table["has_pores"]]
    ellipse = covariance_ellipse(group["area_delta_avg"], group["area_delta_max"])
    assert plane["with_pores"]["half_axes"] == pytest.approx(ellipse.half_axes)
    assert f"dividing line {line.accuracy:.0%} right" in result.stdout


def test_a_table_of_parameters_is_merged_and_goes_first(done):
    result, out = done
    table = pd.read_csv(out / "experiments.csv").set_index("experiment")
    merged = table.loc["scan_3", ["power_W", "speed_mm_s", "material"]].tolist()
    assert merged == [400, 300, "Ti6Al4V"]
    assert table.loc["scan_7", "power_W"] == 390
    assert "parameters of no experiment here: scan_99" in result.stderr
    assert "not in the table of parameters: scan_7" in result.stderr


def test_the_result_of_other_experiments_is_not_replaced_unasked(runs, done):
    _, out = done
    refused = run(*runs[1:], "-o", out)
    assert refused.exit_code == 1
    assert "another run" in refused.stderr
    assert len(pd.read_csv(out / "experiments.csv")) == 8


def test_a_table_of_that_name_that_is_not_ours_is_kept(runs, tmp_path):
    (tmp_path / "experiments.csv").write_text("mine")
    refused = run(*runs, "-o", tmp_path)
    assert refused.exit_code == 1
    assert "experiments.csv that amseg correlate did not write" in refused.stderr
    assert (tmp_path / "experiments.csv").read_text() == "mine"


def test_a_folder_that_cannot_be_read_is_named_and_the_others_are_done(runs, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "correlation.json").write_text('{"source": "others"}')
    damaged = write_run(tmp_path / "damaged", 1, 0.2)
    (damaged / "tracks.csv").write_text("frame\n1\n")
    bad = (tmp_path / "other", damaged, tmp_path / "missing")
    result = run(*runs[:4], *bad, "-o", tmp_path / "out", "--overwrite")
    assert result.exit_code == 1
    for named in (
        f"{tmp_path / 'missing'}: no such folder",
        f"{tmp_path / 'other'}: is not quantified yet; run: amseg quantify",
        f"{damaged / 'tracks.csv'}: cannot be read as table of tracks",
    ):
        assert named in result.stderr
    table = pd.read_csv(tmp_path / "out" / "experiments.csv")
    assert table["experiment"].tolist() == ["scan_0", "scan_1", "scan_2", "scan_3"]
    # All that are left are without pores.
    assert result.stderr.count("0 with and 4 without") == 1
    assert "no dividing line" in result.stdout
    record = json.loads((tmp_path / "out" / "correlation.json").read_text())
    assert record["planes"][0]["line"] is None
    assert len(record["unreadable_runs"]) == 3


def test_the_folder_of_a_segmented_stack_is_as_good_as_that_of_its_quantities(tmp_path):
    inner = [write_run(tmp_path / name / "quantities", 1, 0.2) for name in ("scan_a", "scan_b")]
    assert list(read_experiments(inner).summaries) == ["scan_a", "scan_b"]
    assert list(read_experiments([path.parent for path in inner]).summaries) == ["scan_a", "scan_b"]


def test_folders_of_one_name_are_told_apart_by_their_paths(runs, tmp_path):
    twin = write_run(tmp_path / "scan_0", 1, 0.4, model="other")
    found = read_experiments([*runs[:2], twin])
    assert list(found.summaries) == [str(runs[0]), "scan_1", str(twin)]
    assert found.notes[0].startswith("the labels are of different origin (amsegnet-esrf, other)")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("name,power_W\nscan_0,3\n", "has no column run but name, power_W"),
        ("run,power_W\nscan_0,3\nscan_0,4\n", "has the run scan_0 twice"),
        ("run;power_W\nscan_0;3,5\n", "not every power_W is a number"),
    ],
)
def test_a_bad_table_of_parameters_is_one_sentence(runs, tmp_path, table, said):
    path = tmp_path / "parameters.csv"
    path.write_text(table)
    result = run(*runs, "-o", tmp_path / "out", "--parameters", path)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"amseg: {path}: {said}")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_no_experiment_left_is_one_sentence(tmp_path):
    result = run(tmp_path / "a", tmp_path / "b", "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert result.stderr.startswith("amseg: no experiment left of 2")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_column_that_is_not_there_is_one_sentence(runs, tmp_path):
    result = run(*runs, "-o", tmp_path / "out", "--x", "power", "--y", "area_delta_avg")
    assert result.exit_code == 1
    assert "power is no column of numbers" in result.stderr
    assert not (tmp_path / "out").exists()


def test_x_without_y_is_wrong_use(runs, tmp_path):
    assert run(*runs, "-o", tmp_path / "out", "--x", "power_W").exit_code == 2
