"""Which number of a file name counts the frames, and what its gaps mean."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from amseg_keras.read import ReadError, ReadOptions, find_stacks, open_stack
from amseg_keras.read.group import find_slots, group_files


def save(folder: Path, names: list[str]) -> Path:
    """Write a frame under each name, with the position of the name as its value."""
    folder.mkdir(exist_ok=True)
    for value, name in enumerate(names):
        tifffile.imwrite(folder / name, np.full((4, 6), value, np.uint8), metadata=None)
    return folder


def values(folder: Path, options: ReadOptions = ReadOptions()) -> list[list[int]]:  # noqa: B008
    """Values of the frames of each stack of a folder; -1 for a missing one."""
    stacks, errors = find_stacks([folder], options)
    assert not errors
    found = []
    for source in stacks:
        with source.open() as stack:
            numbers = range(len(stack))
            found.append([-1 if stack.is_missing(k) else int(stack[k][0, 0]) for k in numbers])
    return found


@pytest.mark.parametrize(
    "name",
    [
        "img_{:09}_Default_000.tif",
        "img_channel000_position000_time{:09}_z000.tif",
        "scan_{:04}_200W.tif",
        "2024-05-01_run3_{}_16bit.tif",
    ],
)
def test_the_number_that_changes_counts_wherever_it_stands(tmp_path, name):
    save(tmp_path, [name.format(k) for k in range(12)])
    assert values(tmp_path) == [list(range(12))]


def test_numbers_with_a_unit_keep_recordings_apart(tmp_path):
    save(tmp_path, [f"f{k}_{power}W.tif" for power in (200, 250) for k in range(3)])
    assert values(tmp_path) == [[0, 1, 2], [3, 4, 5]]


def test_time_counts_and_position_does_not(tmp_path):
    save(tmp_path, [f"img_time{t:03}_position{p}.tif" for p in range(2) for t in range(3)])
    assert values(tmp_path) == [[0, 1, 2], [3, 4, 5]]


def test_a_clock_beside_the_counter_is_no_counter(tmp_path):
    save(tmp_path, [f"f_{k:04}_{1690000123 + 31 * k + k % 3}.tif" for k in range(5)])
    assert values(tmp_path) == [list(range(5))]


def test_the_user_says_which_number_counts(tmp_path):
    save(tmp_path, [f"a{row}_b{column}.tif" for row in range(2) for column in range(3)])
    assert values(tmp_path) == [[0, 1, 2], [3, 4, 5]]
    assert values(tmp_path, ReadOptions(sequence_by="1")) == [[0, 3], [1, 4], [2, 5]]
    assert values(tmp_path, ReadOptions(sequence_by="first")) == [[0, 3], [1, 4], [2, 5]]
    assert values(tmp_path, ReadOptions(sequence_by="a")) == [[0, 3], [1, 4], [2, 5]]
    with open_stack(f"{tmp_path}/a0*") as stack:
        assert len(stack) == 3
    stacks, _ = find_stacks([tmp_path])
    assert "--sequence-by" in stacks[0].notes[0]


@pytest.mark.parametrize(
    "names",
    [
        [f"img_{k:04}_T{25 + k % 3}C.tif" for k in range(7)],
        [f"img_{k:04}_T{25 + k % 3}.tif" for k in range(7)],
        [f"img_{k:04}_{192 - k % 2}mA.tif" for k in range(7)],
        [f"img_{k:04}_{25 + k % 3}degC_{190 + k % 2}mA.tif" for k in range(6)],
        ["9s_7.tif", "10s_7.tif", "11s_9.tif"],
    ],
)
def test_the_number_that_never_repeats_counts_and_a_measured_one_does_not(tmp_path, names):
    save(tmp_path, names)
    assert values(tmp_path) == [list(range(len(names)))]
    with open_stack(tmp_path) as stack:
        assert "--sequence-by" in stack.notes[0]


@pytest.mark.parametrize("choice", ["1", "scan_", "first"])
@pytest.mark.parametrize(
    "name", [lambda k: f"scan_{k:04}_{200 + 5 * k}W.tif", lambda k: f"scan_{k}_{192 - k % 2}W.tif"]
)
def test_other_numbers_may_change_beside_the_one_that_the_user_named(tmp_path, name, choice):
    save(tmp_path, [name(k) for k in range(5)])
    assert values(tmp_path, ReadOptions(sequence_by=choice)) == [list(range(5))]


def test_files_that_would_all_stay_single_are_one_with_join(tmp_path):
    save(tmp_path, [f"scan_{k:04}_{200 + 5 * k}W.tif" for k in range(5)])
    assert values(tmp_path) == [[k] for k in range(5)]
    assert values(tmp_path, ReadOptions(join=True)) == [list(range(5))]


def test_the_fewest_other_numbers_keep_files_apart(tmp_path):
    save(tmp_path, [f"run{run}_{k}_{190 + k % 2}mA.tif" for run in range(2) for k in range(4)])
    assert values(tmp_path, ReadOptions(sequence_by="2")) == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_a_number_that_runs_on_over_positions_and_times_counts_no_frames(tmp_path):
    names = [f"{3 * p + t:05}_pos{p}_time{t}.tif" for p in range(2) for t in range(3)]
    save(tmp_path, names)
    assert values(tmp_path) == [[0, 1, 2], [3, 4, 5]]


def test_the_minus_of_mathematics_is_a_sign(tmp_path):
    save(tmp_path, ["t\u22122.tif", "t\u22121.tif", "t0.tif", "t1.tif"])
    assert values(tmp_path) == [[0, 1, 2, 3]]


def test_decimals_of_equal_steps_are_one_number(tmp_path):
    save(tmp_path / "steps", [f"a_{k / 2:.1f}.tif" for k in range(1, 5)])
    assert values(tmp_path / "steps") == [[0, 1, 2, 3]]
    save(tmp_path / "runs", [f"a_{run}.{k:04}.tif" for run in (1, 2) for k in range(3)])
    assert values(tmp_path / "runs") == [[0, 1, 2], [3, 4, 5]]


def test_a_number_that_no_name_has_is_refused(tmp_path):
    _, errors = find_stacks([save(tmp_path, ["a1.tif", "a2.tif"])], ReadOptions(sequence_by="7"))
    assert "--sequence-by 7: no file name has such a number" in str(errors[0])


def test_missing_numbers_are_missing_frames_with_their_place_in_time(tmp_path):
    save(tmp_path, [f"frame_{k:04}.tif" for k in (0, 1, 2, 5, 6)])
    assert values(tmp_path) == [[0, 1, 2, -1, -1, 3, 4]]
    with open_stack(tmp_path) as stack:
        assert stack.notes == (
            "frames 3 to 4 are missing (2 of 7): their numbers 3 to 4 are not among the files",
        )
        assert stack.frame_names[3] == ""
        with pytest.raises(ReadError, match="frame 3 is missing, no file has its number"):
            stack[3]


def test_signed_numbers_run_forwards(tmp_path):
    save(tmp_path, [f"t_{k}.tif" for k in range(-3, 3)])
    assert values(tmp_path) == [list(range(6))]


def test_a_hyphen_is_a_minus_where_the_names_run_through_zero(tmp_path):
    save(tmp_path / "through", ["t-2.tif", "t-1.tif", "t0.tif", "t1.tif"])
    save(tmp_path / "hyphen", ["t-1.tif", "t-2.tif", "t-3.tif"])
    assert values(tmp_path / "through") == [[0, 1, 2, 3]]
    assert values(tmp_path / "hyphen") == [[0, 1, 2]]


def test_names_that_begin_like_a_formula_are_told_so_that_no_spreadsheet_runs_them(tmp_path):
    save(tmp_path, ["-1.tif", "0.tif"])
    with open_stack(tmp_path) as stack:
        assert stack.frame_names == ("./-1.tif", "0.tif")


def test_one_odd_frame_first_does_not_refuse_the_others(tmp_path):
    save(tmp_path, [f"{k}.tif" for k in range(5)])
    tifffile.imwrite(tmp_path / "0.tif", np.zeros((9, 9), np.uint8))
    with open_stack(tmp_path) as stack:
        assert stack.shape == (5, 4, 6)
        assert [int(stack[k][0, 0]) for k in range(1, 5)] == [1, 2, 3, 4]
        with pytest.raises(ReadError, match=r"0\.tif: is 9 x 9"):
            stack[0]


def write_parts(folder: Path, frames: np.ndarray) -> Path:
    for part in range(3):
        tifffile.imwrite(
            folder / f"run_{part}.tif", frames[2 * part : 2 * part + 2], photometric="minisblack"
        )
    return folder


def test_files_of_several_frames_are_one_recording_with_join_alone(tmp_path, frames):
    write_parts(tmp_path, frames)
    apart, _ = find_stacks([tmp_path])
    assert len(apart) == 3
    assert "--join" in apart[0].notes[0]
    with open_stack(tmp_path, ReadOptions(join=True)) as stack:
        np.testing.assert_array_equal(np.stack(list(stack)), frames)
        assert "joined in the order of their names, as asked by --join" in stack.notes[0]


def test_parts_that_say_how_long_their_recording_is_are_joined(tmp_path, frames):
    for part in range(2):
        with tifffile.TiffWriter(tmp_path / f"run_{part}.tif") as writer:
            for k in range(3):
                text = "ImageJ=1.53\nimages=6\nframes=6\n" if k == 0 else None
                writer.write(frames[3 * part + k], description=text, metadata=None)
    with open_stack(tmp_path) as stack:
        np.testing.assert_array_equal(np.stack(list(stack)), frames)


def test_a_damaged_part_makes_no_shorter_recording(tmp_path, frames):
    write_parts(tmp_path, frames)
    (tmp_path / "run_1.tif").write_text("broken")
    with pytest.raises(ReadError, match=r"run_1\.tif: cannot be read"):
        open_stack(tmp_path, ReadOptions(join=True))


@settings(deadline=None)
@given(st.sets(st.integers(-60, 60), min_size=2, max_size=30), st.integers(1, 9))
def test_frames_stand_where_their_numbers_say(present, step):
    numbers = sorted(step * number for number in present)
    slots = find_slots(numbers)
    gaps = np.diff(numbers)
    unit = int(np.gcd.reduce(gaps))
    if slots.positions != tuple(range(len(numbers))):
        assert slots.positions == tuple((number - numbers[0]) // unit for number in numbers)
        assert "missing" in slots.notes[-1]
    elif (gaps != unit).any():
        assert "one after the other" in slots.notes[0]


def test_clock_times_are_no_gaps():
    slots = find_slots([1690000123 + 31 * k + k % 3 for k in range(40)])
    assert slots.frames == 40
    assert "right only if they were recorded at equal intervals" in slots.notes[0]


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 999), min_size=2, max_size=8, unique=True),
    st.text("ab_-. ", max_size=4),
)
def test_every_file_is_in_one_group(numbers, text):
    files = [Path(f"x/s{text}{number:03}.png") for number in numbers]
    grouped = [file for group in group_files(files) for file in group.files]
    assert sorted(grouped) == sorted(files)
