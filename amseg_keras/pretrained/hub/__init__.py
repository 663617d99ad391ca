"""Presets on the Hugging Face Hub: pulling, pushing, and looking without either."""

from amseg_keras.pretrained.hub.answers import REPOSITORY
from amseg_keras.pretrained.hub.cache import preset_folders
from amseg_keras.pretrained.hub.look import PublishedPreset, look, owned_by
from amseg_keras.pretrained.hub.pull import pull
from amseg_keras.pretrained.hub.push import push

__all__ = [
    "REPOSITORY",
    "PublishedPreset",
    "look",
    "owned_by",
    "preset_folders",
    "pull",
    "push",
]
