"""Pictures of Grad-CAM and confidence, looked at pixel by pixel."""

import numpy as np
import pytest
from PIL import Image

from amseg_keras.report.experiment.explain_pictures import PANEL, draw_confidence, draw_grad_cam


def seen(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def pixels_near(picture, colour, tolerance=12):
    return (abs(picture - np.array(colour)) <= tolerance).all(axis=-1)


def test_the_map_goes_from_blue_to_red_over_the_frame(tmp_path):
    grey, heat = np.full((100, 200), 0.5), np.zeros((100, 200))
    heat[40:60, 100:120] = 1
    found = np.zeros((100, 200), bool)
    draw_grad_cam(grey, heat, found, "keyhole", "Frame 0", tmp_path / "a.png")
    picture = seen(tmp_path / "a.png")
    # half grey, half the ends of jet: (0, 0, 0.5) and (0.5, 0, 0)
    blue, red = pixels_near(picture, (64, 64, 128)), pixels_near(picture, (128, 64, 64))
    times = PANEL[0] // 200
    assert abs(red.sum() - 20 * 20 * times**2) < 0.01 * red.sum()
    assert abs(blue.sum() - (100 * 200 - 20 * 20) * times**2) < 0.01 * blue.sum()
    rows, columns = np.nonzero(red)
    assert rows.min() - np.nonzero(blue)[0].min() == 40 * times
    assert columns.min() - np.nonzero(blue)[1].min() == 100 * times
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_the_class_is_outlined_where_the_network_finds_it(tmp_path):
    grey, heat, found = np.zeros((100, 200)), np.zeros((100, 200)), np.zeros((100, 200), bool)
    draw_grad_cam(grey, heat, found, "pore", "Frame 0", tmp_path / "without.png")
    found[30:70, 50:90] = True
    draw_grad_cam(grey, heat, found, "pore", "Frame 0", tmp_path / "with.png")
    differ = (seen(tmp_path / "with.png") != seen(tmp_path / "without.png")).any(axis=-1)
    times = PANEL[0] // 200
    rows, columns = np.nonzero(differ[34 : 34 + 100 * times, 10 : 10 + 200 * times])
    for found_at, wanted in zip(
        (rows.min(), rows.max(), columns.min(), columns.max()), (30, 69, 50, 89), strict=True
    ):
        assert abs(found_at / times - wanted) < 1.5
    inner = [slice(at + 40 * times, at + 60 * times) for at in (34, 10 + 20 * times)]
    assert not differ[inner[0], inner[1]].any()


def test_doubtful_pixels_have_the_colour_of_the_doubt(tmp_path):
    shape = (80, 120)
    low, unstable = np.zeros(shape, bool), np.zeros(shape, bool)
    low[10:30, 20:60] = True
    unstable[20:30, 20:60] = unstable[50:60, 20:60] = True
    draw_confidence(np.ones(shape), np.ones(shape), low, unstable, "Frame 3", tmp_path / "c.png")
    picture = seen(tmp_path / "c.png")
    times = PANEL[0] // 120
    for colour in ((0xE6, 0x9F, 0x00), (0x56, 0xB4, 0xE9), (0xD5, 0x5E, 0x00)):
        area = pixels_near(picture, colour, 2).sum()
        # ten rows each, and the legend
        assert 0 <= area - 10 * 40 * times**2 < 400


@pytest.mark.parametrize("shape", [(400, 150), (20, 10), (1000, 3000)])
def test_any_size_gives_a_picture_for_a_screen(tmp_path, shape):
    nothing = np.zeros(shape, bool)
    draw_grad_cam(np.zeros(shape), np.zeros(shape), ~nothing, "$a_b", "$x", tmp_path / "a.png")
    draw_confidence(np.zeros(shape), np.ones(shape), nothing, nothing, "t$_", tmp_path / "c.png")
    for name in ("a.png", "c.png"):
        height, width = seen(tmp_path / name).shape[:2]
        assert 300 < width <= 2 * PANEL[0] + 300
        assert 300 < height <= 2 * PANEL[1] + 300
