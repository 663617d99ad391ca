"""Turn X-ray movies of melt pools into numbers: AM-SegNet in Keras 3, with pretrained weights.

    >>> import amseg_keras
    >>> segmenter = amseg_keras.from_pretrained("amsegnet-esrf")
    >>> result = segmenter.segment("sample:esrf-lpbf")
    >>> result.labels.shape, result.class_names
    ((24, 256, 512), ('background', 'powder', 'substrate', 'keyhole', 'pore'))

Architecture and method: Li et al. 2024, AM-SegNet, doi 10.1080/17452759.2024.2325572.
"""

from amseg_keras._backend import choose_backend

choose_backend()

# The layers register themselves with Keras on import, so that `keras.saving.load_model` knows them.
from amseg_keras import layers, models  # noqa: E402
from amseg_keras.pretrained import PresetError, PresetInfo, list_presets  # noqa: E402
from amseg_keras.read import ReadError  # noqa: E402
from amseg_keras.segment import Segmentation, Segmenter, from_pretrained  # noqa: E402

__version__ = "0.1.0"

__all__ = [
    "PresetError",
    "PresetInfo",
    "ReadError",
    "Segmentation",
    "Segmenter",
    "from_pretrained",
    "layers",
    "list_presets",
    "models",
]
