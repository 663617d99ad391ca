"""`amseg prepare`: from raw files to a ready stack, and what it says of bad input."""

import csv
import json

import h5py
import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

from amseg_keras.command import main
from amseg_keras.read import ReadError, open_stack


def amseg(*arguments):
    return CliRunner().invoke(main, ["prepare", *map(str, arguments)])


def scene(frames=24, height=40, width=120, seed=0):
    """Counts under an uneven beam, with a bright keyhole that moves 4 columns a frame."""
    rng = np.random.default_rng(seed)
    beam = 3000 + 600 * np.sin(np.arange(width) / 15)
    texture = rng.uniform(0.8, 1.2, (height // 4, width // 4)).repeat(4, 0).repeat(4, 1)
    stack = beam * 0.5 * texture * np.ones((frames, 1, 1))
    for index, frame in enumerate(stack):
        frame[10:30, 10 + 4 * index : 18 + 4 * index] *= 1.3
    flats = rng.poisson(beam + np.zeros((9, height, 1)))
    return rng.poisson(stack).astype(np.uint16), flats.astype(np.uint16)


@pytest.fixture
def raw(tmp_path):
    """An ImageJ stack with its pixel size and frame rate."""
    path = tmp_path / "raw.tif"
    tifffile.imwrite(
        path,
        scene()[0],
        imagej=True,
        resolution=(1 / 4.31, 1 / 4.31),
        metadata={"axes": "TYX", "unit": "um", "finterval": 1 / 40e3},
    )
    return path


def read(path):
    with open_stack(path) as stack:
        return np.stack(list(stack))


def test_hdf5_with_flats_in_it_becomes_a_flat_stack(tmp_path):
    frames, flats = scene()
    with h5py.File(tmp_path / "raw.h5", "w") as file:
        file["entry/data"], file["entry/flats"] = frames, flats
        file["entry/dark"] = np.full((3, 40, 120), 7, np.uint16)
    h5 = tmp_path / "raw.h5"
    done = amseg(
        f"{h5}::/entry/data", "--flats", f"{h5}::/entry/flats", "--dark", f"{h5}::/entry/dark",
        "--stretch", "none", "--dtype", "float32", "-o", tmp_path / "out",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    folder = tmp_path / "out" / "raw_entry_data"
    flat = np.median(flats, axis=0)
    np.testing.assert_allclose(
        read(folder / "frames.tif"), (frames - 7.0) / (flat - 7.0), rtol=1e-4
    )
    files = json.loads((folder / "prepare.json").read_text())["files"]
    assert files["flats"] == f"{h5}::/entry/flats (9 frames)"


def test_pixel_size_and_frame_rate_survive(raw, tmp_path):
    assert amseg(raw, "-o", tmp_path / "out").exit_code == 0
    with open_stack(tmp_path / "out" / "raw" / "frames.tif") as stack:
        assert stack.dtype == np.uint8
        assert stack.pixel_size_um == pytest.approx(4.31)
        assert stack.frame_rate_hz == pytest.approx(40e3)


def test_what_is_too_large_for_imagej_keeps_them_as_ome(raw, tmp_path, monkeypatch):
    monkeypatch.setattr("amseg_keras.runs.prepare.BIGTIFF_BYTES", 1000)
    assert amseg(raw, "-o", tmp_path / "out").exit_code == 0
    path = tmp_path / "out" / "raw" / "frames.tif"
    with tifffile.TiffFile(path) as file:
        assert file.is_bigtiff
    with open_stack(path) as stack:
        assert stack.shape == (24, 40, 120)
        assert stack.pixel_size_um == pytest.approx(4.31)
        assert stack.frame_rate_hz == pytest.approx(40e3)


def test_hdf5_out_holds_the_same_frames(raw, tmp_path):
    amseg(raw, "-o", tmp_path / "a", "--dtype", "uint16")
    assert amseg(raw, "-o", tmp_path / "b", "--dtype", "uint16", "-f", "hdf5").exit_code == 0
    np.testing.assert_array_equal(
        read(tmp_path / "a" / "raw" / "frames.tif"), read(tmp_path / "b" / "raw" / "frames.h5")
    )
    with open_stack(tmp_path / "b" / "raw" / "frames.h5") as stack:
        assert stack.pixel_size_um == pytest.approx(4.31)
        assert stack.frame_rate_hz == pytest.approx(40e3)


def test_every_step_in_one_command_is_recorded(raw, tmp_path):
    done = amseg(
        raw, "--background", "first:5", "--median", "3", "--nlm", "--register",
        "--follow-laser", "64x32", "-o", tmp_path / "out",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    folder = tmp_path / "out" / "raw"
    record = json.loads((folder / "prepare.json").read_text())
    names = ["register", "background", "stretch", "median", "nlm", "crop"]
    assert [step["step"] for step in record["steps"]] == names
    assert record["measured"]["crop"]["px_per_frame"] == pytest.approx(4, abs=0.3)
    assert record["versions"]["scikit-image"]
    with (folder / "prepare.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["frame"] for row in rows] == [str(index) for index in range(24)]
    assert float(rows[0]["left_px"]) < float(rows[-1]["left_px"])
    assert all(abs(float(row["shift_x_px"])) < 0.5 for row in rows)


def test_steps_sets_the_order_and_gives_defaults(raw, tmp_path):
    assert amseg(raw, "--steps", "median,stretch", "-o", tmp_path / "out").exit_code == 0
    record = json.loads((tmp_path / "out" / "raw" / "prepare.json").read_text())
    assert [step["step"] for step in record["steps"]] == ["median", "stretch"]


def test_a_window_along_a_known_laser(raw, tmp_path):
    amseg(
        raw, "--follow-laser", "40x20", "--laser", "14,689.6", "--window-top", "5",
        "-o", tmp_path / "out",
    )  # fmt: skip
    with (tmp_path / "out" / "raw" / "prepare.csv").open() as file:
        rows = list(csv.DictReader(file))
    # 689.6 mm/s at 40 kHz and 4.31 um are 4 px a frame.
    assert [int(row["left_px"]) for row in rows][:12] == [max(4 * k - 6, 0) for k in range(12)]
    assert {row["top_px"] for row in rows} == {"5"}


def test_an_unreadable_frame_keeps_its_number_and_is_named(tmp_path):
    (tmp_path / "frames").mkdir()
    for index, frame in enumerate(scene(6)[0]):
        tifffile.imwrite(tmp_path / "frames" / f"{index:04}.tif", frame)
    (tmp_path / "frames" / "0003.tif").write_bytes(b"II*\0")
    done = amseg(tmp_path / "frames", "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert "0003.tif" in done.output[done.output.index("failed:") :]
    folder = tmp_path / "out" / "frames"
    ready = tifffile.imread(folder / "frames.tif")
    assert [bool(frame.any()) for frame in ready] == [True, True, True, False, True, True]
    record = json.loads((folder / "prepare.json").read_text())
    assert [each["frame"] for each in record["unreadable_frames"]] == [3]


def test_the_same_command_again_does_nothing(raw, tmp_path):
    amseg(raw, "-o", tmp_path / "out")
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "raw").iterdir()}
    again = amseg(raw, "-o", tmp_path / "out")
    assert again.exit_code == 0
    assert "was done already" in again.output
    assert written == {p: p.stat().st_mtime_ns for p in (tmp_path / "out" / "raw").iterdir()}


def test_another_command_needs_overwrite(raw, tmp_path):
    amseg(raw, "-o", tmp_path / "out")
    refused = amseg(raw, "--median", "3", "-o", tmp_path / "out")
    assert refused.exit_code == 1
    assert "holds the result of another run" in refused.output
    assert amseg(raw, "--median", "3", "-f", "hdf5", "-o", tmp_path / "out", "--overwrite")
    assert sorted(path.name for path in (tmp_path / "out" / "raw").iterdir()) == [
        "frames.h5",
        "prepare.csv",
        "prepare.json",
    ]


def test_frames_that_were_lost_are_not_black_frames_afterwards(tmp_path):
    (tmp_path / "shot").mkdir()
    frames = scene(5)[0]
    for number in (0, 1, 4):  # 2 and 3 are missing
        tifffile.imwrite(tmp_path / "shot" / f"a_{number}.tif", frames[number])
    amseg(tmp_path / "shot", "-o", tmp_path / "out")
    with open_stack(tmp_path / "out" / "shot" / "frames.tif") as stack:
        assert len(stack) == 5
        assert [index for index in range(5) if stack.is_missing(index)] == [2, 3]
        with pytest.raises(ReadError, match="could not be read when it was prepared"):
            stack[2]
        assert stack[4].any()


def test_the_input_is_never_replaced_by_its_result(tmp_path):
    path = tmp_path / "frames" / "frames.tif"
    path.parent.mkdir()
    tifffile.imwrite(path, scene(4)[0], photometric="minisblack")
    before = path.read_bytes()
    done = amseg(path, "-o", tmp_path, "--overwrite")
    assert done.exit_code == 1
    assert "would be replaced by its own result" in done.output
    assert path.read_bytes() == before


def test_what_a_killed_run_left_is_cleared(raw, tmp_path):
    folder = tmp_path / "out" / "raw"
    folder.mkdir(parents=True)
    (folder / ".frames-0123abcd.tif").write_bytes(b"half a stack")
    assert amseg(raw, "-o", tmp_path / "out").exit_code == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "frames.tif",
        "prepare.csv",
        "prepare.json",
    ]


def test_one_bad_input_does_not_stop_the_others(raw, tmp_path):
    done = amseg(tmp_path / "none.tif", raw, "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert "none.tif: no such file" in done.output
    assert (tmp_path / "out" / "raw" / "frames.tif").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--crop", "0,0,500,10"], "raw.tif: the box 0,0,500,10 (x,y,width,height) reaches out"),
        (["--background", "previous:5:20"], "raw.tif: 24 frames are too few"),
        (["--stretch", "none"], "raw.tif: counts of uint16 do not fit into uint8"),
    ],
)
def test_a_step_that_does_not_fit_the_stack_names_it(raw, tmp_path, arguments, message):
    done = amseg(raw, *arguments, "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert message in done.output
    assert not (tmp_path / "out" / "raw" / "frames.tif").exists()


def test_flats_of_another_size_are_refused_in_a_sentence(raw, tmp_path):
    np.save(tmp_path / "flats.npy", np.full((3, 30, 120), 3000, np.uint16))
    done = amseg(raw, "--flats", tmp_path / "flats.npy", "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert "raw.tif: the flat is 30 x 120, but the frames are 40 x 120" in done.output


def test_a_laser_speed_without_a_frame_rate_says_what_to_give(tmp_path):
    np.save(tmp_path / "raw.npy", scene(4)[0])
    done = amseg(
        tmp_path / "raw.npy", "--follow-laser", "20x20", "--laser", "1,500",
        "--pixel-size", "4", "-o", tmp_path / "out",
    )  # fmt: skip
    assert done.exit_code == 1
    assert "raw.npy: says no frame rate, which --laser needs; give --frame-rate" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "-o"),
        (["-o", "o", "--background", "previous:5"], "previous:N:SKIP, first:N or none"),
        (["-o", "o", "--background", "previous:0:5"], "not possible"),
        (["-o", "o", "--stretch", "90,10"], "must be rising"),
        (["-o", "o", "--stretch", "wide"], "LOW,HIGH"),
        (["-o", "o", "--median", "4"], "take 3, 5 or 7"),
        (["-o", "o", "--crop", "1,2,3"], "X,Y,WIDTH,HEIGHT"),
        (["-o", "o", "--crop", "1,2,3,4", "--follow-laser", "3x4"], "not both"),
        (["-o", "o", "--laser", "3,4"], "need --follow-laser"),
        (["-o", "o", "--dark", "d.tif"], "--dark needs --flats"),
        (["-o", "o", "--flats", "missing.tif"], "missing.tif: no such file"),
        (["-o", "o", "--steps", "sharpen"], "there is no step 'sharpen'"),
        (["-o", "o", "--steps", "median,median"], "name every step once"),
        (["-o", "o", "--steps", "crop,stretch"], "needs --crop or --follow-laser"),
        (["-o", "o", "--steps", "stretch", "--median", "3"], "--steps leaves out median"),
    ],
)
def test_wrong_use_is_exit_code_2_and_says_what(raw, arguments, message):
    done = amseg(raw, *arguments)
    assert done.exit_code == 2, done.output
    assert message in " ".join(done.output.replace("│", " ").split())
