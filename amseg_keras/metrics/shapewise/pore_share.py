"""What precision and recall of pores share."""

from __future__ import annotations

from typing import Any

from amseg_keras.metrics.counting_metric import CountingMetric, ratio
from amseg_keras.metrics.shapewise.components import count_covered


class PoreShare(CountingMetric):
    """Base of the pore-wise metrics: the share of pores that lie on others.

    Args:
        class_id: Of the pores.
        min_overlap: Share of a pore's area, above 0 and at most 1.
        ignore: Class id in the truth of pixels that are left out; None: none are.
        name: Of the metric.
        **kwargs: `dtype`, as every Keras metric has it.
    """

    def __init__(
        self, class_id: int, min_overlap: float, ignore: int | None, name: str, **kwargs: Any
    ) -> None:
        super().__init__((2,), ignore, name, **kwargs)
        if not 0 < min_overlap <= 1:
            raise ValueError(f"min_overlap {min_overlap} must be above 0 and at most 1")
        self.class_id = class_id
        self.min_overlap = float(min_overlap)

    def count_on(self, pores: Any, others: Any, seen: Any) -> Any:
        """Number of pores in one label map, and of those of them that lie on the other's."""
        return count_covered(
            (pores == self.class_id) & seen, (others == self.class_id) & seen, self.min_overlap
        )

    def score(self, counts: Any) -> Any:
        return ratio(counts[1], counts[0])

    def get_config(self) -> dict[str, Any]:
        own = {"class_id": self.class_id, "min_overlap": self.min_overlap}
        return {**super().get_config(), **own}
