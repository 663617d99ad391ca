"""Fine-tuning a trained network on a few labelled frames (section 3.3 of the paper)."""

from amseg_keras.transfer.tune import FINE_TUNING, FineTunedRun, fine_tune

__all__ = ["FINE_TUNING", "FineTunedRun", "fine_tune"]
