"""The network as a graph of ONNX operations, which OpenVINO and ONNX Runtime read, and ncnn's."""

from amseg_keras.engines.graph.build import Output, Size, onnx_model, translated
from amseg_keras.engines.graph.nodes import Nodes

__all__ = ["Nodes", "Output", "Size", "onnx_model", "translated"]
