"""The building blocks of the networks, as backend-agnostic Keras 3 layers."""

from amseg_keras.layers.attention_gate import AttentionGate
from amseg_keras.layers.conv_block import ConvBlock
from amseg_keras.layers.depth_to_space import DepthToSpace
from amseg_keras.layers.fire import FireBlock
from amseg_keras.layers.residual import ResidualBlock
from amseg_keras.layers.squeeze_expand import SqueezeExpand

__all__ = [
    "AttentionGate",
    "ConvBlock",
    "DepthToSpace",
    "FireBlock",
    "ResidualBlock",
    "SqueezeExpand",
]
