"""What an image costs: counted in the graph, and timed on one core."""

import math
import time
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np
import onnx
import onnxruntime as ort

from pixlake.bundles.manifest import Cost, ImageInput
from pixlake_models.exporting.export import Candidate
from pixlake_models.exporting.shapes import infer_shapes

_CONVOLUTIONS, _PRODUCTS = {"Conv", "ConvInteger"}, {"MatMul", "MatMulInteger", "Gemm"}
_IMAGES = 4
_SECONDS = 2.0
_DIGITS = 2


def with_cost(candidate: Candidate) -> Candidate:
    """The candidate with `metrics.cost`, if it takes one image and nothing else."""
    inputs = candidate.manifest.inputs
    if len(inputs) != 1 or not isinstance(inputs[0], ImageInput) or inputs[0].stacked:
        return candidate
    graph = candidate.files[candidate.manifest.graph]
    cost = Cost(count_multiply_adds(graph), time_images(graph, inputs[0]))
    metrics = candidate.manifest.metrics | {"cost": msgspec.to_builtins(cost)}
    return replace(candidate, manifest=msgspec.structs.replace(candidate.manifest, metrics=metrics))


def count_multiply_adds(graph: bytes) -> int:
    """The multiplications of the graph's convolutions and matrix products for one example; other operators are few
    beside them."""
    model = onnx.load_from_string(graph)
    for given in model.graph.input:
        given.type.tensor_type.shape.dim[0].dim_value = 1
    del model.graph.value_info[:]
    for answer in model.graph.output:
        answer.type.tensor_type.ClearField("shape")
    shapes = _shapes(infer_shapes(model).graph)
    return sum(_multiply_adds(node, shapes) for node in model.graph.node)


def time_images(graph: bytes, image: ImageInput) -> float:
    """Images a second of one core's time, of which other programs take nothing away."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(graph, options, ["CPUExecutionProvider"])
    sides = image.preprocessing.height, image.preprocessing.width
    feeds = {image.tensor: np.zeros((_IMAGES, 3, *sides), np.float32)}
    session.run(None, feeds)  # the first run lays out memory
    runs, begun = 0, time.process_time()
    while (took := time.process_time() - begun) < _SECONDS or not runs:
        session.run(None, feeds)
        runs += 1
    return float(f"{runs * _IMAGES / took:.{_DIGITS}g}")


def _shapes(graph: onnx.GraphProto) -> dict[str, Sequence[int]]:
    """The tensors' shapes by name; an axis that is not known counts once."""
    typed = [*graph.input, *graph.output, *graph.value_info]
    found = {each.name: [axis.dim_value or 1 for axis in each.type.tensor_type.shape.dim] for each in typed}
    return found | {each.name: list(each.dims) for each in graph.initializer}


def _multiply_adds(node: onnx.NodeProto, shapes: dict[str, Sequence[int]]) -> int:
    if node.op_type not in _CONVOLUTIONS | _PRODUCTS:
        return 0
    left, right = (shapes.get(name, ()) for name in node.input[:2])
    answers = math.prod(shapes.get(node.output[0], ()))
    if node.op_type in _CONVOLUTIONS:
        return answers * math.prod(right[1:])  # of a weight [out, in / groups, height, width]
    transposed = any(each.name == "transA" and each.i for each in node.attribute)
    return answers * (left[0 if transposed else -1] if left else 1)
