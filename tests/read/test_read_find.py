"""find_stacks and open_stack: what a user's inputs mean."""

import os
import signal
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from amseg_keras.read import ReadError, ReadOptions, find_stacks, open_stack
from amseg_keras.read.in_time import TimedReader


def save(*paths: Path, size: tuple[int, int] = (20, 30)) -> None:
    """Write a picture or one-page TIFF with the position of each path as its value."""
    for value, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        frame = np.full(size, value, dtype=np.uint8)
        if path.suffix.lower() in (".tif", ".tiff"):
            tifffile.imwrite(path, frame)
        else:
            Image.fromarray(frame).save(path)


def names(*inputs: object) -> list[str]:
    stacks, errors = find_stacks(inputs)
    assert not errors
    return [stack.name for stack in stacks]


def test_a_folder_of_numbered_files_is_one_stack_in_natural_order(tmp_path):
    folder = tmp_path / "run"
    save(*(folder / f"f{number}.tif" for number in range(7, 14)))
    stacks, errors = find_stacks([folder])
    assert errors == []
    assert [stack.name for stack in stacks] == ["run"]
    assert stacks[0].source == str(folder)
    with stacks[0].open() as stack:
        assert stack.frame_names == tuple(f"f{n}.tif" for n in range(7, 14))
        assert [int(frame[0, 0]) for frame in stack] == [0, 1, 2, 3, 4, 5, 6]


def test_several_groups_are_named_after_their_prefixes(tmp_path):
    save(*(tmp_path / f"{group}_{n:02}.png" for group in ("bare", "powder") for n in range(3)))
    save(tmp_path / "flat.tif")
    stacks, _ = find_stacks([tmp_path])
    assert [stack.name for stack in stacks] == ["bare", "flat", "powder"]
    assert stacks[0].source == str(tmp_path / "bare_*.png")


def test_files_of_different_extension_are_no_sequence(tmp_path):
    save(tmp_path / "a1.png", tmp_path / "a2.tif")
    assert names(tmp_path) == ["a1", "a2"]


def test_only_the_last_number_may_differ(tmp_path):
    save(*(tmp_path / f"run{run}_{n}.png" for run in (1, 2) for n in (1, 2)))
    assert names(tmp_path) == ["run1", "run2"]


def test_multi_page_files_stay_on_their_own(tmp_path, frames):
    for number in (1, 2):
        tifffile.imwrite(tmp_path / f"run{number}.tif", frames)
    assert names(tmp_path) == ["run1", "run2"]


def test_a_folder_of_thousands_opens_only_the_first_readable(tmp_path, monkeypatch):
    save(tmp_path / "first.tif")
    data = (tmp_path / "first.tif").read_bytes()
    (tmp_path / "first.tif").unlink()
    for number in range(2000):
        (tmp_path / f"{number}.tif").write_bytes(data)
    opened = []
    original = tifffile.TiffFile.__init__

    def count(self, *args, **kwargs):
        opened.append(args)
        original(self, *args, **kwargs)

    monkeypatch.setattr(tifffile.TiffFile, "__init__", count)
    with open_stack(tmp_path) as stack:
        assert len(stack) == 2000
    assert len(opened) <= 3


def test_hidden_and_other_files_are_passed_over(tmp_path):
    save(tmp_path / "a.png")
    for name in (".hidden.png", "notes.txt", "a.json", "Thumbs.db"):
        (tmp_path / name).write_text("x")
    assert names(tmp_path) == ["a"]


def test_subfolders_are_not_entered(tmp_path):
    save(tmp_path / "a.png", tmp_path / "deep" / "b.png")
    assert names(tmp_path) == ["a"]


def test_extensions_in_capitals_are_read(tmp_path, frames):
    tifffile.imwrite(tmp_path / "A.TIFF", frames)
    assert names(tmp_path / "A.TIFF") == ["A"]
    with open_stack(tmp_path) as stack:
        assert len(stack) == len(frames)


def test_a_pattern_is_a_sequence(tmp_path):
    save(*(tmp_path / "run" / f"{group}{n}.tif" for group in "ab" for n in range(3)))
    with open_stack(f"{tmp_path}/run/b*.tif") as stack:
        assert stack.shape == (3, 20, 30)
        assert (stack.name, stack.source) == ("b", f"{tmp_path}/run/b*.tif")


def test_a_pattern_over_folders_keeps_them_apart(tmp_path):
    save(*(tmp_path / run / f"{n}.tif" for run in ("a", "b") for n in range(3)))
    assert names(f"{tmp_path}/*/*.tif") == ["a", "b"]


def test_a_pattern_that_matches_folders_takes_each(tmp_path):
    save(*(tmp_path / run / f"{n}.tif" for run in ("a", "b") for n in range(3)))
    assert names(f"{tmp_path}/*") == ["a", "b"]


def test_equal_names_get_their_folders_in_front(tmp_path):
    save(tmp_path / "a" / "run.tif", tmp_path / "b" / "run.tif", tmp_path / "b" / "other.tif")
    assert names(tmp_path / "a", tmp_path / "b") == ["a_run", "other", "b_run"]


