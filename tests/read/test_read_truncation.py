"""A file that was cut anywhere never gives wrong pixels, and never fewer frames in silence."""

import numpy as np
import pytest

from amseg_keras.read import ReadError, open_stack

OFFSETS = 90


def cuts(size: int) -> list[int]:
    """Offsets spread over the file, and every one near its ends, where headers and indexes lie."""
    spread = np.linspace(0, size - 1, OFFSETS).astype(int).tolist()
    return sorted({*spread, *range(1, 12), *range(max(0, size - 60), size)})


def test_a_cut_file_is_an_error_or_whole(file_format, frames, tmp_path, capfd):
    path = file_format.write(tmp_path, frames.astype(file_format.dtypes[0]))
    whole = path.read_bytes()
    with open_stack(path) as stack:
        expected = list(stack)
    # EDF stores no number of frames: cut exactly between two, it is a sound shorter file.
    between = set()
    if path.suffix == ".edf":
        between = {len(whole) * n // len(frames) for n in range(len(frames))}
    for cut in cuts(len(whole)):
        if cut in between:
            continue
        path.write_bytes(whole[:cut])
        try:
            stack = open_stack(path)
        except ReadError as error:
            assert str(error).startswith(str(path))
            continue
        with stack:
            assert len(stack) == len(expected), f"cut at {cut} of {len(whole)}"
            for index in range(len(stack)):
                try:
                    frame = stack[index]
                except ReadError as error:
                    assert str(error).startswith(str(path))
                else:
                    assert np.array_equal(frame, expected[index]), f"cut at {cut}, frame {index}"
    noise = capfd.readouterr()
    assert noise.out + noise.err == ""


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9, 0.99])
def test_a_cut_member_of_a_sequence_is_an_error_of_its_frame(frames, tmp_path, cut):
    import tifffile

    for number, frame in enumerate(frames):
        tifffile.imwrite(tmp_path / f"{number}.tif", frame)
    broken = tmp_path / "0.tif"
    data = broken.read_bytes()
    broken.write_bytes(data[: int(cut * len(data))])
    with open_stack(tmp_path) as stack:
        assert len(stack) == len(frames)
        with pytest.raises(ReadError, match=r"0\.tif: "):
            stack[0]
        np.testing.assert_array_equal(stack[1], frames[1])
