"""A watch that ends, or is killed, and is started again."""

import threading

import numpy as np
import pandas as pd
import pytest
import tifffile
from watching import (
    LIMIT_S,
    expected_labels,
    frame,
    frames,
    labels_of,
    live,
    of,
    quick,
    written,
)

from amseg_keras.outputs import CannotWriteError, OutputTakenError
from amseg_keras.runs.watch import Network, Turn, Written, watch


def test_started_again_nothing_that_is_done_is_done_again(folder, out, watched):
    np.save(folder / "scan.npy", frames(3))
    for number in range(2):
        tifffile.imwrite(folder / f"shot_{number}.tif", frame(number))
    watched()
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    assert watched() == []
    after = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    assert after == before


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


def test_a_file_that_is_written_over_is_a_new_recording(folder, out, watched, network):
    np.save(folder / "scan.npy", frames(3))

    def replace(event):
        if isinstance(event, Written) and event.stack == "scan":
            np.save(folder / "scan.npy", frames(3)[::-1])

    events = watched(
        lambda events: any(one.stack == "scan_2" for one in of(Written, events)), on_event=replace
    )
    (note,) = of(Written, events)[-1].notes[:1]
    assert "scan holds another recording" in note
    for name, stack in (("scan", frames(3)), ("scan_2", frames(3)[::-1])):
        np.testing.assert_array_equal(
            labels_of(out / name), expected_labels(network, out / name, stack)
        )


def test_a_sequence_that_is_written_over_is_a_new_recording(folder, out, watched, network):
    for number in range(3):
        tifffile.imwrite(folder / f"shot_{number}.tif", frame(number))

    def replace(event):
        if isinstance(event, Written) and event.stack == "shot":
            for number in range(2):  # the third file stays as it was
                tifffile.imwrite(folder / f"shot_{number}.tif", frame(number + 10))

    watched(
        lambda events: any(one.stack == "shot_2" for one in of(Written, events)), on_event=replace
    )
    assert list(live(out / "shot_2")["file"]) == ["shot_0.tif", "shot_1.tif"]
    stack = np.stack([frame(10), frame(11)])
    np.testing.assert_array_equal(
        labels_of(out / "shot_2"), expected_labels(network, out / "shot_2", stack)
    )


def test_a_recording_written_over_between_two_watches_is_a_new_one(folder, out, watched, network):
    np.save(folder / "scan.npy", frames(3))
    watched()
    np.save(folder / "scan.npy", frames(4)[1:])
    watched()
    np.testing.assert_array_equal(
        labels_of(out / "scan_2"), expected_labels(network, out / "scan_2", frames(4)[1:])
    )
    assert len(labels_of(out / "scan")) == 3
    assert watched() == []


def test_a_second_watch_of_one_output_is_refused(folder, out, network, watched):
    np.save(folder / "scan.npy", frames(2))
    first = watch(folder, out, network, quick(), threading.Event())
    next(first)
    with pytest.raises(OutputTakenError, match=r"out: is in use by process \d+ .*amseg watch"):
        next(watch(folder, out, network, quick(), threading.Event()))
    first.close()
    watched()
    assert len(live(out / "scan")) == 2


def test_stopped_in_the_middle_what_is_done_is_whole(folder, out, watched, network):
    for number in range(30):
        tifffile.imwrite(folder / f"shot_{number:02}.tif", frame(number))

    events = watched(lambda events: of(Turn, events), grey_wait_s=LIMIT_S)
    done = of(Written, events)[0].frames
    assert len(labels_of(out / "shot")) == len(live(out / "shot")) == done
    watched()
    assert len(labels_of(out / "shot")) == 30


@pytest.mark.parametrize(("cut_labels", "cut_table", "left"), [(1, 1, 2), (2000, 0, 1), (0, 40, 3)])
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
        (out / "shot" / ".unfinished" / "frames", cut_labels),
        (out / "shot" / "live.csv", cut_table),
    ):
        path.write_bytes(path.read_bytes()[: path.stat().st_size - cut])
    turns = of(Turn, watched())
    assert sum(len(turn.latencies_s) for turn in turns) == 3 - left
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


def test_an_output_that_cannot_be_written_is_named(folder, out, watched):
    np.save(folder / "scan.npy", frames(2))
    out.write_text("a file where the folder should be")
    with pytest.raises(CannotWriteError, match="out: cannot be written"):
        watched()


def test_another_precision_may_not_go_on(folder, out, watched, network):
    np.save(folder / "scan.npy", frames(2))
    watched()
    path = out / "scan" / "run.json"
    path.write_text(path.read_text().replace('"float32"', '"bfloat16"'))
    (problem,) = watched()
    assert "differing in precision" in problem.text
