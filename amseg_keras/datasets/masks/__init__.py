"""Masks as other programs save them, turned into class ids."""

from amseg_keras.datasets.masks.import_masks import Imported, ImportOptions, import_masks
from amseg_keras.datasets.masks.kinds import KINDS, open_masks

__all__ = ["KINDS", "ImportOptions", "Imported", "import_masks", "open_masks"]
