"""What a range is and how it is drawn from."""

from dataclasses import dataclass, fields

import numpy as np

Range = tuple[float, float]


@dataclass(frozen=True)
class CheckedRanges:
    """A set of ranges whose lower ends are not above their upper ends, and of shares of 0 to 1."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float):
                if not 0 <= value <= 1:
                    raise ValueError(f"{field.name}: a share must be from 0 to 1, not {value}.")
                continue
            low, high = value
            if low > high:
                raise ValueError(f"{field.name}: lower end {low} is above the upper end {high}.")


def draw(rng: np.random.Generator, limits: Range) -> float:
    """Uniform number between two limits."""
    return float(rng.uniform(*limits))


def draw_log(rng: np.random.Generator, limits: Range) -> float:
    """Log-uniform number: as many small ones as large ones."""
    return float(np.exp(rng.uniform(np.log(limits[0]), np.log(limits[1]))))


def draw_integer(rng: np.random.Generator, limits: tuple[int, int]) -> int:
    """Uniform integer, both limits included."""
    return int(rng.integers(limits[0], limits[1] + 1))
