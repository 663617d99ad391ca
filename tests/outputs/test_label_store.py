"""Frames of an unfinished run: each comes back as itself, or counts as missing."""

import os
import resource
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amseg_keras.outputs import LabelStore, StoreDamagedError

SHAPE = (5, 7)


def frame(number):
    return np.full(SHAPE, number % 251, np.uint8)


def filled(path, numbers):
    with LabelStore(path, SHAPE) as store:
        for number in numbers:
            store.append(number, frame(number))
    return path


@settings(deadline=None)
@given(st.permutations(range(12)))
def test_frames_in_any_order_come_back_by_their_numbers(tmp_path_factory, numbers):
    path = filled(tmp_path_factory.mktemp("store") / "frames", numbers)
    with LabelStore(path, SHAPE) as store:
        assert store.numbers == sorted(numbers)
        for number in numbers:
            np.testing.assert_array_equal(store.read(number), frame(number))


@settings(deadline=None)
@given(st.data())
def test_wherever_the_file_is_cut_the_whole_frames_before_the_cut_are_left(tmp_path_factory, data):
    path = filled(tmp_path_factory.mktemp("store") / "frames", range(4))
    size = path.stat().st_size
    cut = data.draw(st.integers(0, size))
    os.truncate(path, cut)
    with LabelStore(path, SHAPE) as store:
        assert store.numbers == list(range(cut * 4 // size))
        store.append(9, frame(9))
        np.testing.assert_array_equal(store.read(9), frame(9))


@settings(deadline=None)
@given(st.data())
def test_a_changed_byte_never_gives_another_frame(tmp_path_factory, data):
    path = filled(tmp_path_factory.mktemp("store") / "frames", range(4))
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    with LabelStore(path, SHAPE) as store:
        assert set(store.numbers) < set(range(4)), "the changed frame counts as missing"
        for number in store.numbers:
            np.testing.assert_array_equal(store.read(number), frame(number))


def test_a_frame_that_changes_while_the_store_is_open_is_not_read(tmp_path):
    path = filled(tmp_path / "frames", range(2))
    with LabelStore(path, SHAPE) as store:
        with path.open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(b"\xff")
        np.testing.assert_array_equal(store.read(0), frame(0))
        with pytest.raises(StoreDamagedError, match="frame 1 was changed"):
            store.read(1)


def test_what_is_known_of_a_frame_comes_back_with_it(tmp_path):
    with LabelStore(tmp_path / "frames", SHAPE, np.float32) as store:
        store.append(3, np.full(SHAPE, 0.5, np.float32), {"error": "frame 3 is damaged", "µ": 1.5})
        store.append(4, np.zeros(SHAPE, np.float32))
    with LabelStore(tmp_path / "frames", SHAPE, np.float32) as store:
        assert store.about(3) == {"error": "frame 3 is damaged", "µ": 1.5}
        assert store.about(4) == {}
        assert store.errors == {3: "frame 3 is damaged"}
        assert store.read(3).dtype == np.float32


def test_a_frame_that_is_done_again_is_read_as_it_was_done_last(tmp_path):
    with LabelStore(tmp_path / "frames", SHAPE) as store:
        store.append(0, frame(1))
        store.append(0, frame(2))
        assert store.read(0)[0, 0] == 2
    assert LabelStore(tmp_path / "frames", SHAPE).read(0)[0, 0] == 2


def test_several_threads_may_append(tmp_path):
    with LabelStore(tmp_path / "frames", SHAPE) as store:

        def append(first):
            for number in range(first, first + 50):
                store.append(number, frame(number))

        threads = [threading.Thread(target=append, args=(50 * place,)) for place in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.numbers == list(range(200))
        assert all((store.read(number) == frame(number)).all() for number in range(200))


def test_a_map_of_another_shape_is_refused(tmp_path):
    store = LabelStore(tmp_path / "frames", SHAPE)
    with pytest.raises(ValueError, match=r"a map of \(7, 5\) uint8 does not belong"):
        store.append(0, np.zeros((7, 5), np.uint8))


def test_a_frame_that_does_not_fit_on_the_disk_leaves_the_others_whole(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with LabelStore(tmp_path / "frames", SHAPE) as store:
        store.append(0, frame(0))
        size = (tmp_path / "frames").stat().st_size
        # As on a full disk: the second frame is written in part.
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, limits[1]))
        try:
            with pytest.raises(OSError, match=r"No space left|File too large"):
                store.append(1, frame(1))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert (tmp_path / "frames").stat().st_size == size
        store.append(2, frame(2))
    with LabelStore(tmp_path / "frames", SHAPE) as store:
        assert store.numbers == [0, 2]
