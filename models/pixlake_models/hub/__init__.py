"""Bundles of ready ONNX models from a hub, in the layout that transformers.js and optimum share. Imports onnx,
huggingface_hub and `exporting` without its torch."""
