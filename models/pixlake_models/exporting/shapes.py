"""The shapes of a graph's tensors, without its weights' bytes being copied for them: onnx does so four times."""

import onnx

from pixlake_models.exporting.weights import LARGE_TENSOR


def infer_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with every shape that follows from its inputs', as `onnx.shape_inference` finds them. `model` loses the
    weights to it."""
    taken = [each.raw_data if len(each.raw_data) >= LARGE_TENSOR else None for each in model.graph.initializer]
    for each, data in zip(model.graph.initializer, taken, strict=True):
        if data is not None:
            each.ClearField("raw_data")
    inferred: onnx.ModelProto = onnx.shape_inference.infer_shapes(model, data_prop=True)
    for each, data in zip(inferred.graph.initializer, taken, strict=True):
        if data is not None:
            each.raw_data = data
    return inferred
