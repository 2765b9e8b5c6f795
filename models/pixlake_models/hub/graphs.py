"""A graph of transformers.js' or optimum's layout, with the one output that a bundle reads; needs only `onnx`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from pixlake.errors import NotServable

Pooling = Literal["none", "first", "mean"]
_FIRST = np.array(0, np.int64)


@dataclass(frozen=True)
class Read:
    """A graph's output to read, and how it becomes one vector: it is one, or the `first` or the `mean` of its
    places, which are `[n, places, channels]`, or `[n, channels, height, width]`."""

    tensor: str
    pooling: Pooling = "none"


@dataclass(frozen=True)
class Tower:
    """A graph, the inputs that it takes with their axes, and its output `[n, width]`; None is what it does not say."""

    graph: bytes
    inputs: dict[str, tuple[int | None, ...]]
    output: str
    width: int | None


def parse_graph(data: bytes, place: str) -> ModelProto:
    """NotServable for what is no ONNX graph."""
    try:
        return onnx.load_from_string(data)
    except Exception as error:  # protobuf's own
        raise NotServable(f"{place} is no ONNX graph: {error}") from error


def list_outputs(model: ModelProto) -> dict[str, tuple[int | None, ...]]:
    return {each.name: _axes(each) for each in model.graph.output}


def cut_tower(model: ModelProto, read: Read) -> Tower:
    """The graph with that output alone, pooled."""
    axes = list_outputs(model)[read.tensor]
    output, width = read.tensor, axes[-1] if axes else None
    kept = next(each for each in model.graph.output if each.name == read.tensor)
    if len(axes) == 4 or read.pooling != "none":
        width = axes[1] if len(axes) == 4 else width
        output = _free_name(model.graph, "pixlake_vector")
        nodes = _pool(read, output, spatial=len(axes) == 4)
        if read.pooling == "first":
            model.graph.initializer.append(numpy_helper.from_array(_FIRST, f"{output}/first"))
        model.graph.node.extend(nodes)
        kind = kept.type.tensor_type.elem_type
        kept = helper.make_tensor_value_info(output, kind or TensorProto.FLOAT, ["n", width])
    del model.graph.output[:]
    model.graph.output.append(kept)
    held = {each.name for each in model.graph.initializer}
    given = [each for each in model.graph.input if each.name not in held]
    for each in given:
        if each.type.tensor_type.elem_type == TensorProto.FLOAT16:
            _take_float32(model.graph, each)
    inputs = {each.name: _axes(each) for each in given}
    return Tower(model.SerializeToString(), inputs, output, width)


def _pool(read: Read, output: str, *, spatial: bool) -> Sequence[NodeProto]:
    """By operators that are the same in every opset."""
    if read.pooling == "first" and not spatial:
        return [helper.make_node("Gather", [read.tensor, f"{output}/first"], [output], name=output, axis=1)]
    turned, pooled = read.tensor, f"{output}/pooled"
    nodes = []
    if not spatial:
        turned = f"{output}/turned"
        nodes.append(helper.make_node("Transpose", [read.tensor], [turned], name=turned, perm=[0, 2, 1]))
    nodes.append(helper.make_node("GlobalAveragePool", [turned], [pooled], name=pooled))
    return [*nodes, helper.make_node("Flatten", [pooled], [output], name=output)]


def _take_float32(graph: GraphProto, given: ValueInfoProto) -> None:
    """Have the graph take this input, which it wants as float16, as a bundle gives it."""
    narrow = _free_name(graph, "pixlake_float16")
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == given.name:
                node.input[place] = narrow
    given.type.tensor_type.elem_type = TensorProto.FLOAT
    graph.node.insert(0, helper.make_node("Cast", [given.name], [narrow], name=narrow, to=TensorProto.FLOAT16))


def _axes(value: Any) -> tuple[int | None, ...]:
    return tuple(each.dim_value or None for each in value.type.tensor_type.shape.dim)


def _free_name(graph: GraphProto, name: str) -> str:
    taken = {each for node in graph.node for each in (*node.input, *node.output)}
    while any(each.startswith(name) for each in taken):
        name += "_"
    return name
