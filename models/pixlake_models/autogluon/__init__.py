"""A MultiModalPredictor compiled to ONNX, proved row by row against AutoGluon. Imports `exporting` and AutoGluon."""
