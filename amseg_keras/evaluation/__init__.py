"""Evaluate a network on labelled frames."""

from amseg_keras.evaluation.evaluate import SegmentedFrames, evaluate
from amseg_keras.evaluation.result import Evaluation, FrameCounts, PoreScores

__all__ = ["Evaluation", "FrameCounts", "PoreScores", "SegmentedFrames", "evaluate"]
