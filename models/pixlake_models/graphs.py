"""ONNX graphs out of torch modules."""

import io
import warnings
from collections.abc import Mapping

import onnx
import torch

OPSET = 18


def export_graph(module: torch.nn.Module, inputs: Mapping[str, torch.Tensor], output: str) -> bytes:
    """`module`, called with the tensors in this order, as an ONNX graph for any number of rows.

    The rows are the first dimension of every input. Give two at least, since tracing may take one for a constant.
    """
    target = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of every Python value that the tracer sees; what holds, a proof shows
        torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            target,
            input_names=list(inputs),
            output_names=[output],
            dynamic_axes={name: {0: "rows"} for name in (*inputs, output)},
            opset_version=OPSET,
            dynamo=False,
        )
    onnx.checker.check_model(onnx.load_from_string(target.getvalue()))
    return target.getvalue()
