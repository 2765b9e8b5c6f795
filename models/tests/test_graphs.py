"""A graph holds what depends on its inputs, in standard operators alone."""

import numpy as np
import onnx
import onnxruntime as ort
import torch

from pixlake_models.graphs import export_graph


class Scaled(torch.nn.Module):
    """A product with weights that are scaled at each call."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values @ (self.weight.T * 2)


def test_what_is_constant_is_computed_at_export() -> None:
    graph = export_graph(Scaled(), {"values": torch.zeros(2, 3)}, "output")
    model = onnx.load_from_string(graph)
    assert [node.op_type for node in model.graph.node] == ["MatMul"]
    assert [each.domain for each in model.opset_import] == [""]
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {"values": np.ones((5, 3), np.float32)})
    np.testing.assert_array_equal(answer, [[6, 24]] * 5)
