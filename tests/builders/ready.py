"""Repositories of ready ONNX models as a hub has them, in the layout of transformers.js, around tiny graphs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from tests.builders import tiny

Shapes = Mapping[str, tuple[int, Sequence[str | int | None]]]
PIXELS: Shapes = {"pixel_values": (TensorProto.FLOAT, ["batch", 3, "height", "width"])}
_CLASS = np.array([-1, 1, 4])


def processor(**changes: Any) -> bytes:
    """DINOv2's settings, of a smaller picture."""
    settings = {
        "image_processor_type": "BitImageProcessor",
        "do_resize": True,
        "size": {"shortest_edge": 9},
        "do_center_crop": True,
        "crop_size": {"height": tiny.SIDE, "width": tiny.SIDE},
        "resample": 3,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(tiny.MEAN),
        "image_std": list(tiny.STD),
    }
    return json.dumps(settings | changes).encode()


def dinov2() -> dict[str, bytes]:
    """Images alone; the vector is the first place's, and the other's is another."""
    config = {"model_type": "dinov2", "architectures": ["Dinov2Model"], "hidden_size": 4}
    return {
        "config.json": json.dumps(config).encode(),
        "preprocessor_config.json": processor(),
        "onnx/model.onnx": places_graph(),
    }


def places_graph() -> bytes:
    """`last_hidden_state`, `[n, 2, 4]`: tiny's vector, and its negative."""
    nodes = [
        *_image_nodes("vector"),
        helper.make_node("Reshape", ["vector", "one_place"], ["first"]),
        helper.make_node("Neg", ["first"], ["second"]),
        helper.make_node("Concat", ["first", "second"], ["last_hidden_state"], axis=1),
    ]
    constants = {"weights": tiny.WEIGHTS, "one_place": _CLASS}
    return graph(nodes, PIXELS, {"last_hidden_state": ["batch", "places", 4]}, constants)


def graph(
    nodes: list[NodeProto],
    inputs: Shapes,
    outputs: Mapping[str, Sequence[str | int | None]],
    constants: Mapping[str, NDArray[Any]],
) -> bytes:
    made = helper.make_graph(
        nodes,
        "ready",
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _image_nodes(output: str) -> list[NodeProto]:
    return [
        helper.make_node("GlobalAveragePool", ["pixel_values"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], [output]),
    ]
