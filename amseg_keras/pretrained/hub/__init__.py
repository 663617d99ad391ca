"""Presets on the Hugging Face Hub: pulling, pushing, and looking without either."""

from typing import TYPE_CHECKING

from amseg_keras._on_demand import on_demand

if TYPE_CHECKING:
    from amseg_keras.pretrained.hub.download import REPOSITORY, preset_folders, pull
    from amseg_keras.pretrained.hub.upload import PublishedPreset, look, owned_by, push

__all__ = ["REPOSITORY", "PublishedPreset", "look", "owned_by", "preset_folders", "pull", "push"]

# The client of the Hub takes longer to import than a small network takes to segment a frame.
__getattr__, __dir__ = on_demand(
    __name__,
    {
        "amseg_keras.pretrained.hub.download": ("REPOSITORY", "preset_folders", "pull"),
        "amseg_keras.pretrained.hub.upload": ("PublishedPreset", "look", "owned_by", "push"),
    },
)
