"""The movie of recording, labels and running plots."""

import imageio.v3 as iio
import numpy as np
import pytest
from drawn_experiment import (
    FRAMES,
    SCALE,
    SHAPE,
    UNREADABLE,
    depth,
    draw_frames,
    draw_labels,
    quantities,
)
from PIL import ImageColor

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.preprocess import GreyRange
from amseg_keras.read import ReadError
from amseg_keras.report.colours import class_colours
from amseg_keras.report.experiment.film_strip import Pictures
from amseg_keras.report.experiment.look import SOFT, time_axis
from amseg_keras.report.experiment.quantities_movie import (
    RunningPlots,
    movie_frames,
    write_quantities_movie,
)

AXIS = time_axis(SCALE, FRAMES)
RECORDED = Pictures(draw_frames(draw_labels()), CLASS_NAMES, GreyRange(1000, 4300, 1.0))
LABELS_ALONE = Pictures(None, CLASS_NAMES, GreyRange(1000, 4300, 1.0))


QUANTITIES = quantities()
TEXT = np.s_[:18, 300:]
"""Where the value of the uppermost plot is written."""


@pytest.fixture(scope="module")
def plots():
    return RunningPlots(QUANTITIES, CLASS_NAMES, AXIS, (480, 420))


def frames_of(pictures, labels=None, shape=(FRAMES, *SHAPE)):
    labels = draw_labels() if labels is None else labels
    return movie_frames(pictures, iter(labels), QUANTITIES, shape, AXIS)


def test_the_file_is_h264_with_a_frame_for_each_of_the_recording(tmp_path):
    path = tmp_path / "movie.mp4"
    labels, shape = draw_labels()[:5], (FRAMES, *SHAPE)
    write_quantities_movie(path, RECORDED, iter(labels), QUANTITIES, shape, AXIS)
    assert iio.immeta(path, plugin="pyav")["codec"] == "h264"
    movie = iio.imread(path, plugin="pyav")
    wanted = list(frames_of(RECORDED, labels))
    assert movie.shape == np.shape(wanted)
    assert np.abs(movie[4].astype(int) - wanted[4]).mean() < 4
    assert [one.name for one in tmp_path.iterdir()] == ["movie.mp4"]


def test_a_movie_that_failed_leaves_no_file(tmp_path):
    def labels():
        yield from draw_labels()[:3]
        raise ReadError("labels.tif: is damaged")

    with pytest.raises(ReadError):
        write_quantities_movie(
            tmp_path / "movie.mp4", RECORDED, labels(), QUANTITIES, (FRAMES, *SHAPE), AXIS
        )
    assert list(tmp_path.iterdir()) == []


def test_labels_are_taken_one_by_one():
    taken = []

    def labels():
        for index, one in enumerate(draw_labels()):
            taken.append(index)
            yield one

    frames = frames_of(RECORDED, labels())
    next(frames)
    next(frames)
    assert taken == [0, 1]


@pytest.mark.parametrize("shape", [(900, 63), (5, 7), (401, 1023)])
@pytest.mark.parametrize("recorded", [True, False])
def test_frames_of_any_shape_give_even_sides(shape, recorded):
    labels = np.ones((1, *shape), np.uint8)
    frames = np.full((1, *shape), 3000, np.uint16) if recorded else None
    pictures = Pictures(frames, CLASS_NAMES, GreyRange(1000, 4300, 1.0))
    (frame,) = frames_of(pictures, labels, (1, *shape))
    assert frame.dtype == np.uint8
    assert frame.shape[0] % 2 == frame.shape[1] % 2 == 0
    assert max(frame.shape) < 2000
    assert frame.shape[2] == 3


def test_recording_and_labels_are_both_shown_at_their_own_size():
    rng = np.random.default_rng(0)
    shape = (1, 200, 500)
    labels = rng.integers(0, 5, shape).astype(np.uint8)
    pictures = Pictures(rng.integers(1000, 4000, shape), CLASS_NAMES, RECORDED.grey_range)
    (frame,) = frames_of(pictures, labels, shape)
    for picture in pictures.pair(0, labels[0]):
        assert any(
            np.array_equal(frame[top : top + 200, left : left + 500], picture)
            for top, left in zip(*np.nonzero((frame == picture[0, 0]).all(axis=-1)), strict=True)
        )


def test_without_the_recording_labels_are_shown_alone():
    frame, both = next(frames_of(LABELS_ALONE)), next(frames_of(RECORDED))
    assert frame.shape[0] < both.shape[0]
    shown = {tuple(pixel) for pixel in frame.reshape(-1, 3)}
    assert {tuple(colour) for colour in class_colours(CLASS_NAMES)} <= shown


def test_the_cursor_moves_with_time(plots):
    grey = ImageColor.getrgb(SOFT)

    def cursor(frame):
        columns = (plots.at(frame) == grey).all(axis=-1).sum(axis=0)
        # The axes at the left are of the same colour.
        return int(np.flatnonzero(columns > 0.9 * columns.max())[-1])

    columns = [cursor(frame) for frame in range(1, FRAMES)]
    steps = np.diff(columns)
    assert (steps > 0).all()
    assert np.ptp(steps) <= 1


def test_lines_are_pale_where_the_movie_has_not_been():
    plots = RunningPlots(QUANTITIES, ["keyhole"], AXIS, (480, 420))
    keyhole = np.array(ImageColor.getrgb("#541352"))

    def dark(frame):
        return (plots.at(frame) == keyhole).all(axis=-1).sum()

    assert 0 < dark(4) < dark(20) < dark(37)


def test_the_present_value_is_written_above_its_plot(plots):
    assert depth(9) == depth(17) != depth(21)
    first, same, other = (plots.at(frame)[TEXT] for frame in (9, 17, 21))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


def test_a_frame_that_could_not_be_read_has_no_value(plots):
    ink, of_neighbour = (
        (plots.at(frame)[TEXT] < 128).any(axis=-1).sum() for frame in (UNREADABLE, UNREADABLE + 1)
    )
    assert 0 < ink < of_neighbour / 4


def test_labels_without_keyhole_and_pore_have_no_plots():
    pictures = Pictures(None, ["background", "substrate"], GreyRange(0, 1, 1))
    labels = np.zeros((1, *SHAPE), np.uint8)
    (frame,) = frames_of(pictures, labels, (1, *SHAPE))
    assert (frame[:, -400:] == 255).all()
