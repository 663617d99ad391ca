"""Networks with a motion channel: movies, single frames, backgrounds of choice, scale."""

import numpy as np
import pytest
from movie_networks import BOTH, movie, movie_info, movie_segmenter
from random_networks import applied
from shallow_networks import shallow_network

from amseg_keras import PresetError, Segmenter, from_pretrained
from amseg_keras.preprocess import BackgroundPolicy, GreyScaling, motion
from amseg_keras.preprocess.inputs import labels_of_shape, rescale
from amseg_keras.read import ReadError


@pytest.fixture(scope="module")
def segmenter():
    return movie_segmenter()


def predicted(segmenter, stack, index, background):
    """Labels of one frame by the definition, for sides that are multiples of 16."""
    scaled = GreyScaling().measure(stack).apply(stack[index])
    moved = 0.5 + 0.5 * motion(stack[index], background)
    x = np.stack([scaled, moved], axis=-1)[None].astype(np.float32)
    return applied(segmenter.model, x)[0].argmax(axis=-1)


def test_a_movie_is_labelled_with_its_own_background(segmenter):
    stack = movie(24, 48, 64)
    chosen = np.unique(np.linspace(0, 23, 18).astype(int))
    background = np.median(stack[chosen[np.abs(chosen - 11) > 4]].astype(float), axis=0)
    found = segmenter.segment(stack)
    assert (found.labels[11] == predicted(segmenter, stack, 11, background)).mean() > 0.999
    assert found.notes == segmenter.unchecked


def test_a_single_frame_has_a_blank_motion_and_a_note(segmenter):
    stack = movie(1, 48, 64)
    found = segmenter.segment(stack[0])
    assert (found.labels[0] == predicted(segmenter, stack, 0, None)).mean() > 0.999
    assert "the motion channel is blank: a stack of 1 frame" in found.notes[0]


def test_no_background_is_the_same_as_a_blank_motion(segmenter):
    stack = movie(24, 48, 64)
    found = segmenter.segment(stack, background="none")
    assert (found.labels[5] == predicted(segmenter, stack, 5, None)).mean() > 0.999
    assert "as was asked for" in found.notes[0]


def test_a_background_of_choice_is_used(segmenter):
    stack = movie(24, 48, 64)
    found = segmenter.segment(stack, background="previous:5,2")
    background = np.median(stack[13:18].astype(float), axis=0)
    assert (found.labels[20] == predicted(segmenter, stack, 20, background)).mean() > 0.999


def test_labels_do_not_depend_on_the_start(segmenter):
    stack, levels = movie(40), segmenter.scaling.measure(movie(40))
    whole = [one.labels for one in segmenter.iter_labels(stack, levels, batch_size=4)]
    later = [one.labels for one in segmenter.iter_labels(stack, levels, start=20, batch_size=4)]
    np.testing.assert_array_equal(np.stack(whole[20:]), np.stack(later))


def test_equal_neighbours_with_another_background_are_computed(segmenter):
    stack = movie(60, 48, 64)
    stack[4:6] = stack[4]  # frame 4 still leaves out frame 0
    segmenter = Segmenter(segmenter.model, segmenter.info)
    segmenter.compile_inference("keras")
    found = segmenter.segment(stack, batch_size=1).labels
    backgrounds = BackgroundPolicy().of_stack(stack)
    for index in (4, 5):
        expected = predicted(segmenter, stack, index, backgrounds.of(index))
        assert (found[index] == expected).mean() > 0.999


def test_an_unreadable_frame_spoils_no_other(segmenter):
    stack = movie(40, 48, 64)

    class Broken:
        shape, dtype = stack.shape, stack.dtype

        def __len__(self):
            return len(stack)

        def __getitem__(self, index):
            if index in (0, 13):
                raise ReadError("broken")
            return stack[index]

    found = list(segmenter.iter_labels(Broken()))
    assert [one.index for one in found if one.error] == [0, 13]
    assert all((one.labels < 255).all() for one in found if not one.error)


