"""Rounds a network's weights so that its layers' outputs change least.

To the nearest is not best: what rounding does to a weight, those after it can take back, as far as their inputs go
together (Frantar et al. 2022, "GPTQ"). What is left shifts each output, for inputs behind a ReLU have means; the
layer's bias takes that back (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias
Correction"). Both go by inputs that are measured.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, numpy_helper

Values = NDArray[np.float32]
Matrix = NDArray[np.float64]
Levels = Callable[[NodeProto], int]
_LAYERS = ("Conv", "Gemm")
# of the inputs' mean variance, added to each, for inputs that never differ
_DAMPING = 0.01


@dataclass(frozen=True)
class Inputs:
    """What goes into a layer: each channel's mean, and the products of channels, on average over all places."""

    means: Matrix
    products: Matrix


def round_weights(model: onnx.ModelProto, examples: Iterable[Mapping[str, Values]], levels: Levels) -> None:
    """Change the weights and biases of convolutions and of matrix products with a bias. Each output has `levels` whole
    steps from zero to its greatest weight; a layer of 0 levels stays."""
    tensors = {each.name: each for each in model.graph.initializer}
    layers = [node for node in model.graph.node if _has_weights(node, tensors) and levels(node)]
    seen = _measure(model, {node.input[0] for node in layers}, examples)
    for node in layers:
        weights, bias = (numpy_helper.to_array(tensors[name]).astype(np.float64) for name in node.input[1:])
        rounded, shift = round_layer(weights, seen[node.input[0]], levels(node), _attribute(node, "group", 1))
        for name, values in zip(node.input[1:], (rounded, bias + shift), strict=True):
            tensors[name].CopyFrom(numpy_helper.from_array(values.astype(np.float32), name))


def round_layer(weights: Matrix, inputs: Inputs, levels: int, groups: int = 1) -> tuple[Matrix, Matrix]:
    """`weights`, outputs first, as multiples of each output's scale, and what its bias is to take back."""
    flat = weights.reshape(len(weights), -1)
    scales = np.abs(flat).max(axis=1) / levels
    scales[scales == 0] = 1
    pointwise = groups == 1 and flat.shape[1] == len(inputs.means)
    rounded = _round_in_turn(flat, inputs, scales, levels) if pointwise else _round(flat, scales)
    lost = (flat - rounded).reshape(groups, len(flat) // groups, weights.shape[1], -1).sum(axis=-1)
    return rounded.reshape(weights.shape), (lost * inputs.means.reshape(groups, 1, -1)).sum(axis=-1).reshape(-1)


def _round(values: Matrix, scales: Matrix) -> Matrix:
    return np.asarray(np.round(values / scales[:, None]) * scales[:, None])


def _round_in_turn(weights: Matrix, inputs: Inputs, scales: Matrix, levels: int) -> Matrix:
    """A channel at a time, for all outputs; those after it take its error back."""
    size = weights.shape[1]
    # about the means, which the bias takes back
    products = inputs.products - np.outer(inputs.means, inputs.means)
    damped = products + np.eye(size) * max(np.trace(products) / size, 1e-9) * _DAMPING
    factor = np.linalg.cholesky(np.linalg.inv(damped)).T
    left, rounded, greatest = weights.copy(), np.zeros_like(weights), np.abs(weights).argmax(axis=1)
    for channel in range(size):
        steps = np.clip(np.round(left[:, channel] / scales), -levels, levels)
        # the greatest keeps its place, for the scale is read off it
        exact = np.where(greatest == channel, weights[:, channel], steps * scales)
        rounded[:, channel] = exact
        left[:, channel + 1 :] -= np.outer(
            (left[:, channel] - exact) / factor[channel, channel], factor[channel, channel + 1 :]
        )
    return rounded


def _has_weights(node: NodeProto, tensors: Mapping[str, TensorProto]) -> bool:
    """Whether it has constant weights, outputs first, and a bias."""
    outputs_first = node.op_type == "Conv" or (
        _attribute(node, "transB", 0) == 1 and _attribute(node, "transA", 0) == 0 and _factors(node) <= {1.0}
    )
    return node.op_type in _LAYERS and outputs_first and len(node.input) == 3 and set(node.input[1:]) <= tensors.keys()


def _attribute(node: NodeProto, name: str, default: int) -> int:
    return next((each.i for each in node.attribute if each.name == name), default)


def _factors(node: NodeProto) -> set[float]:
    return {each.f for each in node.attribute if each.name in ("alpha", "beta")}


def _measure(
    model: onnx.ModelProto, names: Iterable[str], examples: Iterable[Mapping[str, Values]]
) -> dict[str, Inputs]:
    given = {each.name for each in model.graph.input}
    inner = sorted(set(names) - given)
    session = _show(model, inner)
    found: dict[str, list[Inputs]] = {name: [] for name in names}
    for feeds in examples:
        seen = {**feeds, **dict(zip(inner, session.run(inner, dict(feeds)), strict=True))}
        for name, parts in found.items():
            parts.append(_summarize(seen[name]))
    return {name: _average(parts) for name, parts in found.items()}


def _show(model: onnx.ModelProto, names: Sequence[str]) -> ort.InferenceSession:
    """A session that also answers with these tensors."""
    asked = onnx.ModelProto()
    asked.CopyFrom(model)
    asked.graph.output.extend(onnx.helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    return ort.InferenceSession(asked.SerializeToString(), providers=["CPUExecutionProvider"])


def _summarize(values: Values) -> Inputs:
    rows = np.moveaxis(values, 1, -1).reshape(-1, values.shape[1])
    return Inputs(rows.mean(axis=0, dtype=np.float64), (rows.T @ rows).astype(np.float64) / len(rows))


def _average(parts: Sequence[Inputs]) -> Inputs:
    means, products = ([getattr(each, name) for each in parts] for name in ("means", "products"))
    return Inputs(np.mean(means, axis=0), np.mean(products, axis=0))
