"""Masks as other programs save them, turned into class ids."""

from amseg_keras.datasets.masks.import_masks import (
    KINDS,
    Imported,
    ImportOptions,
    import_masks,
    open_masks,
)

__all__ = ["KINDS", "ImportOptions", "Imported", "import_masks", "open_masks"]
