"""Quantized graphs: weights as float16, or weights and activations as 8-bit integers.

`halve` keeps the arithmetic: ONNX Runtime makes float32 of the weights once, as it loads them. It has few kernels that
compute in float16 on x86, and converts back and forth for the rest. `to_int8` chooses between two ways of ONNX
Runtime's own tools; docs/models-export.md has the measurements.
"""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from pixlake_models.quantizing.rounding import round_weights

Feeds = dict[str, NDArray[np.float32]]

_LARGE_TENSOR = 4 << 10
_GREATEST = float(np.finfo(np.float16).max)
_AT_ONCE = 4
# Weights of 7 bits: two products of 8 bits can exceed the 16 that processors without VNNI add them up in, and the
# answers there would differ from those measured here. Each output has a scale of its own.
_WEIGHTS: dict[str, Any] = {"weight_type": QuantType.QInt8, "reduce_range": True, "per_channel": True}
_PRODUCTS = ["MatMul", "Gemm"]
# ReLU6 is a Clip: quantized beside its convolution, the range is that behind it, not the wider one before
_CHAIN = [*_PRODUCTS, "Conv", "Clip"]
# A depthwise convolution's products are not added up in pairs, so its few weights keep 8 bits
_WHOLE = {"quant_type": QuantType.QInt8, "reduce_range": False, "symmetric": True, "axis": 0}
_LEVELS, _WHOLE_LEVELS = 64, 127


def halve(graph: bytes) -> bytes:
    """The graph with its larger float32 tensors kept as float16, except those with values beyond its range."""
    model = onnx.load_from_string(graph)
    casts = []
    for each in model.graph.initializer:
        if each.data_type != TensorProto.FLOAT or len(each.raw_data) < _LARGE_TENSOR:
            continue
        values = numpy_helper.to_array(each)
        if np.abs(values).max() <= _GREATEST:
            name, kept = each.name, f"{each.name}.float16"
            each.CopyFrom(numpy_helper.from_array(values.astype(np.float16), kept))
            casts.append(helper.make_node("Cast", [kept], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def to_int8(graph: bytes, tensor: str, examples: Sequence[NDArray[np.float32]]) -> bytes:
    """The graph with matrix products in 8-bit integers, and its convolutions where it is made of them.

    A transformer's activations have outliers that differ from token to token, so it is quantized dynamically; a
    convolutional network statically, calibrated on `examples` of the input `tensor`.
    """
    with tempfile.TemporaryDirectory() as scratch, _quiet():
        given, prepared, result = (Path(scratch) / f"{name}.onnx" for name in ("given", "prepared", "result"))
        # of a model in memory it takes the initializers out, also those that shapes are inferred from
        given.write_bytes(graph)
        quant_pre_process(given, prepared, skip_symbolic_shape=True)
        if examples and is_convolutional(model := onnx.load(prepared)):
            _quantize_with_ranges(model, prepared, result, _group(tensor, examples))
        else:
            constant = {"MatMulConstBOnly": True}
            quantize_dynamic(prepared, result, op_types_to_quantize=_PRODUCTS, extra_options=constant, **_WEIGHTS)
        return result.read_bytes()


def is_convolutional(model: onnx.ModelProto) -> bool:
    """Whether most of its weights are convolutions'."""
    sizes = {each.name: int(np.prod(each.dims)) for each in model.graph.initializer}
    kernels = {node.input[1] for node in model.graph.node if node.op_type == "Conv"}
    return 2 * sum(sizes.get(name, 0) for name in kernels) > sum(sizes.values())


def _group(tensor: str, examples: Sequence[NDArray[np.float32]]) -> list[Feeds]:
    """A few examples at a time, for a network's activations are many times their size."""
    starts = range(0, len(examples), _AT_ONCE)
    return [{tensor: np.stack(examples[start : start + _AT_ONCE])} for start in starts]


class _Examples(CalibrationDataReader):
    def __init__(self, groups: Sequence[Feeds]) -> None:
        self._groups = iter(groups)

    def get_next(self) -> Feeds | None:
        return next(self._groups, None)


def _quantize_with_ranges(model: onnx.ModelProto, corrected: Path, target: Path, groups: Sequence[Feeds]) -> None:
    """Statically, all but the first layer: it has three inputs a weight, where rounding costs most, and is cheap."""
    depthwise = {node.name: node.input[1] for node in model.graph.node if _is_depthwise(node)}
    first = _first_layers(model, groups[0])

    def levels(node: onnx.NodeProto) -> int:
        return 0 if node.name in first else _WHOLE_LEVELS if node.name in depthwise else _LEVELS

    round_weights(model, groups, levels)
    onnx.save(model, corrected)
    quantize_static(
        corrected,
        target,
        _Examples(groups),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        op_types_to_quantize=_CHAIN,
        nodes_to_exclude=first,
        extra_options={
            "MatMulConstBOnly": True,
            "TensorQuantOverrides": {name: [_WHOLE] for node, name in depthwise.items() if node not in first},
        },
        **_WEIGHTS,
    )


def _is_depthwise(node: onnx.NodeProto) -> bool:
    """Whether each output has one input."""
    return node.op_type == "Conv" and any(each.name == "group" and each.i > 1 for each in node.attribute)


def _first_layers(model: onnx.ModelProto, given: Feeds) -> list[str]:
    """The convolutions of the pictures themselves."""
    return [node.name for node in model.graph.node if node.op_type == "Conv" and node.input[0] in given]


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence its tools' advice to preprocess, which was done just before."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
