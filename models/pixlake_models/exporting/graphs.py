"""Exports torch modules as ONNX graphs."""

import io
import tempfile
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import onnx
import onnxruntime as ort
import torch

from pixlake.errors import NotServable
from pixlake_models.exporting.shapes import infer_shapes

OPSET = 18
_GROWTH = 1.1


@contextmanager
def _traceable() -> Iterator[None]:
    """Without gradients, without torch's fused attention, which ONNX has no operator for, and without the tracer's
    warnings about Python values: a proof on rows shows whether the graph holds for others."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def export_graph(
    module: torch.nn.Module, inputs: Mapping[str, torch.Tensor], output: str, texts: Collection[str] = ()
) -> bytes:
    """`module`, called with the tensors in this order, as an ONNX graph for any number of rows.

    The rows are the first dimension of every input. Give at least two, since tracing may make one a constant.
    The second dimension of those named in `texts`, their tokens, is free too.
    """
    free = {name: {0: "rows", 1: "tokens"} if name in texts else {0: "rows"} for name in (*inputs, output)}
    target = io.BytesIO()
    with _traceable():
        torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            target,
            input_names=list(inputs),
            output_names=[output],
            dynamic_axes=free,
            opset_version=OPSET,
            dynamo=False,
        )
    return simplify(target.getvalue())


def simplify(graph: bytes) -> bytes:
    """The graph with its constants folded, without no-ops, and with every known shape of a tensor: inferring them at
    each start takes ONNX Runtime as long as the rest of loading.

    ONNX Runtime itself folds, at the level that writes standard operators only: the graph stays that of any runtime.
    Raises NotServable for a graph that it does not load, or with other operators.
    """
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.add_session_config_entry("session.disable_prepacking", "1")
    with tempfile.TemporaryDirectory() as scratch:
        written = Path(scratch) / "graph.onnx"
        options.optimized_model_filepath = str(written)
        try:
            ort.InferenceSession(graph, options, ["CPUExecutionProvider"])
        except Exception as error:  # its errors have no common base
            raise NotServable(f"ONNX Runtime does not load the graph: {error}") from error
        # a folded constant may be larger than its operands
        model = onnx.load(written) if written.stat().st_size < _GROWTH * len(graph) else onnx.load_from_string(graph)
    used = {node.domain for node in model.graph.node}
    if not used <= {""}:
        raise NotServable(f"the graph has operators that are not ONNX's own, of {sorted(used)}")
    standard = [each for each in model.opset_import if each.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(standard)
    model = infer_shapes(model)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
