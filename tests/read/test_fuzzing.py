"""Damaged files of every kind: read, or refused with the package's own error, and in time."""

import os

import pytest
from fuzz_readers import READERS, SHARE, fuzz

FILES = int(os.environ.get("AMSEG_FUZZ_FILES", "10000"))


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
def test_damaged_files_are_read_or_refused(reader):
    tally = fuzz(reader, FILES // SHARE.get(reader, 1))
    assert not tally.bad, "\n".join(tally.examples)


def test_a_few_damaged_files_are_read_or_refused():
    tally = fuzz("edf", 80, seed=1)
    assert tally.tried == 80
    assert not tally.bad, "\n".join(tally.examples)
