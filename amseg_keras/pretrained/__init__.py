"""Presets: trained networks as folders, in the package, on disk and on the Hugging Face Hub."""

from amseg_keras.pretrained.find import find_preset, list_presets
from amseg_keras.pretrained.preset import PresetInfo
from amseg_keras.pretrained.safety import PresetError

__all__ = ["PresetError", "PresetInfo", "find_preset", "list_presets"]
