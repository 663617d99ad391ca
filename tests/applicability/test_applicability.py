"""Whether a recording looks like what a preset knows."""

from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from amseg_keras import from_pretrained
from amseg_keras.applicability import judge, measure_signs, read_knowledge, write_knowledge
from amseg_keras.applicability.calibrate import Samples, make_knowledge
from amseg_keras.applicability.check import check_recording
from amseg_keras.applicability.foreign import CHANGES
from amseg_keras.command.segment import segment
from amseg_keras.preprocess import GreyScaling
from amseg_keras.pretrained import PresetError
from amseg_keras.pretrained.preset import weights_digest
from amseg_keras.read import open_stack
from amseg_keras.runs.rank_presets import rank_presets

NAMES = ("background", "powder", "substrate", "keyhole", "pore")


def drawn(seed):
    """A bright gas above a metal with a keyhole; labels by height and grey level alone."""
    rng = np.random.default_rng(seed)
    surface = int(rng.integers(30, 45))
    light = np.full((96, 160), 3000.0)
    light[surface:] = 1500 + 4 * np.arange(96 - surface)[:, None]
    left = int(rng.integers(20, 120))
    light[surface : surface + 25, left : left + 8] = 2400
    return rng.poisson(light).astype(np.uint16)


def labelled(frame):
    """What a network that knows only grey levels finds."""
    labels = np.full(frame.shape, 2, np.uint8)
    labels[frame > 2700] = 0
    labels[(frame > 2100) & (frame <= 2700)] = 3
    return labels


def signs_of(frames):
    levels = GreyScaling().measure(frames)
    return [measure_signs(frame, labelled(frame), NAMES, levels) for frame in frames]


@pytest.fixture(scope="module")
def known():
    rng = np.random.default_rng(0)
    familiar = [signs_of(drawn(seed)[None]) for seed in range(40)]
    foreign = {
        kind: [signs_of(CHANGES[kind](drawn(100 + seed)[None], rng)) for seed in range(15)]
        for kind in ("upside_down", "rotated", "noise", "blurred")
    }
    return make_knowledge(Samples.of(familiar, foreign), "digest", (2.0, 4.31), "drawn frames")


def warned(known, frame, **other):
    return check_recording(
        frame[None], lambda n: labelled(frame), NAMES, GreyScaling().measure(frame[None]), known,
        **other,
    )  # fmt: skip


def test_familiar_recordings_are_not_warned_of(known):
    assert sum(bool(warned(known, drawn(seed))) for seed in range(1000, 1040)) <= 1


@pytest.mark.parametrize("kind", ["upside_down", "rotated", "noise", "blurred"])
def test_a_foreign_kind_is_named(known, kind):
    rng = np.random.default_rng(3)
    frame = CHANGES[kind](drawn(2000)[None], rng)[0]
    (found, *_) = warned(known, frame)
    assert found.sign == kind
    assert found.value > found.limit
    assert found.frames == (0,)


def test_what_is_of_no_kind_that_was_calibrated_is_unlike_all(known):
    stripes = np.tile(np.repeat([500, 4000], 3), (96, 27))[:, :160].astype(np.uint16)
    found = warned(replace(known, detectors=()), stripes)
    assert "unlike all that the preset knows" in found[-1].sentence


def test_metal_with_few_grey_levels_under_bright_gas_is_said(known):
    frame = drawn(1).astype(float)
    frame[frame > 2700] *= 20
    found = warned(known, frame.astype(np.uint16))
    assert found[0].sign == "bright_gas"
    assert "amseg prepare --flats" in found[0].sentence


def test_voids_that_are_darker_than_the_plate_are_said_whatever_the_gas(known):
    frame = drawn(3).astype(float)
    frame[:45] = 900  # a clipped beam: the gas is darker than the plate
    quiet = replace(known, trees=None)
    lower = frame[45:]
    lower[:, 100:108] = 2400
    bright = GreyScaling().measure(frame[None])
    for given, said in ((frame, False), (4000 - frame, True)):
        signs = {0: measure_signs(given, labelled(drawn(3)), NAMES, bright)}
        assert any(one.sign == "inverted" for one in judge(signs, quiet)) is said


