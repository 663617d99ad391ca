"""What the figures of many experiments draw where."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from PIL import Image

from amseg_keras.quantify.study import describe_plane, frame_errors
from amseg_keras.report.experiment.look import save_figure
from amseg_keras.report.study import (
    WITH_PORES,
    WITHOUT_PORES,
    area_histograms,
    error_figure,
    plane_figure,
    process_map,
    study_figure,
)


def make_table():
    rng = np.random.default_rng(2)
    has_pores = np.arange(24) % 2 == 0
    delta = rng.normal(0.2, 0.05, 24) + 0.1 * has_pores
    return pd.DataFrame(
        {
            "experiment": [f"scan {number}" for number in range(24)],
            "has_pores": has_pores,
            "pores_from_keyhole": has_pores * 2,
            "keyhole_frames": 50,
            "power_W": rng.uniform(100, 500, 24),
            "speed_mm_s": rng.uniform(300, 1800, 24),
            "area_delta_avg": delta,
            "area_delta_max": 2.5 * delta + rng.normal(0, 0.1, 24),
            "depth_delta_avg": delta,
            "depth_delta_max": delta,
            "median_keyhole_depth_um": rng.uniform(50, 200, 24),
            "median_keyhole_area_um2": rng.uniform(3000, 15000, 24),
            "largest_keyhole_pore_equivalent_diameter_um": np.where(has_pores, 20.0, np.nan),
        }
    )


@pytest.fixture
def table():
    return make_table()


@pytest.fixture(scope="module")
def plane():
    return describe_plane(make_table(), "area_delta_avg", "area_delta_max")


@pytest.fixture
def frames(table):
    repeated = table[["experiment", "has_pores"]].loc[table.index.repeat(10)]
    areas = np.random.default_rng(4).uniform(2000, 9000, len(repeated))
    return repeated.assign(keyhole_area_um2=areas)


def drawn_points(axes, look):
    """Places and sizes of a group's markers, told by their colour."""
    for points in axes.collections:
        if look.colour in (to_hex(points.get_facecolor()[0]), to_hex(points.get_edgecolor()[0])):
            return points.get_offsets(), points.get_sizes()
    raise AssertionError(f"nothing in {look.colour}")


def texts(figure):
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes if axes.get_legend())]
    return [text.get_text() for legend in legends for text in legend.get_texts()]


def test_a_map_shows_both_groups_their_ellipses_and_the_line(table, plane):
    figure = plane_figure(table, plane, "simulated")
    (axes,) = figure.axes
    for look, group in (
        (WITH_PORES, table[table["has_pores"]]),
        (WITHOUT_PORES, table[~table["has_pores"]]),
    ):
        places, _ = drawn_points(axes, look)
        expected = group[["area_delta_avg", "area_delta_max"]].to_numpy()
        np.testing.assert_allclose(sorted(map(tuple, places)), sorted(map(tuple, expected)))
    outlines = [patch for patch in axes.patches if isinstance(patch, Ellipse) and not patch.fill]
    for outline, ellipse in zip(outlines, (plane.with_pores, plane.without_pores), strict=True):
        assert outline.center == (ellipse.x, ellipse.y)
        assert (outline.width / 2, outline.height / 2) == pytest.approx(ellipse.half_axes)
        assert outline.angle == pytest.approx(ellipse.angle_deg)
    (line,) = axes.lines
    x, y = line.get_data()
    np.testing.assert_allclose(y, plane.line.slope * x + plane.line.offset)
    assert any(f"{plane.line.accuracy:.0%} right" in text for text in texts(figure))
    assert "with keyhole pores (12)" in texts(figure)
    assert figure.get_suptitle() == "simulated"


def test_bubbles_have_the_diameter_of_their_pores(table, plane):
    largest = "largest_keyhole_pore_equivalent_diameter_um"
    pores = table["has_pores"]
    table.loc[pores, largest] = np.linspace(30, 90, pores.sum())
    places, sizes = drawn_points(plane_figure(table, plane).axes[0], WITH_PORES)
    of_place = {x: diameter for x, diameter in table.loc[pores, ["area_delta_avg", largest]].values}
    diameters = np.array([of_place[x] for x in places[:, 0]])
    np.testing.assert_allclose(np.sqrt(sizes) / np.sqrt(sizes).max(), diameters / 90)


