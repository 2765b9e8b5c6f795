"""Small graphs of a tiny embedder's image tower that take all the time or memory that they get."""

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tests.builders.tiny import SIDE, graph

_ONE = numpy_helper.from_array(np.array([1], np.float32))


def endless_loop() -> bytes:
    """A Loop whose condition is true for ever; ONNX Runtime looks between its operators whether it is to end."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["given"], ["taken"])],
        "body",
        [
            helper.make_tensor_value_info("count", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("given", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("taken", TensorProto.FLOAT, None),
        ],
    )
    return _tower([helper.make_node("Loop", ["", "yes", "flat"], ["answer"], body=body)], {"yes": np.array(True)})


def endless_scan() -> bytes:
    """A Scan over so many elements of no size, which take no memory."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["given"], ["taken"])],
        "body",
        [
            helper.make_tensor_value_info("given", TensorProto.FLOAT, None),
            helper.make_tensor_value_info("each", TensorProto.FLOAT, [0]),
        ],
        [helper.make_tensor_value_info("taken", TensorProto.FLOAT, None)],
    )
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["many"], value=_ONE),
        helper.make_node("Scan", ["flat", "many"], ["answer"], body=body, num_scan_inputs=1),
    ]
    return _tower(nodes, {"shape": np.array([1 << 40, 0])})


def long_operator(boxes: int = 1_000_000) -> bytes:
    """One NonMaxSuppression, which compares each of the boxes with each, and does not look whether it is to end."""
    nodes = [
        helper.make_node("ConstantOfShape", ["boxes_shape"], ["boxes"], value=_ONE),
        helper.make_node("ConstantOfShape", ["scores_shape"], ["scores"], value=_ONE),
        helper.make_node("NonMaxSuppression", ["boxes", "scores", "most", "overlap"], ["chosen"]),
        helper.make_node("Cast", ["chosen"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["numbers"], ["sum"], keepdims=0),
        helper.make_node("Add", ["flat", "sum"], ["answer"]),
    ]
    constants = {
        "boxes_shape": np.array([1, boxes, 4]),
        "scores_shape": np.array([1, 1, boxes]),
        "most": np.array([boxes]),
        "overlap": np.array([1.0], np.float32),
    }
    return _tower(nodes, constants)


def large_tensor(floats: int) -> bytes:
    """Three times so many floats, out of a graph of some hundred bytes."""
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["huge"], value=_ONE),
        helper.make_node("ReduceSum", ["huge"], ["sum"], keepdims=0),
        helper.make_node("Add", ["flat", "sum"], ["answer"]),
    ]
    return _tower(nodes, {"shape": np.array([3, floats])})


def repeated(floats: int) -> bytes:
    """So many floats for each example."""
    nodes = [
        helper.make_node("ReduceMean", ["flat"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Expand", ["mean", "shape"], ["huge"]),
        helper.make_node("ReduceMax", ["huge"], ["most"], axes=[1], keepdims=1),
        helper.make_node("Add", ["flat", "most"], ["answer"]),
    ]
    return _tower(nodes, {"shape": np.array([1, floats])})


def large_matrices(side: int) -> bytes:
    """A product of two constant matrices, which ONNX Runtime computes when it loads the graph."""
    nodes = [
        helper.make_node("Expand", ["one", "shape"], ["matrix"]),
        helper.make_node("MatMul", ["matrix", "matrix"], ["product"]),
        helper.make_node("ReduceSum", ["product"], ["sum"], keepdims=0),
        helper.make_node("Add", ["flat", "sum"], ["answer"]),
    ]
    return _tower(nodes, {"one": np.ones([1, 1], np.float32), "shape": np.array([side, side])})


def _tower(nodes: list[Any], constants: dict[str, Any]) -> bytes:
    pooled = [
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
    ]
    return graph([*pooled, *nodes], {"image": (TensorProto.FLOAT, ["n", 3, SIDE, SIDE])}, "answer", constants)
