"""The networks of the paper, AM-SegNet and the three that it is compared with (Table 2), and a
small one for a few cores.

All take the same arguments, so that changing the network is changing one word.
"""

from amseg_keras.models.amsegnet import AMSegNet
from amseg_keras.models.lite import AMSegNetLite
from amseg_keras.models.unet import ResUNet, SqueezeUNet, UNet

__all__ = ["AMSegNet", "AMSegNetLite", "ResUNet", "SqueezeUNet", "UNet"]
