"""A classifier of images from labels in words. Imports onnx and `exporting` without its torch."""
