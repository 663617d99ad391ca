"""One run in one folder: in use, its own, finished, or somebody else's."""

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from amseg_keras.atomic import complete_or_absent
from amseg_keras.outputs import (
    CannotWriteError,
    OutputFiles,
    OutputFolder,
    OutputTakenError,
    RunIdentity,
    input_content,
    input_place,
)

FILES = OutputFiles(
    "amseg example", "example.json", ("table.csv", "pictures/[0-9]*.png"), {"table.csv": ("a", "b")}
)
RED = RunIdentity("scan.tif", None, settings={"colour": "red"})
BLUE = RunIdentity("scan.tif", None, settings={"colour": "blue"})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out"


class KilledError(Exception):
    """Stands for the end of the process."""


def run(path, identity=RED, text="a,b\n", **options):
    """A run that writes a table; its record."""
    redo = options.pop("redo", False)
    with OutputFolder(path, FILES, **options) as out:
        there = out.begin(identity, redo)
        if there is not None:
            return there
        with complete_or_absent(path / "table.csv") as temporary:
            temporary.write_text(text)
        return out.finish({"rows": len(text)})


def names(path):
    return sorted(one.name for one in path.iterdir())


def test_a_finished_folder_holds_its_files_and_nothing_else(path):
    record = run(path)
    assert names(path) == ["example.json", "table.csv"]
    assert json.loads((path / "example.json").read_text()) == record


def test_the_same_run_again_changes_nothing(path):
    run(path)
    before = {one: one.stat().st_mtime_ns for one in (path, *path.iterdir())}
    assert run(path, text="other")["rows"] == 4
    assert {one: one.stat().st_mtime_ns for one in (path, *path.iterdir())} == before


def test_a_run_that_is_done_anew_replaces_its_own_result(path):
    run(path)
    assert run(path, text="longer", redo=True)["rows"] == 6


def test_a_run_that_fails_before_it_writes_leaves_the_earlier_result(path):
    run(path)
    with pytest.raises(KilledError), OutputFolder(path, FILES) as out:
        assert out.check(RED, redo=True) is None
        raise KilledError
    assert names(path) == ["example.json", "table.csv"]
    assert run(path)["rows"] == 4


def test_another_run_is_refused_and_says_what_differs(path):
    run(path)
    with pytest.raises(OutputTakenError, match=r'colour was "red" and is now "blue"; give another'):
        run(path, BLUE)
    assert json.loads((path / "example.json").read_text())["colour"] == "red"


def test_overwrite_replaces_another_run(path):
    run(path)
    (path / "mine.txt").write_text("mine")
    assert run(path, BLUE, overwrite=True)["colour"] == "blue"
    assert names(path) == ["example.json", "mine.txt", "table.csv"]


def stopped(path, identity=RED, keep=(), **options):
    """A run that ends before its record."""
    with pytest.raises(KilledError), OutputFolder(path, FILES, **options) as out:
        out.begin(identity)
        for number in keep:
            out.store((2, 3)).append(number, np.zeros((2, 3), np.uint8))
        (path / "table.csv").write_text("half")
        raise KilledError


def test_an_unfinished_run_of_its_own_is_done_again(path):
    stopped(path)
    assert names(path) == [".unfinished", "table.csv"]
    run(path)
    assert names(path) == ["example.json", "table.csv"]


def test_frames_of_an_unfinished_run_are_kept_for_the_same_run(path):
    stopped(path, keep=(0, 4), keeps_going=True)
    with OutputFolder(path, FILES, keeps_going=True) as out:
        assert out.begin(RED) is None
        assert out.store((2, 3)).numbers == [0, 4]


def test_frames_of_other_settings_are_not_taken(path):
    stopped(path, keep=(0, 4), keeps_going=True)
    with OutputFolder(path, FILES, keeps_going=True) as out:
        assert out.begin(BLUE) is None
        assert out.store((2, 3)).numbers == []


def test_frames_are_kept_if_only_the_files_are_to_be_others(path):
    stopped(path, RunIdentity("scan.tif", None, choices={"format": "tiff"}), (1,), keeps_going=True)
    with OutputFolder(path, FILES, keeps_going=True) as out:
        out.begin(RunIdentity("scan.tif", None, choices={"format": "png"}))
        assert out.store((2, 3)).numbers == [1]
        assert not (path / "table.csv").exists()


def test_an_unfinished_run_of_another_input_is_refused(path, tmp_path):
    first, second = (
        RunIdentity(name, input_place(tmp_path / name, path)) for name in ("a.tif", "b.tif")
    )
    stopped(path, first, keep=(0,), keeps_going=True)
    with pytest.raises(OutputTakenError, match=r"holds an unfinished run of a\.tif .*--overwrite"):
        run(path, second, keeps_going=True)
    run(path, second, keeps_going=True, overwrite=True)
    assert names(path) == ["example.json", "table.csv"]


