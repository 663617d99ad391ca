"""What the scores of one class share."""

from __future__ import annotations

from typing import Any, ClassVar

from amseg_keras.classes import IGNORE
from amseg_keras.metrics.pixelwise.confusion_matrix import ConfusionMatrix
from amseg_keras.metrics.pixelwise.overlap import check_class_id


class OfOneClass(ConfusionMatrix):
    """Base of the scores of one class.

    Args:
        class_id: Of the class.
        num_classes: Classes of the network.
        ignore: Class id in the truth of pixels that are not counted; None: all are.
        name: Of the metric; None: `kind` and the class id.
        **kwargs: `dtype`, as every Keras metric has it.
    """

    kind: ClassVar[str]

    def __init__(
        self,
        class_id: int,
        num_classes: int,
        ignore: int | None = IGNORE,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_classes, ignore, name or f"{self.kind}_{class_id}", **kwargs)
        self.class_id = check_class_id(class_id, num_classes)

    def score(self, counts: Any) -> Any:
        return self.of_classes(counts)[self.class_id]

    def of_classes(self, counts: Any) -> Any:
        """The score of each class, `(classes,)`, from the confusion matrix."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "class_id": self.class_id}
