"""Backgrounds hold the frames that the policy says, whatever is asked for first."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amseg_keras.preprocess import BackgroundPolicy, Channels, GreyRange, Inputs
from amseg_keras.read import ReadError

POLICIES = ["recording", "previous:5,3", "range:4-30", "so-far", "none", "auto"]


def stack(count, dtype="uint16", seed=0):
    return np.random.default_rng(seed).integers(0, 4096, (count, 6, 7)).astype(dtype)


class SomeBroken:
    """A stack of which some frames cannot be read; counts what is read."""

    def __init__(self, frames, broken=()):
        self.frames, self.broken, self.reads = frames, set(broken), 0
        self.shape, self.dtype = frames.shape, frames.dtype

    def __len__(self):
        return len(self.frames)

    def __getitem__(self, index):
        self.reads += 1
        if index in self.broken:
            raise ReadError(f"frame {index} is broken")
        return self.frames[index]


def spread_median(frames, target, first=0, last=None, broken=()):
    last = len(frames) - 1 if last is None else last
    chosen = np.unique(np.linspace(first, last, min(last + 1 - first, 18)).astype(int))
    kept = [at for at in chosen if abs(at - target) > 4 and at not in broken]
    return np.median(frames[kept].astype(float), axis=0)


@pytest.mark.parametrize("count", [16, 17, 24, 60, 162, 400])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_the_recording_gives_the_median_of_18_frames_without_near_ones(count, dtype):
    frames = stack(count, dtype)
    backgrounds = BackgroundPolicy("recording").of_stack(frames)
    for target in {0, 1, 7, count // 2, count - 6, count - 1}:
        expected = spread_median(frames, target)
        np.testing.assert_allclose(backgrounds.of(target), expected, rtol=1e-6)


def test_a_range_gives_the_median_of_its_own_frames():
    frames = stack(200)
    backgrounds = BackgroundPolicy("range", (10, 90)).of_stack(frames)
    for target in (0, 12, 50, 199):
        np.testing.assert_allclose(backgrounds.of(target), spread_median(frames, target, 10, 90))


def test_previous_frames_are_those_before_the_skipped_ones():
    frames = stack(60)
    backgrounds = BackgroundPolicy.parse("previous:7,5").of_stack(frames)
    np.testing.assert_array_equal(backgrounds.of(40), np.median(frames[28:35], axis=0))


def test_frames_so_far_use_no_later_frame():
    frames = stack(300)
    backgrounds = BackgroundPolicy("so-far").of_stack(frames)
    alone = [BackgroundPolicy("so-far").of_stack(frames[: at + 1]) for at in (12, 90, 299)]
    for at, shorter in zip((12, 90, 299), alone, strict=True):
        np.testing.assert_array_equal(backgrounds.of(at), shorter.of(at))
    np.testing.assert_array_equal(backgrounds.of(12), np.median(frames[:8], axis=0))
    assert backgrounds.of(3) is None


def test_frames_so_far_are_read_once_each():
    frames = SomeBroken(stack(300))
    backgrounds = BackgroundPolicy("so-far").of_stack(frames)
    for at in range(300):
        backgrounds.of(at)
    assert frames.reads <= 60


@given(
    text=st.sampled_from(POLICIES),
    count=st.integers(31, 80),
    order=st.randoms(use_true_random=False),
)
@settings(deadline=None, max_examples=60)
def test_a_background_does_not_depend_on_the_order_or_the_start(text, count, order):
    frames = stack(count)
    policy = BackgroundPolicy.parse(text)
    in_order = policy.of_stack(frames)
    expected = [in_order.of(at) for at in range(count)]
    shuffled = list(range(count))
    order.shuffle(shuffled)
    other = policy.of_stack(frames)
    for at in shuffled[: count // 2]:
        found = other.of(at)
        assert (found is None) == (expected[at] is None)
        if found is not None:
            np.testing.assert_array_equal(found, expected[at])


@pytest.mark.parametrize("broken", [(0,), (0, 23, 47), tuple(range(0, 100, 3))])
def test_frames_that_cannot_be_read_are_left_out(broken):
    frames = stack(400)
    backgrounds = BackgroundPolicy("recording").of_stack(SomeBroken(frames, broken))
    for target in (0, 50, 200):
        expected = spread_median(frames, target, broken=broken)
        np.testing.assert_allclose(backgrounds.of(target), expected)
    assert set(backgrounds.record()["unreadable"]) == set(broken) & set(backgrounds.indices)


def test_a_background_of_which_nothing_can_be_read_is_blank_and_said():
    backgrounds = BackgroundPolicy().of_stack(SomeBroken(stack(40), range(40)))
    assert backgrounds.of(20) is None
    assert "0 of 18 frames of the background can be read" in backgrounds.notes[0]


@pytest.mark.parametrize("count", [1, 2, 15])
def test_short_stacks_have_no_automatic_background_and_say_so(count):
    backgrounds = BackgroundPolicy().of_stack(stack(count))
    assert backgrounds.kind == "none"
    assert backgrounds.of(0) is None
    assert f"a stack of {count} frame" in backgrounds.notes[0]


def test_the_record_holds_plain_values():
    record = BackgroundPolicy().of_stack(stack(100)).record()
    assert record["background"] == "recording"
    assert record["asked"] == "auto"
    assert record["median_of"][:3] == [0, 5, 11]
    assert record["without_frames_within"] == 4


@given(text=st.sampled_from(["auto", "recording", "so-far", "none", "previous:5,10", "range:0-7"]))
def test_policies_are_spelt_as_they_are_read(text):
    assert str(BackgroundPolicy.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["magic", "previous", "previous:0,4", "range:9-2", "range:1", "recording:3", ""]
)
def test_impossible_policies_are_refused(text):
    with pytest.raises(ValueError, match="background"):
        BackgroundPolicy.parse(text)


def test_a_range_beyond_the_stack_is_refused():
    with pytest.raises(ValueError, match="ends after the last frame, 29"):
        BackgroundPolicy("range", (10, 40)).of_stack(stack(30))


@pytest.mark.parametrize("text", [*POLICIES, "recording+register"])
def test_a_view_of_the_first_frames_has_the_backgrounds_of_the_whole_stack(text):
    frames = np.random.default_rng(0).integers(0, 4096, (60, 32, 32)).astype(np.uint16)
    levels = GreyRange(0, 4096, 1.0)
    policy, both = BackgroundPolicy.parse(text), Channels(("frame", "motion"))
    whole = Inputs(frames, both, levels, policy.of_stack(frames))
    other = Inputs(frames, both, levels, policy.of_stack(frames))
    other.record()  # reads what is read of the whole stack
    first = other.reading(frames[:31])
    for index in (0, 8, 30):
        np.testing.assert_array_equal(first.make(index), whole.make(index))