def test_a_run_whose_record_was_lost_is_known_by_its_table(path):
    run(path)
    (path / "example.json").unlink()
    assert run(path)["rows"] == 4


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("content", ["x,y\n", ""])
def test_a_file_of_somebody_else_is_left_alone(path, content, overwrite):
    path.mkdir()
    (path / "table.csv").write_text(content)
    with pytest.raises(OutputTakenError, match=r"table\.csv that amseg example did not write"):
        run(path, overwrite=overwrite)
    assert (path / "table.csv").read_text() == content
    assert names(path) == ["table.csv"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_the_result_of_another_command_is_never_written_over(path, overwrite):
    path.mkdir()
    (path / "explain.json").write_text("{}")
    with pytest.raises(OutputTakenError, match=r"holds the result of amseg explain"):
        run(path, overwrite=overwrite)
    assert names(path) == ["explain.json"]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("names_of_input", [["table.csv"], ["a.tif", "b.tif"]])
def test_a_folder_that_holds_the_input_is_refused(path, names_of_input, overwrite):
    path.mkdir()
    files = [path / name for name in names_of_input]
    for file in files:
        file.write_text("a,b\n")
    identity = RunIdentity("mine", input_content(files))
    with pytest.raises(OutputTakenError, match="mine would be replaced by its own result"):
        run(path, identity, overwrite=overwrite)
    assert names(path) == sorted(names_of_input)


def test_a_file_in_place_of_the_folder_is_said(path):
    path.write_text("a file")
    with pytest.raises(CannotWriteError, match=r"out: cannot be written \("):
        run(path)


def test_a_damaged_record_is_not_taken_for_a_result(path):
    run(path)
    (path / "example.json").write_text('{"colour": "re')
    with pytest.raises(OutputTakenError, match="another version of amseg"):
        run(path)


def test_what_was_half_written_goes(path):
    stopped(path)
    for left in (".table-0123abcd.csv", ".example-0123abcd.json"):
        (path / left).write_text("half")
    (path / "pictures").mkdir()
    (path / "pictures" / "mine.png").touch()
    (path / "pictures" / "0001.png").touch()
    run(path)
    assert names(path) == ["example.json", "pictures", "table.csv"]


def test_a_run_that_failed_before_it_wrote_anything_leaves_no_folder(path):
    with pytest.raises(KilledError), OutputFolder(path, FILES) as out:
        out.begin(RED)
        raise KilledError
    assert not path.exists()


def test_a_folder_that_was_there_stays(path):
    path.mkdir()
    with pytest.raises(KilledError), OutputFolder(path, FILES) as out:
        out.begin(RED)
        raise KilledError
    assert names(path) == []


def test_a_kill_between_the_record_and_the_end_leaves_a_result(path):
    run(path)
    (path / ".unfinished").mkdir()
    (path / ".unfinished" / "frames").write_bytes(b"as large as the stack")
    assert run(path)["rows"] == 4
    assert names(path) == ["example.json", "table.csv"]


def test_a_folder_that_is_claimed_may_begin_its_run(path):
    with OutputFolder(path, FILES) as out:
        out.claim()
        assert out.begin(RED) is None
        out.finish({})
    assert names(path) == ["example.json"]


HOLDER = """
import sys, time
from pathlib import Path
from amseg_keras.outputs import OutputFiles, OutputFolder, RunIdentity
files = OutputFiles("amseg example", "example.json", ("table.csv",))
with OutputFolder(Path(sys.argv[1]), files, keeps_going=True) as out:
    out.begin(RunIdentity("scan.tif", None, settings={"colour": "red"}))
    (out.path / "table.csv").write_text("half")
    print("claimed", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(path):
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLDER), str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout.readline() == "claimed\n"
    yield process
    process.kill()
    process.wait()


def test_a_folder_in_use_says_by_whom(path, holder):
    with pytest.raises(
        OutputTakenError, match=rf"is in use by process {holder.pid} on \S+ since \d\d:\d\d"
    ):
        run(path, overwrite=True)


def test_a_folder_is_free_once_its_process_is_killed(path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert run(path)["rows"] == 4


CLAIMS = """
import os, sys
from pathlib import Path
from amseg_keras.outputs import OutputFiles, OutputFolder, OutputTakenError
path, files = Path(sys.argv[1]), OutputFiles("amseg example", "example.json", ("table.csv",))
for _ in range(30):
    try:
        with OutputFolder(path, files) as out:
            out.claim()
            (path / "inside").mkdir()  # fails if another process is inside
            (path / "inside").rmdir()
            print("claimed")
    except OutputTakenError:
        print("refused")
"""


def test_of_many_that_come_at_once_one_is_inside_at_a_time(path):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIMS, str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        for _ in range(3)
    ]
    ends = [process.communicate(timeout=120) for process in processes]
    assert not [errors for _, errors in ends if "Traceback" in errors]
    said = [word for words, _ in ends for word in words.split()]
    assert len(said) == 90
    assert set(said) <= {"claimed", "refused"}
    assert "claimed" in said


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("131072 requested and 44704 written"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
    ],
)
def test_a_full_disk_says_how_much_is_needed(path, error):
    with (
        pytest.raises(CannotWriteError, match=r"no space left .* about 3 GB needed, .* free; make"),
        OutputFolder(path, FILES) as out,
    ):
        out.begin(RED)
        out.needed_bytes = 3 * 10**9
        raise error


def test_ctrl_c_says_how_to_go_on(path):
    with pytest.raises(KeyboardInterrupt) as caught, OutputFolder(path, FILES) as out:
        out.begin(RED)
        raise KeyboardInterrupt
    assert caught.value.__notes__ == [f"{path} is not finished; the same command begins it again"]


def test_a_result_on_a_read_only_disk_is_kept(path):
    run(path)
    path.chmod(0o500)
    try:
        assert run(path)["rows"] == 4
    finally:
        path.chmod(0o700)


def test_an_unfinished_run_that_somebody_deleted_is_no_error(path):
    with OutputFolder(path, FILES) as out:
        out.begin(RED)
        for one in out.unfinished.iterdir():
            one.unlink()
        out.unfinished.rmdir()
    assert not path.exists()
