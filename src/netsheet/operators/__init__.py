"""Layers that only ONNX has: each operator says its shapes and equations once, as a formula."""
