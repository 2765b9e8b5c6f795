"""Repositories of ready ONNX models as a hub has them, in the layout of transformers.js, around tiny graphs."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data
from onnxruntime.quantization import quantize_dynamic
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing

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


def clip(*, masked: bool = True, **config: Any) -> dict[str, bytes]:
    """Two towers of one space, each beside an output that is not to be read. A text's vector is the mean of its
    tokens'; without a mask padding counts, too."""
    settings = {
        "model_type": "clip",
        "projection_dim": 4,
        "text_config": {"max_position_embeddings": 6},
    }
    return {
        "config.json": json.dumps(settings | config).encode(),
        "preprocessor_config.json": processor(image_processor_type="CLIPImageProcessor"),
        "tokenizer.json": tokenizer(),
        "tokenizer_config.json": json.dumps({"pad_token": "[PAD]", "model_max_length": 1e30}).encode(),
        "onnx/vision_model.onnx": vision_graph(),
        "onnx/text_model.onnx": text_graph(masked=masked),
    }


def tokenizer() -> bytes:
    """Tiny's, which begins each text with `[UNK]`, as real ones do with a token of their own."""
    made = Tokenizer.from_str(tiny.tokenizer().decode())
    made.post_processor = TemplateProcessing(single="[UNK] $A", special_tokens=[("[UNK]", tiny.WORDS.index("[UNK]"))])
    return made.to_str().encode()


def vision_graph(weights: NDArray[np.float32] = tiny.WEIGHTS, output: str = "image_embeds") -> bytes:
    nodes = [*_image_nodes(output), helper.make_node("Neg", [output], ["last_hidden_state"])]
    outputs: dict[str, list[str | int | None]] = {
        "last_hidden_state": ["batch", 4],
        output: ["batch", weights.shape[1]],
    }
    return graph(nodes, PIXELS, outputs, {"weights": weights})


def keep_beside(path: str, location: str) -> dict[str, bytes]:
    """The graph of `dinov2` at `path`, with its weights in the file `location` beside it."""
    model = onnx.load_from_string(places_graph())
    weights = model.graph.initializer[0]
    data = weights.raw_data
    set_external_data(weights, location, offset=0, length=len(data))
    weights.ClearField("raw_data")
    return {path: model.SerializeToString(), f"{path.rpartition('/')[0]}/{location}": data}


def halved(model: bytes) -> bytes:
    """The graph in float16, its inputs and outputs, too."""
    found = onnx.load_from_string(model)
    for each in (*found.graph.input, *found.graph.output):
        each.type.tensor_type.elem_type = TensorProto.FLOAT16
    weights = found.graph.initializer[0]
    weights.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weights).astype(np.float16), weights.name))
    return bytes(found.SerializeToString())


def quantized(model: bytes) -> bytes:
    """The graph with 8-bit weights, and activations whose range is that of all that is asked at once."""
    with tempfile.TemporaryDirectory() as scratch:
        exact, made = Path(scratch, "exact.onnx"), Path(scratch, "made.onnx")
        exact.write_bytes(model)
        quantize_dynamic(exact, made, op_types_to_quantize=["MatMul"])
        return made.read_bytes()


def text_graph(*, masked: bool = True) -> bytes:
    shape = ["batch", "length"]
    names = ("input_ids", "attention_mask")[: 1 + masked]
    inputs: Shapes = dict.fromkeys(names, (TensorProto.INT64, shape))
    nodes = [
        helper.make_node("Gather", ["vectors", "input_ids"], ["last_hidden_state"]),
        helper.make_node("ReduceMean", ["last_hidden_state"], ["text_embeds"], axes=[1], keepdims=0),
    ]
    if masked:
        nodes[1:] = [
            helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["mask", "last"], ["weights"]),
            helper.make_node("Mul", ["last_hidden_state", "weights"], ["kept"]),
            helper.make_node("ReduceSum", ["kept", "places"], ["text_embeds"], keepdims=0),
        ]
    constants = {"vectors": tiny.TOKEN_VECTORS} | ({"last": np.array([2]), "places": np.array([1])} if masked else {})
    outputs: dict[str, list[str | int | None]] = {"last_hidden_state": [*shape, 4], "text_embeds": ["batch", 4]}
    return graph(nodes, inputs, outputs, constants)


def classifier(labels: Mapping[str, str], **config: Any) -> dict[str, bytes]:
    """ImageNet's kind: a logit for each class."""
    settings = {"model_type": "vit", "architectures": ["ViTForImageClassification"], "id2label": labels}
    squashed = {"height": tiny.SIDE, "width": tiny.SIDE}
    return {
        "config.json": json.dumps(settings | config).encode(),
        "preprocessor_config.json": processor(
            image_processor_type="ViTImageProcessor", size=squashed, do_center_crop=False
        ),
        "onnx/model.onnx": vision_graph(output="logits"),
    }
