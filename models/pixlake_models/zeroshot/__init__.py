"""A classifier of images out of labels in words. Imports onnx and `exporting` without its torch."""
