"""Turn X-ray movies of melt pools into numbers: AM-SegNet in Keras 3, with pretrained weights.

    >>> import amseg_keras
    >>> segmenter = amseg_keras.from_pretrained("amsegnet-esrf")
    >>> result = segmenter.segment("sample:esrf-lpbf")
    >>> result.labels.shape, result.class_names
    ((24, 256, 512), ('background', 'powder', 'substrate', 'keyhole', 'pore'))

Modules are imported when they are first used. Those that need no network import no Keras: `read`,
`preprocess`, `datasets`, `simulate`, `quantify`, `report`.

Architecture and method: Li et al. 2024, AM-SegNet, doi 10.1080/17452759.2024.2325572.
"""

from typing import TYPE_CHECKING

from amseg_keras._backend import prepare_keras
from amseg_keras._on_demand import on_demand

if TYPE_CHECKING:
    from amseg_keras import (
        comparison,
        corrections,
        datasets,
        engines,
        evaluation,
        explain,
        layers,
        losses,
        metrics,
        models,
        outputs,
        preprocess,
        pretrained,
        quantify,
        read,
        report,
        rewrite,
        runs,
        samples,
        segment,
        simulate,
        training,
        transfer,
    )
    from amseg_keras.evaluation import Evaluation, evaluate
    from amseg_keras.pretrained import PresetError, PresetInfo, list_presets
    from amseg_keras.read import ReadError
    from amseg_keras.segment import Segmentation, Segmenter, from_pretrained
    from amseg_keras.training import Recipe, Simulation, TrainingError, train
    from amseg_keras.transfer import fine_tune

__version__ = "0.1.0"

__all__ = [
    "Evaluation",
    "PresetError",
    "PresetInfo",
    "ReadError",
    "Recipe",
    "Segmentation",
    "Segmenter",
    "Simulation",
    "TrainingError",
    "comparison",
    "corrections",
    "datasets",
    "engines",
    "evaluate",
    "evaluation",
    "explain",
    "fine_tune",
    "from_pretrained",
    "layers",
    "list_presets",
    "losses",
    "metrics",
    "models",
    "outputs",
    "preprocess",
    "pretrained",
    "quantify",
    "read",
    "report",
    "rewrite",
    "runs",
    "samples",
    "segment",
    "simulate",
    "train",
    "training",
    "transfer",
]

_NAMES = {
    "amseg_keras.evaluation": ("Evaluation", "evaluate"),
    "amseg_keras.pretrained": ("PresetError", "PresetInfo", "list_presets"),
    "amseg_keras.read": ("ReadError",),
    "amseg_keras.segment": ("Segmentation", "Segmenter", "from_pretrained"),
    "amseg_keras.training": ("Recipe", "Simulation", "TrainingError", "train"),
    "amseg_keras.transfer": ("fine_tune",),
}
_MODULES = set(__all__).difference(*_NAMES.values())

__getattr__, __dir__ = on_demand(__name__, _NAMES, _MODULES)

prepare_keras()
