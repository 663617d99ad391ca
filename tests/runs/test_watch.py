"""An acquisition by another process, labelled and measured while it goes on."""

import json
import subprocess
import sys
import threading

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image
from random_networks import randomise
from shallow_networks import shallow_network

from amseg_keras import Segmenter
from amseg_keras.classes import CLASS_NAMES
from amseg_keras.preprocess import GreyRange, GreyScaling
from amseg_keras.pretrained import PresetInfo
from amseg_keras.quantify import Scale, measure
from amseg_keras.read import ReadError, find_stacks, open_stack
from amseg_keras.runs import RunSettings, run_stack
from amseg_keras.runs.labelled_run import open_labelled_run
from amseg_keras.runs.watch import (
    Network,
    Problem,
    Timing,
    Turn,
    WatchSettings,
    Written,
    watch,
)

SHAPE = (32, 48)
LIMIT_S = 60

# Makes frame `number` for each line it is sent: as a file of its own, or in an HDF5 file.
WRITER = """
import sys, pathlib, h5py, numpy as np, tifffile
target, kind = pathlib.Path(sys.argv[1]), sys.argv[2]
def frame(number):
    rng = np.random.default_rng(number)
    return (np.cumsum(rng.normal(0, 60, (32, 48)), axis=1) + 2000).astype("u2")
if kind != "files":
    file = h5py.File(target, "w", libver="latest")
    data = file.create_dataset("data", (0, 32, 48), "u2", maxshape=(None, 32, 48),
                               chunks=(1, 32, 48))
    if kind == "swmr":
        file.swmr_mode = True
print("open", flush=True)
for number, _ in enumerate(sys.stdin):
    if kind == "files":
        tifffile.imwrite(target / f"shot_{number}.tif", frame(number))
    else:
        data.resize(number + 1, 0)
        data[number] = frame(number)
        file.flush()
    print("there", flush=True)
if kind != "files":
    file.close()
"""


def frame(number):
    """What the writer makes."""
    rng = np.random.default_rng(number)
    return (np.cumsum(rng.normal(0, 60, SHAPE), axis=1) + 2000).astype(np.uint16)


def frames(count):
    return np.stack([frame(number) for number in range(count)])


class Writer:
    """A process that writes as many frames as it is told to."""

    def __init__(self, target, kind):
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(target), kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline() == "open\n"

    def write(self, count):
        for _ in range(count):
            self.process.stdin.write("\n")
            self.process.stdin.flush()
            assert self.process.stdout.readline() == "there\n"

    def close(self):
        self.process.communicate(timeout=LIMIT_S)
        assert self.process.returncode == 0


@pytest.fixture(scope="module")
def network():
    info = PresetInfo("shallow", CLASS_NAMES, GreyScaling(), 4.31, "nothing: random weights")
    return Network(Segmenter(randomise(shallow_network()), info), "digest", "cpu:0")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def quick(**other):
    timing = Timing(other.pop("settle_s", 0.05), other.pop("patience_s", 0.3))
    chosen = {"grey_wait_s": 0.1, "complete_s": 0.2, "poll_s": 0.02, "batch_size": 2}
    return WatchSettings(timing=timing, **chosen | other)


@pytest.fixture
def watched(folder, out, network):
    """Watch until `until(events)`, or `until_idle_s`; all that happened."""

    def watched(until=None, network=network, on_event=lambda event: None, **settings):
        stop, events = threading.Event(), []
        limit = threading.Timer(LIMIT_S, stop.set)
        limit.start()
        if until is None:
            settings.setdefault("until_idle_s", 0.2)
        for event in watch(folder, out, network, quick(**settings), stop):
            events.append(event)
            on_event(event)
            if until is not None and until(events):
                stop.set()
        in_time = limit.is_alive()
        limit.cancel()
        assert in_time, f"was not through in time: {events}"
        return events

    return watched


def written(count):
    """Whether the files of a stack of so many frames are there."""
    return lambda events: any(
        isinstance(event, Written) and event.frames == count for event in events
    )


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def live(folder):
    return pd.read_csv(folder / "live.csv")


def labels_of(folder):
    return np.stack(list(open_labelled_run(folder).frames()))


def record_of(folder):
    return json.loads((folder / "run.json").read_text())


def expected_labels(network, folder, stack):
    grey_range = GreyRange(**record_of(folder)["grey_range"])
    return np.stack([one.labels for one in network.segmenter.iter_labels(stack, grey_range)])