def test_without_a_line_a_map_has_its_points_and_does_not_speak_of_one(table):
    table["has_pores"] = True
    plane = describe_plane(table, "area_delta_avg", "area_delta_max")
    figure = plane_figure(table, plane)
    assert len(figure.axes[0].lines) == 0
    assert not any("dividing" in text for text in texts(figure))
    assert len(drawn_points(figure.axes[0], WITH_PORES)[0]) == 24


def test_histograms_share_their_axes_and_sum_to_all_frames(frames):
    figure = area_histograms(frames)
    left, right = figure.axes
    assert left.get_xlim() == right.get_xlim()
    assert left.get_ylim() == right.get_ylim()
    for axes, colour in ((left, WITH_PORES.colour), (right, WITHOUT_PORES.colour)):
        assert sum(bar.get_height() for bar in axes.patches) == pytest.approx(100)
        assert to_hex(axes.patches[0].get_facecolor()) == colour
        assert axes.get_xlabel() == "keyhole area (µm²)"
    median = frames.loc[frames["has_pores"], "keyhole_area_um2"].median()
    assert left.lines[0].get_xdata()[0] == pytest.approx(median)
    assert "12 experiments, 120 frames" in left.texts[0].get_text()


def test_a_group_without_frames_has_an_empty_histogram(frames):
    figure = area_histograms(frames[frames["has_pores"]])
    assert len(figure.axes[1].patches) == 0
    assert "0 experiments, 0 frames" in figure.axes[1].texts[0].get_text()


def test_the_study_has_the_four_panels_of_the_paper(table, frames, plane):
    sizes = describe_plane(
        table[table["has_pores"]], "median_keyhole_depth_um", "median_keyhole_area_um2"
    )
    figure = study_figure(table, frames, (plane, sizes), "simulated")
    assert [axes.get_title(loc="left") for axes in figure.axes] == list("abcd")
    units = [axes.get_xlabel().rpartition("(")[2] for axes in figure.axes]
    assert units[0] == units[1] == "µm²)"
    assert units[3] == "µm)"


def test_the_process_map_has_units_and_marks_conduction_mode(table):
    conduction = ~table["has_pores"] & (table.index < 8)
    table.loc[conduction, "keyhole_frames"] = 0
    figure = process_map(table, "simulated")
    (axes,) = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("scan speed (mm/s)", "laser power (W)")
    assert {"with keyhole pores (12)", "without keyhole pores (8)", "without a keyhole (4)"} <= set(
        texts(figure)
    )
    crosses = axes.collections[-1].get_offsets()
    expected = table.loc[conduction, ["speed_mm_s", "power_W"]]
    np.testing.assert_allclose(crosses, expected)


def test_error_boxes_are_at_the_quartiles_of_each_material():
    rng = np.random.default_rng(0)
    parts = []
    for material in ("Al", "Ti6Al4V"):
        truth = pd.DataFrame({"frame": range(30), "keyhole_depth_um": rng.uniform(50, 150, 30)})
        predicted = truth.assign(keyhole_depth_um=truth["keyhole_depth_um"] + rng.normal(0, 9, 30))
        parts.append(frame_errors(predicted, truth, material))
    errors = pd.concat(parts)
    (axes,) = error_figure(errors, relative=False).axes
    assert axes.get_ylabel() == "error of the keyhole depth (µm)"
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        "Al\nn = 30",
        "Ti6Al4V\nn = 30",
    ]
    for box, part in zip(axes.patches, parts, strict=True):
        heights = box.get_path().vertices[:, 1]
        quartiles = part["error"].quantile([0.25, 0.75])
        assert (heights.min(), heights.max()) == pytest.approx(tuple(quartiles))


def test_absolute_errors_of_different_units_are_not_drawn_together():
    errors = pd.DataFrame(
        {"material": "Al", "quantity": "keyhole_area", "unit": ["px", "um2"], "error": [1.0, 2.0]}
    )
    with pytest.raises(ValueError, match="px and um2"):
        error_figure(errors, relative=False)


def test_saved_twice_a_figure_is_the_same_file(tmp_path):
    def save(folder):
        folder.mkdir()
        figure = Figure(figsize=(2, 1))
        figure.subplots().plot([0, 1])
        return save_figure(figure, folder / "plot", ("png", "pdf", "svg"))

    first, second = save(tmp_path / "1"), save(tmp_path / "2")
    assert [path.name for path in first] == ["plot.png", "plot.pdf", "plot.svg"]
    with Image.open(first[0]) as picture:
        assert picture.size == (300, 150)
    for one, other in zip(first[:2], second[:2], strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert "<text" in first[2].read_text()
