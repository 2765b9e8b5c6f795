"""Keras' preprocessing in a bundle's words. Imports `exporting` and onnx, neither Keras nor torch."""
