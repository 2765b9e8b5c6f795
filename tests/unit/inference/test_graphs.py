"""A graph is what its bundle says of it, or is refused with both."""

from typing import Any

import onnx
import pytest
from PIL import Image

from pixlake.errors import BadBundle
from pixlake.inference.loaded import load_embedder
from tests.builders.tiny import (
    BundleLake,
    image_graph,
    image_input,
    preprocessing,
    refused,
    tokenizer,
)


def embedder_of(bundle_lake: BundleLake, graph: bytes, **changes: Any) -> str:
    return bundle_lake.embedder(files={"image.onnx": graph}, text=None, **changes)


def test_bytes_that_are_no_graph_are_refused(bundle_lake: BundleLake) -> None:
    embedder_of(bundle_lake, b"not a graph")
    assert "ONNX Runtime does not load the graph" in refused(bundle_lake)


def test_an_input_of_another_name_is_refused(bundle_lake: BundleLake) -> None:
    embedder_of(bundle_lake, image_graph(), inputs=[image_input(tensor="pixels")])
    assert "declares the inputs ['pixels'], the graph takes ['image']" in refused(bundle_lake)


def test_an_input_of_another_size_is_refused(bundle_lake: BundleLake) -> None:
    embedder_of(bundle_lake, image_graph(), inputs=[image_input(preprocessing=preprocessing(width=16))])
    assert "not float32 ['n', 3, 8, 16]" in refused(bundle_lake)


def test_an_input_of_another_type_is_refused(bundle_lake: BundleLake) -> None:
    files = {"image.onnx": image_graph(), "text.onnx": image_graph(), "tokenizer.json": tokenizer()}
    tower = {
        "graph": "text.onnx",
        "input": {"type": "text", "tensor": "image", "tokenizer": "tokenizer.json", "length": 4, "pad": 0},
        "output": {"tensor": "answer", "activation": "none"},
    }
    embedder = load_embedder(bundle_lake.uri, bundle_lake.embedder(files=files, text=tower), 1)
    with pytest.raises(BadBundle, match="not int64"):
        embedder.embed_texts(["red"])


def test_a_graph_with_a_fixed_batch_size_is_refused(bundle_lake: BundleLake) -> None:
    model = onnx.load_from_string(image_graph())
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    embedder_of(bundle_lake, model.SerializeToString())
    assert "the graph's input 'image'" in refused(bundle_lake)


def test_an_output_of_another_name_is_refused(bundle_lake: BundleLake) -> None:
    embedder_of(bundle_lake, image_graph(), output={"tensor": "logits", "activation": "none"})
    assert "no output 'logits', only ['answer']" in refused(bundle_lake)


def test_vectors_of_another_length_are_refused(bundle_lake: BundleLake) -> None:
    embedder = load_embedder(bundle_lake.uri, embedder_of(bundle_lake, image_graph(), dimensions=5), 1)
    with pytest.raises(BadBundle, match=r"answered \[1, 4\], not \[1, 5\]"):
        embedder.embed_images([Image.new("RGB", (8, 8))])
