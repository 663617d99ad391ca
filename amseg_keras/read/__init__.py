"""Open paths as lazy stacks of grey frames.

PNG, JPEG, BMP, TIFF, NumPy, HDF5 and NeXus, Zarr, EDF, video, folders and patterns of single files
all become a `FrameStack`; what cannot be read becomes a `ReadError` that names the file.
"""

from amseg_keras.read.errors import ReadError
from amseg_keras.read.find import StackSource, find_stacks, open_stack
from amseg_keras.read.stack import Frames, FrameStack, ReadOptions

__all__ = [
    "FrameStack",
    "Frames",
    "ReadError",
    "ReadOptions",
    "StackSource",
    "find_stacks",
    "open_stack",
]
