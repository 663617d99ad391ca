"""Which folders a watch looks into, and which it writes."""

import threading

import numpy as np
import pytest
import tifffile
from PIL import Image
from watching import SHAPE, frame, frames, labels_of, quick

from amseg_keras.read import ReadError, find_stacks
from amseg_keras.runs.watch import watch


def test_the_folder_of_another_run_is_left_alone(folder, out, watched):
    np.save(folder / "scan.npy", frames(2))
    (out / "scan").mkdir(parents=True)
    (out / "scan" / "run.json").write_text('{"source": "scan.npy"}')
    (problem,) = watched()
    assert "scan: holds the result of another run than amseg watch" in problem.text
    assert [path.name for path in (out / "scan").iterdir()] == ["run.json"]


def test_stacks_of_one_name_get_folders_of_their_own_which_they_keep(folder, out, watched):
    np.save(folder / "scan.npy", frames(2))
    tifffile.imwrite(folder / "scan.tif", frames(3), photometric="minisblack", metadata=None)
    (folder / "day2").mkdir()
    np.save(folder / "day2" / "scan.npy", frames(4))
    watched()
    counts = {path.name: len(labels_of(path)) for path in out.iterdir()}
    assert counts == {"scan": 2, "scan_2": 3, "day2_scan": 4}
    assert watched() == []


def test_the_stacks_are_those_that_read_finds(folder, out, watched):
    for number in (1, 2, 3):
        tifffile.imwrite(folder / f"a{number}_side.tif", frame(number))
        tifffile.imwrite(folder / f"b{number}.tif", frames(2), photometric="minisblack")
    Image.fromarray(frame(0).astype(np.uint8)).save(folder / "picture.png")
    watched()
    found, _ = find_stacks([folder])
    assert {path.name for path in out.iterdir()} == {stack.name for stack in found}
    for stack in found:
        with stack.open() as opened:
            assert len(labels_of(out / stack.name)) == len(opened)


def test_hidden_files_and_the_output_inside_the_folder_are_passed_over(folder, watched, network):
    np.save(folder / ".scan.npy", frames(2))
    np.save(folder / "scan.npy", frames(2))
    stop = threading.Event()
    for _ in range(2):
        list(watch(folder, folder / "out", network, quick(until_idle_s=0.4), stop))
    assert sorted(path.name for path in folder.iterdir()) == [".scan.npy", "out", "scan.npy"]
    assert [path.name for path in (folder / "out").iterdir()] == ["scan"]


def test_a_stack_of_nothing_but_damage_does_not_keep_the_watch_from_ending(folder, out, watched):
    tifffile.imwrite(folder / "shot_0.tif", np.full(SHAPE, np.nan, np.float32))
    (problem,) = watched()
    assert "NaN" in problem.text


def test_a_folder_that_is_not_there_is_an_error(tmp_path, network):
    with pytest.raises(ReadError, match="no such folder; check the path, or make it first"):
        list(watch(tmp_path / "no", tmp_path, network, quick(), threading.Event()))


@pytest.mark.parametrize("out", [".", "in"])
def test_results_that_would_be_taken_for_frames_are_refused(tmp_path, folder, network, out):
    with pytest.raises(ReadError, match=r"is in the output folder .*; give another -o"):
        list(watch(folder, tmp_path / out, network, quick(), threading.Event()))
