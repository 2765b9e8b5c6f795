"""Keras' preprocessing, as a bundle's. Imports `exporting` and onnx, neither Keras nor torch."""
