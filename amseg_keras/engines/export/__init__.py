"""The rewritten network as files for other software, checked by running them."""

from amseg_keras.engines.export.formats import FORMATS, ExportError
from amseg_keras.engines.export.write import Exported, export_network

__all__ = ["FORMATS", "ExportError", "Exported", "export_network"]
