"""Prepare raw frames, and scale grey levels for the network.

Every step is a function on arrays (`transmission`, `divide`, `median_filter`, `non_local_means`,
`find_shift` and `move`, `Box.cut`) and a frozen dataclass that applies it lazily to a stack of any
length (`FlatField`, `PreviousFrames`, ...); `prepare` chains them.
"""

from amseg_keras.preprocess.background import (
    FirstFrames,
    FlatField,
    PreviousFrames,
    divide,
    median_frame,
    transmission,
)
from amseg_keras.preprocess.background_policy import BackgroundPolicy, Backgrounds
from amseg_keras.preprocess.chain import STEP_ORDER, Prepared, Step, prepare
from amseg_keras.preprocess.crop import (
    Box,
    Crop,
    FollowLaser,
    FoundLaser,
    LaserPath,
    find_laser,
    kymograph,
)
from amseg_keras.preprocess.grey import GreyRange, GreyScaling, Stretch
from amseg_keras.preprocess.inputs import Channels, Inputs, motion, rescale, scale_between
from amseg_keras.preprocess.lazy import LazyFrames
from amseg_keras.preprocess.registration import Register, find_shift, move
from amseg_keras.preprocess.repair import (
    Median,
    NonLocalMeans,
    Repair,
    median_filter,
    noise_sigma,
    non_local_means,
)

__all__ = [
    "STEP_ORDER",
    "BackgroundPolicy",
    "Backgrounds",
    "Box",
    "Channels",
    "Crop",
    "FirstFrames",
    "FlatField",
    "FollowLaser",
    "FoundLaser",
    "GreyRange",
    "GreyScaling",
    "Inputs",
    "LaserPath",
    "LazyFrames",
    "Median",
    "NonLocalMeans",
    "Prepared",
    "PreviousFrames",
    "Register",
    "Repair",
    "Step",
    "Stretch",
    "divide",
    "find_laser",
    "find_shift",
    "kymograph",
    "median_filter",
    "median_frame",
    "motion",
    "move",
    "noise_sigma",
    "non_local_means",
    "prepare",
    "rescale",
    "scale_between",
    "transmission",
]
