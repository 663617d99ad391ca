"""Turn X-ray movies of melt pools into numbers: AM-SegNet in Keras 3, with pretrained weights.

    >>> import amseg_keras
    >>> segmenter = amseg_keras.from_pretrained("amsegnet-esrf")
    >>> result = segmenter.segment("sample:esrf-lpbf")
    >>> result.labels.shape, result.class_names
    ((24, 256, 512), ('background', 'powder', 'substrate', 'keyhole', 'pore'))

Architecture and method: Li et al. 2024, AM-SegNet, doi 10.1080/17452759.2024.2325572.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from amseg_keras._backend import choose_backend

choose_backend()

# The layers register themselves with Keras on import, so that `keras.saving.load_model` knows them.
from amseg_keras import layers, losses, models  # noqa: E402
from amseg_keras.pretrained import PresetError, PresetInfo, list_presets  # noqa: E402
from amseg_keras.read import ReadError  # noqa: E402
from amseg_keras.segment import Segmentation, Segmenter, from_pretrained  # noqa: E402

if TYPE_CHECKING:
    from amseg_keras import explain, metrics, quantify
    from amseg_keras.evaluation import Evaluation, evaluate
    from amseg_keras.training import Recipe, Simulation, TrainingError, train
    from amseg_keras.transfer import fine_tune

__version__ = "0.1.0"

# Segmenting needs none of these, and they import pandas, SciPy and matplotlib.
_MODULES_ON_DEMAND = ("explain", "metrics", "quantify")
_ON_DEMAND = {
    "Evaluation": "amseg_keras.evaluation",
    "Recipe": "amseg_keras.training",
    "Simulation": "amseg_keras.training",
    "TrainingError": "amseg_keras.training",
    "evaluate": "amseg_keras.evaluation",
    "fine_tune": "amseg_keras.transfer",
    "train": "amseg_keras.training",
}

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
    "evaluate",
    "explain",
    "fine_tune",
    "from_pretrained",
    "layers",
    "list_presets",
    "losses",
    "metrics",
    "models",
    "quantify",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES_ON_DEMAND:
        return import_module(f"amseg_keras.{name}")
    if name not in _ON_DEMAND:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_ON_DEMAND[name]), name)
