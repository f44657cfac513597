"""Shipping a model: to ONNX, which runs without torch, and to the Hugging Face hub. Importing this imports no torch."""

from latentry.export.onnx_model import OnnxModel

__all__ = ["OnnxModel"]
