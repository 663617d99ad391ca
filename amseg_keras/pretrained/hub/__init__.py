"""Presets on the Hugging Face Hub: pulling, pushing, and looking without either."""

from amseg_keras.pretrained.hub.pull import REPOSITORY, preset_folders, pull
from amseg_keras.pretrained.hub.push import PublishedPreset, look, owned_by, push

__all__ = [
    "REPOSITORY",
    "PublishedPreset",
    "look",
    "owned_by",
    "preset_folders",
    "pull",
    "push",
]
