"""The figure of a recording over time."""

import dataclasses
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from drawn_experiment import FRAMES, SCALE, SHAPE, UNREADABLE, depth, quantities
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex

from amseg_keras.classes import CLASS_NAMES
from amseg_keras.quantify import Scale, measure
from amseg_keras.report.colours import PAPER_COLOURS
from amseg_keras.report.experiment.film_strip import StripPicture, Window, strip_frames
from amseg_keras.report.experiment.look import inline_svg, time_axis
from amseg_keras.report.experiment.time_series import over_time, time_series_figure

AXIS = time_axis(SCALE, FRAMES)


def strip(frames):
    picture = np.full((*SHAPE, 3), 90, np.uint8)
    return [(StripPicture(frame, picture), Window(0, 0, *SHAPE)) for frame in frames]


def panels(figure):
    return [axes for axes in figure.axes if axes.get_ylabel()]


def test_area_depth_and_pore_area_are_drawn_in_their_units():
    found = quantities()
    figure = time_series_figure(found, CLASS_NAMES, AXIS)
    labels = [axes.get_ylabel().replace("\n", " ") for axes in figure.axes]
    assert labels == ["keyhole area (µm²)", "keyhole depth (µm)", "pore area (µm²)"]
    assert figure.axes[-1].get_xlabel() == "time (ms)"
    x, y = figure.axes[1].lines[0].get_data()
    np.testing.assert_allclose(x, np.arange(FRAMES) / 10)
    wanted = [2.0 * depth(frame) for frame in range(FRAMES)]
    wanted[UNREADABLE] = np.nan
    np.testing.assert_allclose(y, wanted)


def test_without_scale_pixels_and_frames_are_shown():
    axis = time_axis(Scale(), FRAMES)
    figure = time_series_figure(quantities(Scale()), CLASS_NAMES, axis)
    assert figure.axes[0].get_ylabel().endswith("(px²)")
    assert figure.axes[-1].get_xlabel() == "frame"


def test_lines_have_the_colours_of_their_classes_in_the_paper():
    figure = time_series_figure(quantities(), CLASS_NAMES, AXIS)
    colours = [to_hex(axes.lines[0].get_color()) for axes in figure.axes]
    keyhole, pore = (f"#{bytes(PAPER_COLOURS[name]).hex()}" for name in ("keyhole", "pore"))
    assert colours == [keyhole, keyhole, pore]


def test_the_moment_at_which_a_pore_is_formed_is_marked_in_every_panel():
    figure = time_series_figure(quantities(), CLASS_NAMES, AXIS)
    for axes in figure.axes:
        (lines,) = (one for one in axes.collections if isinstance(one, LineCollection))
        (line,) = lines.get_segments()
        assert (line[:, 0] == 1.0).all()
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["pore formed at the keyhole"]


def test_a_pore_formed_elsewhere_is_told_apart():
    found = quantities()
    found.events["from_keyhole"] = False
    (legend,) = time_series_figure(found, CLASS_NAMES, AXIS).legends
    assert [text.get_text() for text in legend.get_texts()] == ["pore formed elsewhere"]


def test_the_melt_pool_has_panels_of_its_depth_and_its_length():
    names = [*CLASS_NAMES, "melt pool"]
    labels = np.full((FRAMES, 80, 120), 2, np.uint8)
    labels[:, :20] = 0
    labels[:, 20:50, 20:60] = 5
    figure = time_series_figure(measure(labels, names, SCALE), names, AXIS)
    shown = {axes.get_ylabel().partition("\n")[0]: axes for axes in figure.axes}
    assert list(shown)[2:4] == ["melt pool depth", "melt pool length"]
    assert set(shown["melt pool depth"].lines[0].get_ydata()) == {30 * SCALE.pixel_size_um}


def test_classes_that_labels_do_not_have_get_no_panel():
    figure = time_series_figure(quantities(), ["background", "pore"], AXIS)
    assert [axes.get_ylabel() for axes in figure.axes] == ["pore area\n(µm²)"]
    assert time_series_figure(quantities(), ["background"], AXIS).axes == []


def test_pictures_stand_above_their_moments():
    frames = strip_frames(range(FRAMES), FRAMES, 3)
    figure = time_series_figure(quantities(), CLASS_NAMES, AXIS, strip(frames))
    figure.canvas.draw()
    below = panels(figure)[0]
    pictures = [axes for axes in figure.axes if axes.images]
    for axes, frame in zip(pictures, frames, strict=True):
        box = axes.get_window_extent()
        moment, _ = below.transData.transform((AXIS.at(frame), 0))
        assert (box.x0 + box.x1) / 2 == pytest.approx(moment, abs=1)
        assert box.y0 > below.get_window_extent().y1
        assert axes.get_title() == AXIS.text(frame)


@pytest.mark.parametrize("frames", [range(3, FRAMES, 6), [0, 1, 2, 3], [36, 37, 39], [0, 38, 39]])
def test_pictures_neither_overlap_nor_leave_the_figure(frames):
    figure = time_series_figure(quantities(), CLASS_NAMES, AXIS, strip(frames))
    boxes = [axes.get_position() for axes in figure.axes if axes.images]
    assert len(boxes) == len(frames)
    for left, right in pairwise(boxes):
        assert left.x1 < right.x0
    assert boxes[0].x0 > 0
    assert boxes[-1].x1 < 1


def test_a_scale_bar_is_as_long_as_it_says():
    figure = time_series_figure(quantities(), CLASS_NAMES, AXIS, strip([3, 29]))
    first = next(axes for axes in figure.axes if axes.images)
    (bar,), (text,) = first.lines, first.texts
    left, right = bar.get_xdata()
    assert text.get_text() == "50 µm"
    assert (right - left) * SCALE.pixel_size_um == pytest.approx(50)
    assert right < SHAPE[1]


def test_without_a_pixel_size_there_is_no_scale_bar():
    found = quantities(Scale())
    figure = time_series_figure(found, CLASS_NAMES, time_axis(Scale(), FRAMES), strip([3]))
    assert not any(axes.lines for axes in figure.axes if axes.images)


def test_a_panel_without_anything_says_so():
    found = quantities()
    found.frames["pore_area_px"] = found.frames["pore_area_um2"] = 0
    figure = time_series_figure(found, CLASS_NAMES, AXIS)
    assert [text.get_text() for text in figure.axes[-1].texts] == ["none"]
    assert not figure.axes[0].texts


def test_frames_without_a_row_are_gaps():
    values = over_time(quantities().frames, "keyhole_depth_px", FRAMES)
    assert np.flatnonzero(np.isnan(values)).tolist() == [UNREADABLE]


def test_a_long_recording_is_no_large_picture():
    frames = pd.concat([quantities().frames] * 500, ignore_index=True)
    frames["frame"] = np.arange(len(frames))
    found = dataclasses.replace(quantities(), frames=frames)
    axis = time_axis(SCALE, len(frames))
    assert axis.frames > 19_000
    assert len(inline_svg(time_series_figure(found, CLASS_NAMES, axis), "", {})) < 1_500_000