def test_frames_are_done_while_others_are_still_written(folder, out, watched, network):
    writer = Writer(folder, "files")
    writer.write(3)
    rows = []

    def go_on(event):
        if isinstance(event, Turn):
            rows.append(len(live(out / "shot")))
            if event.done == 3:
                writer.write(4)
                writer.close()

    watched(written(7), on_event=go_on, complete_s=1)
    assert rows[0] <= 3
    table = live(out / "shot")
    assert list(table["frame"]) == list(range(7))
    assert list(table["file"]) == [f"shot_{number}.tif" for number in range(7)]
    assert (table["latency_s"] >= 0.05).all()
    assert (table["since_written_s"] >= 0.05).all()
    np.testing.assert_array_equal(
        labels_of(out / "shot"), expected_labels(network, out / "shot", frames(7))
    )


def test_a_complete_stack_has_the_files_of_segment(folder, out, watched):
    Writer(folder, "files").write(2)
    watched(written(2))
    assert sorted(path.name for path in (out / "shot").iterdir()) == [
        "frames.csv",
        "labels.tif",
        "live.csv",
        "overlay.mp4",
        "run.json",
    ]
    assert open_labelled_run(out / "shot").shape == (2, *SHAPE)


def test_the_source_of_the_record_can_be_opened(folder, out, watched):
    for number in range(2):
        tifffile.imwrite(folder / f"shot_{number}.tif", frame(number))
        Image.fromarray(frame(number).astype(np.uint8)).save(folder / f"other_{number}.png")
    watched()
    for name in ("shot", "other"):
        with open_stack(record_of(out / name)["source"]) as stack:
            assert len(stack) == 2


def test_the_live_table_says_what_quantify_will(folder, out, watched, network):
    np.save(folder / "scan.npy", frames(5))
    watched(written(5), pixel_size_um=2.0)
    table, labels = live(out / "scan"), labels_of(out / "scan")
    later = measure(labels, CLASS_NAMES, Scale(2.0)).frames
    for column in (
        *("keyhole_area_px", "keyhole_area_um2", "keyhole_depth_px", "keyhole_depth_um"),
        *("pore_count", "pore_area_px", "pore_area_um2"),
    ):
        np.testing.assert_allclose(table[column], later[column], rtol=1e-5, err_msg=column)
    for number, name in enumerate(CLASS_NAMES):
        count = (labels == number).sum(axis=(1, 2))
        np.testing.assert_array_equal(table[f"labelled_{name}_area_px"], count)


def test_a_file_that_is_whole_gives_the_result_of_segment(folder, out, watched, network, tmp_path):
    np.save(folder / "scan.npy", frames(20) + np.arange(20, dtype=np.uint16)[:, None, None] * 100)
    watched(written(20))
    with open_stack(folder / "scan.npy") as stack:
        run_stack(stack, network.segmenter, "digest", tmp_path / "run", RunSettings(batch_size=2))
    for name in ("labels.tif", "frames.csv"):
        assert (out / "scan" / name).read_bytes() == (tmp_path / "run" / name).read_bytes(), name
    assert record_of(out / "scan")["grey_range"] == record_of(tmp_path / "run")["grey_range"]
    assert record_of(out / "scan")["grey_range_from"] == "all 20 frames"


def test_the_grey_range_of_a_growing_stack_is_that_of_its_first_frames(
    folder, out, watched, network
):
    def show(event):
        if isinstance(event, Turn) and event.done == 16:
            for number in range(16, 20):
                tifffile.imwrite(folder / f"shot_{number:02}.tif", frame(number) + 9000)

    for number in range(16):
        tifffile.imwrite(folder / f"shot_{number:02}.tif", frame(number))
    watched(written(20), on_event=show, grey_wait_s=LIMIT_S)
    record = record_of(out / "shot")
    assert GreyRange(**record["grey_range"]) == network.segmenter.scaling.measure(frames(16))
    assert record["grey_range_from"] == "the first 16 frames"


def test_frames_appended_in_swmr_mode_are_done_before_the_file_is_closed(
    folder, out, watched, network
):
    writer = Writer(folder / "scan.h5", "swmr")
    writer.write(3)

    def go_on(event):
        if isinstance(event, Turn) and event.done == 3:
            assert writer.process.poll() is None
            writer.write(2)
        if isinstance(event, Turn) and event.done == 5:
            writer.close()

    # Only the closing of the file can make it complete.
    events = watched(written(5), on_event=go_on, complete_s=10 * LIMIT_S)
    assert not of(Problem, events)
    np.testing.assert_array_equal(
        labels_of(out / "scan"), expected_labels(network, out / "scan", frames(5))
    )
    assert record_of(out / "scan")["source"] == str(folder / "scan.h5")


def test_what_a_crashed_swmr_writer_left_is_done_once(folder, out, watched, network):
    writer = Writer(folder / "scan.h5", "swmr")
    writer.write(3)
    writer.process.kill()
    writer.process.communicate()
    watched()
    np.testing.assert_array_equal(
        labels_of(out / "scan"), expected_labels(network, out / "scan", frames(3))
    )
    assert watched() == []


