"""An acquisition by another process, labelled and measured while it goes on."""

import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import tifffile
from PIL import Image
from watching import (
    LIMIT_S,
    SHAPE,
    Writer,
    expected_labels,
    frame,
    frames,
    labels_of,
    live,
    of,
    record_of,
    written,
)

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.preprocess import GreyRange
from amseg_keras.quantify import Scale, measure
from amseg_keras.read import open_stack
from amseg_keras.runs import RunSettings, run_stack
from amseg_keras.runs.labelled_run import open_labelled_run
from amseg_keras.runs.watch import Problem, Turn, Written


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
