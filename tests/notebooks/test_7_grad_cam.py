"""Notebook 7: where the network looks, and whether its doubt goes with its errors."""

import pandas as pd
import pytest
import tifffile

from amseg_keras.read import open_stack

pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

from notebooks.running import execute, notebook

EXPERIMENTS, FRAMES = 3, 2
SHAPE = 96, 160


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What a run on small frames leaves behind."""
    folder = tmp_path_factory.mktemp("grad_cam")
    with open_stack("sample:esrf-welding") as stack:
        # The keyhole and the pores beside it
        frames = [stack[len(stack) // 2 + index][48:208, 80:400] for index in range(FRAMES)]
    for frame in frames:
        tifffile.imwrite(folder / "frames.tif", frame, append=True, photometric="minisblack")
    execute(
        notebook(7),
        folder,
        LPBF="frames.tif",
        WELDING="frames.tif",
        RECORDING="frames.tif",
        MODEL="amsegnet-esrf-lite",
        STAGES=["encoder_2", "decoder_1"],
        EXPERIMENTS=EXPERIMENTS,
        SHAPE=SHAPE,
    )
    return folder / "results" / "grad_cam"


def test_the_heat_gathers_where_the_class_is(results):
    inside = pd.read_csv(results / "heat_inside.csv", index_col="layer")
    assert list(inside.index) == ["encoder_2", "decoder_1", "scores", "share of the frame"]
    assert ((inside >= 0) & (inside <= 1)).all(axis=None)
    assert (inside.loc["scores"] > 3 * inside.loc["share of the frame"]).all()


def test_every_frame_is_ranked(results):
    ranked = pd.read_csv(results / "frames.csv")
    assert sorted(ranked["frame"]) == list(range(FRAMES))
    assert len(pd.read_csv(results / "experiments.csv")) == EXPERIMENTS


def test_pixels_in_doubt_are_wrong_more_often(results):
    doubt = pd.read_csv(results / "doubt.csv", index_col="pixels")
    assert doubt.loc["either", "wrong there"] > 5 * doubt.loc["neither", "wrong there"]
    for column in ("share of pixels", "share of all errors"):
        assert doubt.loc[["either", "neither"], column].sum() == pytest.approx(1)


def test_all_inner_pixels_count_once(results):
    reliability = pd.read_csv(results / "reliability.csv")
    inner = (SHAPE[0] - 2 * 12) * (SHAPE[1] - 2 * 16)  # an edge of 16, or of an eighth
    assert 0.8 * EXPERIMENTS * inner < reliability["pixels"].sum() <= EXPERIMENTS * inner
