"""Engines that run the network: Keras itself, OpenVINO, ONNX Runtime, ncnn."""

from amseg_keras.engines.engine import ENGINES, Engine, EngineMissingError

__all__ = ["ENGINES", "Engine", "EngineMissingError"]
