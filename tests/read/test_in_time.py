"""Files that take too long to open are refused, and the next ones are checked all the same."""

import os
import signal

import numpy as np
import pytest

from amseg_keras.read import ReadError
from amseg_keras.read.in_time import TimedReader


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