def test_hdf5_that_is_opened_again_for_more_goes_on(folder, out, watched):
    path = folder / "scan.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=frames(2), maxshape=(None, *SHAPE), chunks=(1, *SHAPE))
    code = (
        "import sys, h5py\nwith h5py.File(sys.argv[1], 'a') as file:\n"
        "    file['data'].resize(3, 0)\n    file['data'][2] = 5\n"
    )

    def append(event):
        if isinstance(event, Turn) and event.done == 2:
            subprocess.run([sys.executable, "-c", code, str(path)], check=True)

    assert not of(Problem, watched(written(3), on_event=append))


def test_hdf5_without_swmr_is_taken_when_its_writer_has_closed_it(folder, out, watched):
    writer = Writer(folder / "scan.h5", "alone")
    writer.write(3)
    np.save(folder / "other.npy", frames(2))

    def close(event):
        if isinstance(event, Written) and event.stack == "other":
            assert not (out / "scan").exists()
            writer.close()

    assert not of(Problem, watched(written(3), on_event=close))


def test_hdf5_that_is_never_closed_is_named_at_the_end(folder, out, watched):
    writer = Writer(folder / "scan.h5", "alone")
    writer.write(1)
    (problem,) = watched()
    assert "scan.h5: was not read, since its writer has it open" in problem.text
    writer.close()


def test_the_dataset_of_hdf5_files_can_be_named(folder, out, watched):
    with h5py.File(folder / "scan.h5", "w") as file:
        file["frames"], file["flats"] = frames(3), frames(2)
    watched(written(2), dataset="/flats")
    assert len(labels_of(out / "scan")) == 2


