"""FrameStack: indexing, closing, laziness, and values that are not numbers."""

import resource
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from amseg_keras.read import ReadError, open_stack


def test_negative_indices_count_from_the_end(tmp_path, frames):
    np.save(tmp_path / "a.npy", frames)
    with open_stack(tmp_path / "a.npy") as stack:
        np.testing.assert_array_equal(stack[-1], frames[-1])


@pytest.mark.parametrize("index", [6, -7])
def test_an_index_outside_is_an_index_error(tmp_path, frames, index):
    np.save(tmp_path / "a.npy", frames)
    with open_stack(tmp_path / "a.npy") as stack, pytest.raises(IndexError, match="among 6"):
        stack[index]


def test_a_frame_belongs_to_the_caller(tmp_path, frames):
    np.save(tmp_path / "a.npy", frames)
    with open_stack(tmp_path / "a.npy") as stack:
        stack[0][:] = 0
        np.testing.assert_array_equal(stack[0], frames[0])


def test_a_closed_stack_says_so(file_format, frames, tmp_path):
    stack = open_stack(file_format.write(tmp_path, frames))
    stack.close()
    stack.close()
    with pytest.raises(ReadError, match="was closed"):
        stack[0]


def test_nan_is_an_error_of_its_frame(tmp_path):
    stored = np.ones((5, 20, 30), dtype=np.float32)
    stored[3, 4, :12] = np.nan
    stored[4, 0, 0] = np.inf
    np.save(tmp_path / "a.npy", stored)
    with open_stack(tmp_path / "a.npy") as stack:
        np.testing.assert_array_equal(stack[2], 1)
        with pytest.raises(ReadError) as caught:
            stack[3]
        assert str(caught.value) == (
            f"{tmp_path}/a.npy: frame 3 holds 12 values that are NaN or infinite; replace them by "
            "the median of their neighbours with: amseg prepare --repair"
        )
        with pytest.raises(ReadError, match="frame 4 holds 1 values"):
            stack[4]


def test_a_stack_far_larger_than_memory_opens_and_gives_frames(tmp_path):
    path = tmp_path / "big.npy"
    shape = (20_000, 1000, 1000)
    with open(path, "wb") as file:
        header = {"descr": "<u2", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + 2 * 20_000 * 1000 * 1000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with open_stack(path) as stack:
        assert stack.shape == shape
        assert not stack[19_999].any()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB


def test_reading_edf_to_the_end_keeps_no_frames(tmp_path):
    import tracemalloc

    from fabio.edfimage import EdfImage

    image = EdfImage(data=np.zeros((500, 500), np.uint16), header={})
    for _ in range(19):
        image.append_frame(data=np.zeros((500, 500), np.uint16))
    image.write(str(tmp_path / "a.edf"))
    with open_stack(tmp_path / "a.edf") as stack:
        tracemalloc.start()
        for frame in stack:
            assert frame.shape == (500, 500)
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert held < 3 * 500_000


@pytest.mark.parametrize(
    "array",
    [
        np.array([["a"] * 20] * 20),
        np.zeros((20, 20), complex),
        np.zeros((20, 20), "datetime64[s]"),
    ],
    ids=["text", "complex", "dates"],
)
def test_values_that_are_not_grey_are_errors(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ReadError, match=r"a\.npy: holds .* values, which are not grey"):
        open_stack(tmp_path / "a.npy")


def test_a_pickled_array_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[{}]], dtype=object), allow_pickle=True)
    with pytest.raises(ReadError, match="holds object values"):
        open_stack(tmp_path / "a.npy")


@pytest.mark.parametrize("shape", [(5,), (2, 3, 4, 5), (0, 20, 20)])
def test_an_npy_of_wrong_dimensions_is_an_error(tmp_path, shape):
    np.save(tmp_path / "a.npy", np.zeros(shape))
    with pytest.raises(ReadError, match="has shape"):
        open_stack(tmp_path / "a.npy")


@settings(
    max_examples=15, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(data=st.data())
def test_frames_survive_a_round_trip(lossless, data):
    dtype = np.dtype(data.draw(st.sampled_from(lossless.dtypes)))
    shape = data.draw(st.tuples(st.integers(1, 4), st.integers(2, 35), st.integers(2, 35)))
    values = (
        st.booleans()
        if dtype.kind == "b"
        else arrays.from_dtype(dtype, allow_nan=False, allow_infinity=False)
    )
    stored = data.draw(arrays.arrays(dtype, shape, elements=values))
    with tempfile.TemporaryDirectory() as folder:
        path = lossless.write(Path(folder), stored)
        with open_stack(path) as stack:
            assert stack.shape == shape
            assert stack.dtype == (np.uint8 if dtype.kind == "b" else dtype.newbyteorder("="))
            for index, frame in enumerate(stack):
                assert frame.dtype == stack.dtype
                np.testing.assert_array_equal(frame, stored[index])
                np.testing.assert_array_equal(stack[index], frame)


def test_aps_frames_are_one_stack(real_data):
    with open_stack(real_data / "aps_ti64_frames") as stack:
        assert stack.name == "aps_ti64_frames"
        assert stack.shape == (25, 400, 1024)
        assert stack.dtype == np.uint16
        assert stack[24].max() < 4096
        assert stack.frame_names is not None
        assert stack.frame_names[9] == "0010.tif"


def test_hpdc_video_has_219_frames(real_data):
    with open_stack(real_data / "hpdc_video_clip.mp4") as stack:
        assert stack.shape == (219, 2160, 1564)
        assert stack.notes == ("colour turned to grey (ITU-R 601 luma)",)
        late, early = stack[200], stack[70]
        np.testing.assert_array_equal(stack[70], early)
        np.testing.assert_array_equal(stack[200], late)


def test_esrf_jpeg_is_one_frame(real_data):
    with open_stack(real_data / "esrf_lpbf.jpg") as stack:
        assert stack.shape == (1, 256, 512)
        assert stack.notes == ()
