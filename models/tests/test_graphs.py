"""A graph holds what depends on its inputs, in standard operators alone."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import helper, numpy_helper

from pixlake.errors import NotServable
from pixlake_models.exporting.graphs import export_graph, simplify


class Scaled(torch.nn.Module):
    """A product with weights that are scaled at each call."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values @ (self.weight.T * 2)


def test_constants_are_folded_at_export() -> None:
    graph = export_graph(Scaled(), {"values": torch.zeros(2, 3)}, "output")
    model = onnx.load_from_string(graph)
    assert [node.op_type for node in model.graph.node] == ["MatMul"]
    assert [each.domain for each in model.opset_import] == [""]
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"values": np.ones((5, 3), np.float32)})
    np.testing.assert_array_equal(answer, [[6, 24]] * 5)


def test_every_shape_is_written_down() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Sigmoid(), torch.nn.Linear(4, 2))
    model = onnx.load_from_string(export_graph(network, {"values": torch.zeros(2, 3)}, "output"))
    shapes = {each.name: each.type.tensor_type.shape.dim for each in model.graph.value_info}
    between = {name for node in model.graph.node for name in node.output} - {"output"}
    assert shapes.keys() == between
    assert all([dim.dim_param or dim.dim_value for dim in dims] == ["rows", 4] for dims in shapes.values())


def made(node: onnx.NodeProto, *domains: str) -> bytes:
    """A graph of one node, which makes `y` of `x`."""
    values = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n"]) for name in ("x", "y")]
    size = numpy_helper.from_array(np.array([1_000_000]), "size")
    opsets = [helper.make_opsetid("", 18), *(helper.make_opsetid(domain, 1) for domain in domains)]
    zeros = helper.make_node("ConstantOfShape", ["size"], ["zeros"])
    graph = helper.make_graph([zeros, node], "made", values[:1], values[1:], [size])
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString())


def test_a_constant_that_would_grow_is_not_folded() -> None:
    graph = simplify(made(helper.make_node("Add", ["x", "zeros"], ["y"])))
    assert len(graph) < 1_000


def test_operators_of_one_runtime_are_refused() -> None:
    with pytest.raises(NotServable, match=r"operators that are not ONNX's own, of .*com\.microsoft"):
        simplify(made(helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft"), "com.microsoft"))


def test_bytes_that_are_no_graph_are_refused() -> None:
    with pytest.raises(NotServable, match="ONNX Runtime does not load the graph"):
        simplify(b"no graph")
