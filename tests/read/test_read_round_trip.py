"""What was stored comes back, from every lossless format."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from amseg_keras.read import open_stack


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
