"""A track is deposited from blown powder: directed energy deposition."""

from amseg_keras.simulate.deposit.shot import DepositShot, draw_deposit

__all__ = ["DepositShot", "draw_deposit"]
