"""The networks of the paper, AM-SegNet and the three that it is compared with (Table 2), and a
small one for a few cores.

All take the same arguments, so that changing the network is changing one word.
"""

from typing import TYPE_CHECKING

from amseg_keras._on_demand import on_demand

if TYPE_CHECKING:
    from amseg_keras.models.amsegnet import AMSegNet
    from amseg_keras.models.lite import AMSegNetLite
    from amseg_keras.models.unet import ResUNet, SqueezeUNet, UNet

__all__ = ["AMSegNet", "AMSegNetLite", "ResUNet", "SqueezeUNet", "UNet"]

# The titles of the networks, for tables and help texts, need no Keras.
__getattr__, __dir__ = on_demand(
    __name__,
    {
        "amseg_keras.models.amsegnet": ("AMSegNet",),
        "amseg_keras.models.lite": ("AMSegNetLite",),
        "amseg_keras.models.unet": ("ResUNet", "SqueezeUNet", "UNet"),
    },
)