def test_equal_names_in_one_folder_get_their_extensions(tmp_path):
    save(tmp_path / "run.tif", tmp_path / "run.png")
    assert names(tmp_path) == ["run_png", "run_tif"]


def test_equal_folder_names_get_their_parents(tmp_path):
    save(*(tmp_path / day / "run" / f"{n}.tif" for day in ("mon", "tue") for n in range(2)))
    assert names(tmp_path / "mon" / "run", tmp_path / "tue" / "run") == ["mon_run", "tue_run"]


def test_names_that_nothing_tells_apart_are_numbered(tmp_path, frames):
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["a/b"], file["a_b"] = frames, frames
    found = names(f"{tmp_path}/s.h5::/a/b", f"{tmp_path}/s.h5::/a_b")
    assert len(set(found)) == 2
    assert found[1] == f"{found[0]}_2"


def test_names_are_safe_and_differ_in_more_than_case(tmp_path):
    save(tmp_path / "x" / "Run: 1?.png", tmp_path / "y" / "run 1!.png", tmp_path / "z" / "con.png")
    found = names(*(tmp_path / folder for folder in "xyz"))
    assert found == ["x_Run_1", "y_run_1", "con_"]


def test_the_same_input_twice_is_one_stack(tmp_path):
    save(tmp_path / "a.png")
    assert names(tmp_path / "a.png", tmp_path / "a.png") == ["a"]


def test_a_folder_with_good_and_broken_files_gives_both(tmp_path):
    save(tmp_path / "good1.png", tmp_path / "good2.png", tmp_path / "truncated.tif")
    data = (tmp_path / "truncated.tif").read_bytes()
    (tmp_path / "truncated.tif").write_bytes(data[: len(data) // 2])
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.png").touch()
    stacks, errors = find_stacks([tmp_path])
    good = 0
    for source in stacks:
        try:
            with source.open() as stack:
                good += len(list(stack))
        except ReadError as error:
            errors.append(error)
    assert good == 2
    assert sorted(Path(str(error).split(":")[0]).name for error in errors) == [
        "empty.png",
        "text.png",
        "truncated.tif",
    ]


def test_open_stack_lists_the_stacks_where_there_are_several(tmp_path):
    save(tmp_path / "a.png", tmp_path / "b.png")
    with pytest.raises(ReadError) as caught:
        open_stack(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: holds 2 stacks, open one of them: {tmp_path}/a.png, {tmp_path}/b.png"
    )


def numbered_files_and_another(folder: Path) -> list[Path]:
    files = [
        *(folder / "run_07" / f"{number:04}.png" for number in (1, 2, 3)),
        folder / "plate.png",
    ]
    save(*files)
    return files


def test_files_given_one_by_one_stay_separate_and_say_so(tmp_path):
    stacks, errors = find_stacks(numbered_files_and_another(tmp_path))
    assert not errors
    assert [stack.name for stack in stacks] == ["0001", "0002", "0003", "plate"]
    with stacks[1].open() as stack:
        assert "one of 3 numbered files that were given one by one" in stack.notes[0]
        assert "--join" in stack.notes[0]


def test_files_given_one_by_one_are_a_sequence_with_join(tmp_path):
    stacks, errors = find_stacks(numbered_files_and_another(tmp_path), ReadOptions(join=True))
    assert not errors
    assert [(stack.name, len(stack.files)) for stack in stacks] == [("run_07", 3), ("plate", 1)]


def test_a_folder_falls_apart_with_separate(tmp_path):
    numbered_files_and_another(tmp_path)
    stacks, _ = find_stacks([tmp_path / "run_07"], ReadOptions(separate=True))
    assert [len(stack.files) for stack in stacks] == [1, 1, 1]


def test_a_sample_is_a_stack_and_an_unknown_one_names_those_there_are():
    with open_stack("sample:esrf-lpbf") as stack:
        assert stack.shape == (24, 256, 512)
        assert stack.pixel_size_um == pytest.approx(4.31)
    with pytest.raises(ReadError, match="no such sample; there are sample:esrf-lpbf"):
        open_stack("sample:nothing")


def test_a_file_that_never_opens_is_refused_and_the_next_one_is_not(tmp_path):
    np.save(tmp_path / "good.npy", np.zeros((3, 8, 9), "u1"))
    np.save(tmp_path / "late.npy", np.zeros((3, 8, 9), "u1"))
    reader = TimedReader(60)
    reader.check([tmp_path / "good.npy"])
    # A process that is stopped never answers, like one that counts to 2^31.
    os.kill(reader._process.pid, signal.SIGSTOP)
    reader.limit_s = 0.5
    with pytest.raises(ReadError, match=r"late\.npy: cannot be opened within 0\.5 s"):
        reader.check([tmp_path / "late.npy"])
    reader.limit_s = 60
    reader.check([tmp_path / "good.npy"])
    reader.close()
