"""Bundles, decoding, preprocessing and ONNX Runtime, and the two steps that use them: `embed` and `classify`."""
