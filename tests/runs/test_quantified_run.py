"""Quantities of a run are read back as they were measured, or a sentence says why not."""

import json
import shutil

import pandas as pd
import pytest
from drawn_experiment import FRAMES, SCALE, quantities, write_quantified, write_segmented

from amseg_keras.read import ReadError
from amseg_keras.runs.quantify import TABLES, read_quantities


@pytest.fixture(scope="module")
def quantified(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quantified") / "scan"
    return write_quantified(folder, parameters={"material": "Ti6Al4V"})


@pytest.fixture
def run(quantified, tmp_path):
    return shutil.copytree(quantified, tmp_path / "scan")


def test_tables_summary_and_scale_come_back(run):
    read, record = read_quantities(run, FRAMES)
    wanted = quantities()
    for name in TABLES:
        pd.testing.assert_frame_equal(
            getattr(read, name), getattr(wanted, name), check_dtype=False, rtol=1e-5
        )
    assert read.summary == wanted.summary | {"phantoms_removed": 0}
    assert (read.scale, read.scan_direction) == (SCALE, 1)
    assert record["parameters"] == {"material": "Ti6Al4V"}


def test_a_run_that_is_not_quantified_says_what_to_do(tmp_path):
    folder = write_segmented(tmp_path / "scan")
    with pytest.raises(ReadError, match=rf"^{folder}: is not quantified yet; run: amseg quantify"):
        read_quantities(folder, FRAMES)


@pytest.mark.parametrize("name", [*(f"{name}.csv" for name in TABLES), "quantities.json"])
def test_a_damaged_file_is_named(run, name):
    (run / "quantities" / name).write_text("")
    with pytest.raises(ReadError, match=name):
        read_quantities(run, FRAMES)


@pytest.mark.parametrize("name", TABLES)
def test_a_missing_table_is_named(run, name):
    (run / "quantities" / f"{name}.csv").unlink()
    with pytest.raises(ReadError, match=rf"{name}\.csv: no such file"):
        read_quantities(run, FRAMES)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_something_else_is_named(run, name):
    pd.DataFrame({"a": [1]}).to_csv(run / "quantities" / f"{name}.csv", index=False)
    with pytest.raises(ReadError, match=rf"{name}\.csv: has no column .* amseg quantify"):
        read_quantities(run, FRAMES)


@pytest.mark.parametrize("key", ["summary", "scale", "scan_direction"])
def test_a_record_that_lacks_something_is_named(run, key):
    path = run / "quantities" / "quantities.json"
    record = json.loads(path.read_text())
    del record[key]
    path.write_text(json.dumps(record))
    with pytest.raises(ReadError, match=r"quantities\.json"):
        read_quantities(run, FRAMES)


def test_quantities_of_a_longer_stack_are_refused(run):
    with pytest.raises(ReadError, match=r"is of another stack .* amseg quantify"):
        read_quantities(run, FRAMES - 5)
