"""Shapes are found without the weights' bytes, and the weights stay."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from pixlake_models.exporting.shapes import infer_shapes
from pixlake_models.exporting.weights import LARGE_TENSOR

WIDTH = 64


def make_model() -> onnx.ModelProto:
    """A product with a large weight, reshaped by a small one."""
    weight = np.random.default_rng(0).standard_normal((WIDTH, WIDTH)).astype(np.float32)
    assert weight.nbytes >= LARGE_TENSOR
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["values", "weight"], ["product"]),
            helper.make_node("Reshape", ["product", "shape"], ["split"]),
            helper.make_node("Relu", ["split"], ["output"]),
        ],
        "shapes",
        [helper.make_tensor_value_info("values", TensorProto.FLOAT, ["n", WIDTH])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["n", 4, WIDTH // 4])],
        [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(np.array([0, 4, WIDTH // 4]), "shape")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def test_the_model_is_the_one_that_onnx_makes_with_all_weights() -> None:
    found = infer_shapes(make_model())
    assert found == onnx.shape_inference.infer_shapes(make_model(), data_prop=True)
    assert {each.name for each in found.graph.value_info} == {"product", "split"}