def test_a_flat_recording_is_warned_of_without_any_statistics():
    (found,) = warned(None, np.full((96, 160), 7, np.uint16))
    assert found.sign == "no_contrast"


def test_a_preset_that_knows_nothing_says_nothing():
    assert warned(None, drawn(1)) == ()


@pytest.mark.parametrize(("size", "said"), [(2.0, False), (4.31, False), (0.5, True), (20, True)])
def test_a_pixel_size_far_from_the_trainings_is_said(known, size, said):
    assert any(one.sign == "pixel_size" for one in warned(known, drawn(1), pixel_size_um=size)) is (
        said
    )


def test_what_a_preset_knows_is_read_back_as_written(known, tmp_path):
    write_knowledge(tmp_path, known)
    again = read_knowledge(tmp_path)
    assert again.signs == known.signs
    for seed in (1, 2):
        signs = dict(enumerate(signs_of(drawn(seed)[None])))
        assert [one.sign for one in judge(signs, again)] == [
            one.sign for one in judge(signs, known)
        ]


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 9}', '{"format": 1, "signs": ["a"]}'])
def test_a_damaged_file_is_refused_by_its_name(tmp_path, text):
    (tmp_path / "applicability.json").write_text(text)
    with pytest.raises(ValueError, match=r"applicability\.json"):
        read_knowledge(tmp_path)


def test_a_preset_keeps_what_it_knows_when_it_is_saved(small_segmenter, known, tmp_path):
    first = small_segmenter.save_pretrained(tmp_path / "a")
    write_knowledge(first, replace(known, weights_sha256=weights_digest(first)))
    second = from_pretrained(first).save_pretrained(tmp_path / "b")
    assert from_pretrained(second).known.signs == known.signs


def test_statistics_of_other_weights_are_refused(small_segmenter, known, tmp_path):
    folder = small_segmenter.save_pretrained(tmp_path / "a")
    write_knowledge(folder, known)
    with pytest.raises(PresetError, match="other weights"):
        from_pretrained(folder)


def test_new_weights_remove_the_statistics_of_the_old_ones(small_segmenter, known, tmp_path):
    folder = small_segmenter.save_pretrained(tmp_path / "a")
    write_knowledge(folder, replace(known, weights_sha256=weights_digest(folder)))
    small_segmenter.save_pretrained(folder)
    assert from_pretrained(folder).known is None


def test_strict_ends_with_3_where_a_recording_is_out_of_depth(small_segmenter, tmp_path):
    preset = small_segmenter.save_pretrained(tmp_path / "preset")
    np.save(tmp_path / "flat.npy", np.full((2, 32, 48), 7, np.uint8))
    given = [str(tmp_path / "flat.npy"), "--model", str(preset), "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(segment, [*given, "--strict"])
    assert done.exit_code == 3
    assert "CAUTION: the frames have no contrast" in done.output
    assert CliRunner().invoke(segment, given).exit_code == 0


def test_presets_are_ranked_with_a_plain_reason(small_segmenter, known, tmp_path):
    unknown = small_segmenter.save_pretrained(tmp_path / "unknown")
    knowing = small_segmenter.save_pretrained(tmp_path / "knowing")
    write_knowledge(knowing, replace(known, weights_sha256=weights_digest(knowing)))
    np.save(tmp_path / "flat.npy", np.full((2, 32, 48), 7, np.uint8))
    with open_stack(tmp_path / "flat.npy") as stack:
        first, second = rank_presets(stack, {"unknown": unknown, "knowing": knowing})
    assert (first.name, first.verdict, second.verdict) == ("knowing", "doubtful", "not checked")
    assert "no contrast" in first.reason
    assert "nobody calibrated it" in second.reason


def test_a_result_says_that_a_preset_could_not_check_it(small_segmenter):
    (said,) = small_segmenter.segment(drawn(1)).notes
    assert said.startswith("not checked whether small fits this recording")