def test_a_half_written_frame_is_waited_for(folder, out, watched, network):
    whole = folder.parent / "whole.tif"
    tifffile.imwrite(whole, frame(1))
    content = whole.read_bytes()
    tifffile.imwrite(folder / "shot_0.tif", frame(0))
    (folder / "shot_1.tif").write_bytes(content[: len(content) // 2])
    tifffile.imwrite(folder / "shot_2.tif", frame(2))

    def complete(event):
        if isinstance(event, Turn) and event.done == 2:
            assert event.behind == 1
            with (folder / "shot_1.tif").open("ab") as file:
                file.write(content[len(content) // 2 :])

    events = watched(written(3), on_event=complete, patience_s=LIMIT_S)
    assert not any(turn.errors for turn in of(Turn, events))
    assert list(live(out / "shot")["file"]) == ["shot_0.tif", "shot_2.tif", "shot_1.tif"]
    # In the stack it is where its name puts it.
    np.testing.assert_array_equal(
        labels_of(out / "shot"), expected_labels(network, out / "shot", frames(3))
    )
    table = pd.read_csv(out / "shot" / "frames.csv")
    assert list(table["file"]) == ["shot_0.tif", "shot_1.tif", "shot_2.tif"]


def test_a_damaged_frame_is_given_up_and_labelled_255(folder, out, watched):
    for number in (0, 2):
        tifffile.imwrite(folder / f"shot_{number}.tif", frame(number))
    (folder / "shot_1.tif").write_bytes(b"II*\0 no frame")
    events = watched(written(3))
    (error,) = [error for turn in of(Turn, events) for error in turn.errors]
    assert "shot_1.tif" in error
    labels = labels_of(out / "shot")
    assert [bool((one == 255).all()) for one in labels] == [False, True, False]
    assert record_of(out / "shot")["unreadable_frames"] == [{"frame": 1, "error": error}]
    assert live(out / "shot")["error"].notna().sum() == 1


def test_frames_that_are_moved_away_when_they_are_done_leave_their_labels(folder, out, watched):
    def move(event):
        if isinstance(event, Turn):
            for path in folder.iterdir():
                path.rename(folder.parent / path.name)

    for number in range(2):
        tifffile.imwrite(folder / f"shot_{number}.tif", frame(number))
    assert not of(Problem, watched(written(2), on_event=move))
    assert len(labels_of(out / "shot")) == 2
    assert "overlay.mp4" not in record_of(out / "shot")["outputs"]


def test_a_frame_of_another_size_is_an_error_of_its_own(folder, out, watched):
    for number in range(2):
        tifffile.imwrite(folder / f"shot_{number}.tif", frame(number))
    tifffile.imwrite(folder / "shot_2.tif", frame(2)[:16])
    (error,) = [error for turn in of(Turn, watched(written(3))) for error in turn.errors]
    assert "shot_2.tif: is 16 x 48 uint16, but the first frame" in error


def test_a_damaged_file_is_named_and_the_others_are_done(folder, out, watched):
    (folder / "broken.npy").write_bytes(b"\x93NUMPY nothing more")
    np.save(folder / "scan.npy", frames(2))
    events = watched()
    (problem,) = of(Problem, events)
    assert "broken.npy" in problem.text
    assert [event.stack for event in of(Written, events)] == ["scan"]


def test_started_again_nothing_that_is_done_is_done_again(folder, out, watched):
    np.save(folder / "scan.npy", frames(3))
    for number in range(2):
        tifffile.imwrite(folder / f"shot_{number}.tif", frame(number))
    watched()
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert watched() == []
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


@pytest.mark.parametrize("label_format", ["tiff", "png", "hdf5"])
def test_a_complete_stack_goes_on_when_more_comes(folder, out, watched, network, label_format):
    for number in (0, 2):
        tifffile.imwrite(folder / f"shot_{number}.tif", frame(number))
    watched(label_format=label_format)
    first = live(out / "shot")
    tifffile.imwrite(folder / "shot_1.tif", frame(1))
    (turn,) = of(Turn, watched(label_format=label_format))
    assert (turn.done, len(turn.latencies_s)) == (3, 1)
    pd.testing.assert_frame_equal(live(out / "shot")[:2], first)
    np.testing.assert_array_equal(
        labels_of(out / "shot"), expected_labels(network, out / "shot", frames(3))
    )


def test_a_file_to_which_pages_are_added_goes_on(folder, out, watched, network):
    tifffile.imwrite(folder / "scan.tif", frames(2), photometric="minisblack", metadata=None)

    def add(event):
        if isinstance(event, Written) and event.frames == 2:
            for number in (2, 3):
                tifffile.imwrite(folder / "scan.tif", frame(number), append=True, metadata=None)

    watched(written(4), on_event=add)
    np.testing.assert_array_equal(
        labels_of(out / "scan"), expected_labels(network, out / "scan", frames(4))
    )


def test_a_file_that_is_replaced_is_reported_and_its_labels_stay(folder, out, watched):
    np.save(folder / "scan.npy", frames(3))

    def replace(event):
        if isinstance(event, Written):
            np.save(folder / "scan.npy", frames(3)[::-1])

    events = watched(lambda events: of(Problem, events), on_event=replace)
    assert "scan.npy: was replaced" in events[-1].text


def test_stopped_in_the_middle_what_is_done_is_whole(folder, out, watched, network):
    for number in range(30):
        tifffile.imwrite(folder / f"shot_{number:02}.tif", frame(number))

    events = watched(lambda events: of(Turn, events), grey_wait_s=LIMIT_S)
    done = of(Written, events)[0].frames
    assert len(labels_of(out / "shot")) == len(live(out / "shot")) == done
    watched()
    assert len(labels_of(out / "shot")) == 30


@pytest.mark.parametrize(
    ("cut_labels", "cut_table", "left"), [(0, 1, 2), (SHAPE[0] * 5, 0, 2), (0, 40, 2)]
)
def test_what_a_kill_cut_off_is_done_again(
    folder, out, watched, network, cut_labels, cut_table, left
):
    for number in range(3):
        tifffile.imwrite(folder / f"shot_{number}.tif", frame(number))
    stop = threading.Event()
    for event in watch(folder, out, network, quick(), stop):
        if isinstance(event, Turn) and event.done == 3:
            break  # as a kill: the generator never comes to its end
    assert not (out / "shot" / "run.json").exists()
    for path, cut in (
        (out / "shot" / ".watching" / "labels.raw", cut_labels),
        (out / "shot" / "live.csv", cut_table),
    ):
        path.write_bytes(path.read_bytes()[: path.stat().st_size - cut])
    (turn,) = of(Turn, watched())
    assert (turn.done, len(turn.latencies_s)) == (3, 3 - left)
    assert list(live(out / "shot")["file"]) == [f"shot_{number}.tif" for number in range(3)]
    np.testing.assert_array_equal(
        labels_of(out / "shot"), expected_labels(network, out / "shot", frames(3))
    )


def test_another_network_may_not_go_on(folder, out, watched, network):
    np.save(folder / "scan.npy", frames(2))
    watched()
    (problem,) = watched(network=Network(network.segmenter, "another"))
    assert "scan: holds the labels of another watch" in problem.text
    assert "give another -o" in problem.text


def test_a_folder_without_its_live_table_is_left_alone(folder, out, watched):
    np.save(folder / "scan.npy", frames(2))
    watched()
    (out / "scan" / "live.csv").unlink()
    (problem,) = watched()
    assert "scan: its live.csv is not that of its run.json; give another -o" in problem.text


def test_a_folder_that_cannot_be_written_is_named(folder, out, watched):
    np.save(folder / "scan.npy", frames(2))
    out.write_text("a file where the folder should be")
    (problem,) = watched()
    assert f"{out / 'scan'}: cannot be written" in problem.text


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
    for number in (1, 2, 10):
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
