"""Extends an embedder's graph to return a logit for each label; with `onnx` alone, for any exporter's graph."""

from collections.abc import Iterator

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

Vectors = NDArray[np.float64]
_PREFIX = "zero_shot"


def append_labels(graph: bytes, output: str, vectors: Vectors, *, scale: float, bias: float) -> tuple[bytes, str]:
    """The graph with `scale * cosine + bias` as its only output, and that output's name.

    `output` is the embedding, of any length; `vectors` `[labels, dimensions]` are of unit length. Tensors in a file
    beside the graph stay there. A zero embedding gives NaN logits.
    """
    model = onnx.load_from_string(graph)
    prefix = _free_prefix(model.graph)
    constants = {
        "ones": np.ones((vectors.shape[1], 1)),
        "labels": scale * vectors.T,
        "bias": np.full(1, bias, dtype=np.float64),
    }
    tensors = (numpy_helper.from_array(value, f"{prefix}/{name}") for name, value in constants.items())
    model.graph.initializer.extend(tensors)
    model.graph.node.extend(_nodes(output, prefix))
    answer = helper.make_tensor_value_info(f"{prefix}/logits", TensorProto.DOUBLE, [None, len(vectors)])
    del model.graph.output[:]
    model.graph.output.append(answer)
    return model.SerializeToString(), answer.name


def _nodes(embedding: str, prefix: str) -> Iterator[NodeProto]:
    """In float64, for `scale` would magnify the rounding of float32; and with operators that are the same in every
    opset, so that the length is a product with ones, not a ReduceL2."""

    def node(operator: str, inputs: list[str], output: str) -> NodeProto:
        return helper.make_node(operator, inputs, [output], name=output)

    vector, squares, square, length, unit, cosines, logits = (
        f"{prefix}/{name}" for name in ("vector", "squares", "square", "length", "unit", "cosines", "logits")
    )
    yield helper.make_node("Cast", [embedding], [vector], name=vector, to=TensorProto.DOUBLE)
    yield node("Mul", [vector, vector], squares)
    yield node("MatMul", [squares, f"{prefix}/ones"], square)
    yield node("Sqrt", [square], length)
    yield node("Div", [vector, length], unit)
    yield node("MatMul", [unit, f"{prefix}/labels"], cosines)
    yield node("Add", [cosines, f"{prefix}/bias"], logits)


def _free_prefix(graph: GraphProto) -> str:
    """A prefix of no name in the graph."""
    taken = {name for node in graph.node for name in (node.name, *node.input, *node.output)}
    prefix = _PREFIX
    while any(name.startswith(f"{prefix}/") for name in taken):
        prefix += "_"
    return prefix
