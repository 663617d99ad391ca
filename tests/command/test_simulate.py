"""`amseg simulate` as its users run it."""

import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from amseg_keras.command import main
from amseg_keras.command.simulate import FACILITIES, PROCESSES
from amseg_keras.datasets import open_dataset
from amseg_keras.datasets.validate import validate
from amseg_keras.runs.simulate import SimulateSettings, simulate_dataset
from amseg_keras.simulate import FACILITIES as PLACES
from amseg_keras.simulate import simulate_sequence
from amseg_keras.simulate.process import PROCESSES as KNOWN


class KilledError(Exception):
    """Stands for the end of the process: nothing in the package catches it."""


def amseg(*arguments):
    return CliRunner().invoke(main, ["simulate", *map(str, arguments)])


def files_of(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated") / "dls"
    done = amseg("--facility", "dls", "--frames", 3, "--sequences", 2, "--seed", 5, "-o", folder)
    assert done.exit_code == 0, done.output
    return folder, done


def test_choices_are_those_of_the_simulator():
    assert tuple(PLACES) == FACILITIES
    assert PROCESSES == KNOWN


def test_frames_have_the_shape_that_is_asked_for_and_the_run_can_go_on(tmp_path):
    given = ("--facility", "dls", "--shape", "64x128", "--frames", 1, "--sequences", 2)
    assert amseg(*given, "-o", tmp_path / "small").exit_code == 0
    data = open_dataset(tmp_path / "small")
    assert {data.image(frame).shape for frame in data.frames} == {(64, 128)}
    assert amseg(*given, "-o", tmp_path / "small").exit_code == 0


@pytest.mark.parametrize("shape", ["0x128", "128x32", "-64x128"])
def test_frames_too_small_to_show_anything_are_refused(shape, tmp_path):
    done = amseg("--facility", "esrf", f"--shape={shape}", "-o", tmp_path / "small")
    assert done.exit_code == 2
    assert "make both at least 64" in done.stderr
    assert not (tmp_path / "small").exists()


def test_makes_a_valid_data_set_that_says_it_is_simulated(made):
    folder, done = made
    data = open_dataset(folder)
    assert len(data.frames) == 6
    assert not data.assumed
    assert "Simulated" in data.origin
    assert data.class_names == ("background", "powder", "substrate", "keyhole", "pore")
    assert data.pixel_size_um == 6.67
    assert validate(data) == []
    assert "6 frames of 200x400, simulated" in done.stdout


def test_process_parameters_are_with_every_frame_and_sequence(made):
    data = open_dataset(made[0])
    for frame in data.frames:
        assert (frame.facility, frame.process) == ("dls", "ded")
        assert frame.material in {"Ti6242", "SS316L", "IN718"}
        assert 100 <= frame.power_W <= 400
        assert 1 <= frame.speed_mm_s <= 10
    about = data.other["sequences"]
    assert set(about) == {frame.sequence for frame in data.frames} == {"dls-0001", "dls-0002"}
    assert about["dls-0001"]["seed"] != about["dls-0002"]["seed"]


def test_a_sequence_can_be_simulated_again_from_its_seed(made):
    data = open_dataset(made[0])
    again = simulate_sequence("dls", 3, seed=data.other["sequences"]["dls-0002"]["seed"])
    for index, frame in enumerate(data.sequences()["dls-0002"]):
        np.testing.assert_array_equal(data.image(frame), again.frames[index])
        np.testing.assert_array_equal(data.labels(frame), again.labels[index])


def test_killed_and_run_again_it_is_as_if_undisturbed(made, tmp_path):
    settings = SimulateSettings("dls", 3, 2, seed=5)

    def kill(done):
        if done == 4:
            raise KilledError

    with pytest.raises(KilledError):
        simulate_dataset(tmp_path / "dls", settings, kill)
    assert (tmp_path / "dls" / ".unfinished").is_dir()
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "dls" / "images").iterdir()}
    assert len(kept) == 4
    simulate_dataset(tmp_path / "dls", settings)
    assert files_of(tmp_path / "dls") == files_of(made[0])
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())


def test_done_already_it_says_so_and_writes_nothing(made):
    before = files_of(made[0])
    again = amseg("--facility", "dls", "--frames", 3, "--sequences", 2, "--seed", 5, "-o", made[0])
    assert again.exit_code == 0
    assert files_of(made[0]) == before


@pytest.mark.parametrize("kind", ["another data set", "something else"])
def test_a_folder_that_holds_something_else_is_left_alone(made, tmp_path, kind):
    folder = made[0]
    if kind == "something else":
        folder = tmp_path
        (folder / "notes.txt").write_text("mine")
    before = files_of(folder)
    done = amseg("--facility", "dls", "--frames", 2, "-o", folder)
    assert done.exit_code == 2
    assert str(folder) in done.stderr
    assert "another -o" in done.stderr
    assert files_of(folder) == before


def test_castings_have_no_laser_and_no_scale(tmp_path):
    done = amseg("--facility", "hpdc", "--frames", 2, "-o", tmp_path / "hpdc")
    assert done.exit_code == 0, done.output
    document = json.loads((tmp_path / "hpdc" / "dataset.json").read_text())
    assert "pixel_size_um" not in document
    assert all("power_W" not in frame for frame in document["frames"])


def test_process_that_was_not_run_there_is_named(tmp_path):
    done = amseg("--facility", "aps", "--process", "ded", "-o", tmp_path / "out")
    assert done.exit_code == 2
    assert "aps has welding, lpbf" in done.stderr
    assert not (tmp_path / "out").exists()


def test_without_opencv_it_says_what_to_install(tmp_path):
    code = (
        "import sys; sys.modules['cv2'] = None\n"
        "from amseg_keras.command import main\n"
        f"main(['simulate', '--facility', 'esrf', '-o', {str(tmp_path / 'out')!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install" in done.stderr
    assert "Traceback" not in done.stderr