def test_inputs_of_a_movie_have_both_channels(segmenter):
    inputs = segmenter.inputs(movie(20))
    assert inputs.make(3).shape == (50, 70, 2)
    assert inputs.record()["channels"] == ["frame", "motion"]
    assert inputs.record()["background"] == "recording"


def test_labels_at_another_scale_have_the_size_of_the_frames(segmenter):
    stack = movie(20, 48, 64)
    found = segmenter.segment(stack, scale=2.0, confidence=True)
    assert found.labels.shape == found.confidence.shape == stack.shape
    enlarged = np.stack([rescale(frame, (96, 128)) for frame in stack])
    levels = segmenter.scaling.measure(stack)
    for index, one in enumerate(segmenter.iter_labels(enlarged, levels)):
        expected = labels_of_shape(one.labels, (48, 64))
        assert (found.labels[index] == expected).mean() > 0.99


def test_auto_scale_gives_the_pixel_size_of_the_training(segmenter):
    inputs = segmenter.inputs(movie(20), scale="auto", pixel_size_um=2 * 4.31)
    assert inputs.scale == pytest.approx(2)
    assert inputs.frame_shape == (100, 140)
    assert segmenter.inputs(movie(20), scale="auto").scale == 1


def test_a_preset_keeps_its_channels(segmenter, tmp_path):
    folder = segmenter.save_pretrained(tmp_path / "preset")
    again = from_pretrained(folder)
    assert again.info == segmenter.info
    assert again.channels == BOTH
    assert "a second channel, the motion" in (folder / "README.md").read_text()
    np.testing.assert_array_equal(
        again.segment(movie(20)).labels, segmenter.segment(movie(20)).labels
    )


def changed(folder, **values):
    import json

    path = folder / "preprocessing.json"
    record = json.loads(path.read_text())
    record.update(values)
    path.write_text(json.dumps({key: value for key, value in record.items() if value is not None}))
    return folder


def test_a_preset_of_a_newer_format_is_refused(segmenter, tmp_path):
    folder = changed(segmenter.save_pretrained(tmp_path / "preset"), format=3)
    with pytest.raises(PresetError, match=r"newer amseg-keras, as format 3.*update amseg-keras"):
        from_pretrained(folder)


@pytest.mark.parametrize("version", ["two", 0, 1.5, True, [2]])
def test_a_format_that_is_no_version_is_refused(segmenter, tmp_path, version):
    folder = changed(segmenter.save_pretrained(tmp_path / "preset"), format=version)
    with pytest.raises(PresetError, match="is no version"):
        from_pretrained(folder)


@pytest.mark.parametrize("channels", [None, [], "frame", [{"name": "frame"}], [3], {"a": 1}])
def test_channels_that_are_not_described_are_refused(segmenter, tmp_path, channels):
    folder = changed(segmenter.save_pretrained(tmp_path / "preset"), channels=channels)
    with pytest.raises(PresetError, match=r"preprocessing\.json"):
        from_pretrained(folder)


def test_channels_that_the_network_does_not_take_are_refused(segmenter, tmp_path):
    one = [{"name": "frame", "made": "grey_levels"}]
    folder = changed(segmenter.save_pretrained(tmp_path / "preset"), channels=one)
    with pytest.raises(PresetError, match="classes of frame"):
        from_pretrained(folder)


def test_a_preset_without_channels_takes_the_frame(small_segmenter, tmp_path, frames):
    folder = changed(small_segmenter.save_pretrained(tmp_path / "preset"), format=1, channels=None)
    again = from_pretrained(folder)
    assert again.channels.names == ("frame",)
    np.testing.assert_array_equal(
        again.segment(frames).labels, small_segmenter.segment(frames).labels
    )


def test_a_network_of_one_channel_is_no_movie_network():
    with pytest.raises(ValueError, match="takes 1 channels, but movie describes 2"):
        Segmenter(shallow_network(), movie_info())
