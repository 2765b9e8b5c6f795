"""Tiny real ONNX graphs in real bundles, whose answers numpy can compute independently."""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers

from pixlake.bundles.manifest import Preprocessing
from pixlake.errors import BadBundle
from pixlake.inference.loaded import load_bundle
from pixlake.lake import Work
from pixlake.messages import Batch, BatchRequest, Run
from pixlake.rejects import Reject, decode
from pixlake.schemas import CLASSIFY_BATCH, EMBED_BATCH
from pixlake.settings import InferenceSettings

SIDE = 8
MEAN, STD = (0.5, 0.4, 0.3), (0.25, 0.5, 1.0)
WEIGHTS = np.array([[1, 0, 2, -1], [0, 1, -1, 3], [1, 1, 0, 0.5]], dtype=np.float32)
WORDS = ("[PAD]", "[UNK]", "red", "green", "blue", "square")
# a graph's inputs: element type and shape by name
Inputs = dict[str, tuple[int, list[str | int]]]
TOKEN_VECTORS = np.arange(24, dtype=np.float32).reshape(6, 4) / 10 - 1


def preprocessing(**changes: Any) -> dict[str, Any]:
    spec = {
        "width": SIDE,
        "height": SIDE,
        "resize": "squash",
        "interpolation": "bicubic",
        "background": [255, 255, 255],
        "mean": list(MEAN),
        "std": list(STD),
    }
    return {**spec, **changes}


def spec(**changes: Any) -> Preprocessing:
    """The same, parsed."""
    return msgspec.convert(preprocessing(**changes), Preprocessing)


def image_input(**changes: Any) -> dict[str, Any]:
    return {"type": "image", "tensor": "image", "preprocessing": preprocessing(), "missing": "refuse", **changes}


def graph(nodes: list[Any], inputs: Inputs, output: str, constants: Mapping[str, Any]) -> bytes:
    """An ONNX model; `inputs` maps a name to its element type and shape."""
    made = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", None])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def image_graph(weights: np.ndarray = WEIGHTS, side: int = SIDE) -> bytes:
    """The mean of each channel, times `weights`: `[n, 3, side, side]` to `[n, weights.shape[1]]`."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["answer"]),
    ]
    return graph(nodes, {"image": (TensorProto.FLOAT, ["n", 3, side, side])}, "answer", {"weights": weights})


def text_graph() -> bytes:
    """The mean of the tokens' vectors, padding included."""
    nodes = [
        helper.make_node("Gather", ["vectors", "tokens"], ["found"]),
        helper.make_node("ReduceMean", ["found"], ["answer"], axes=[1], keepdims=0),
    ]
    return graph(nodes, {"tokens": (TensorProto.INT64, ["n", 4])}, "answer", {"vectors": TOKEN_VECTORS})


def tokenizer() -> bytes:
    made = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return made.to_str().encode()


@dataclass
class BundleLake:
    """A lake in a folder, with what a test puts into it."""

    folder: Path
    settings: InferenceSettings = field(init=False)
    run: Run = field(init=False)

    def __post_init__(self) -> None:
        self.settings = InferenceSettings(lake_uri=self.folder.as_uri(), inference_batch=3, inference_threads=2)
        self.run = Run("run-1", "pets", "s3://up/a.zip", "0" * 16, "2026-01-02T03:04:05Z", "2026-01-02T03:05:00Z")

    @property
    def uri(self) -> str:
        return self.folder.as_uri()

    @property
    def work(self) -> Work:
        return Work(self.uri, self.run.execution_id)

    def bundle(self, name: str, files: dict[str, bytes], **manifest: Any) -> str:
        """Write a bundle and return `name@version`."""
        folder = self.folder / "models" / name
        folder.mkdir(parents=True, exist_ok=True)
        digests = {file: hashlib.sha256(data).hexdigest() for file, data in files.items()}
        text = json.dumps({"format": 1, "name": name, "files": digests, "source": {"origin": "a test"}, **manifest})
        for file, data in {**files, "bundle.json": text.encode()}.items():
            (folder / file).write_bytes(data)
        return f"{name}@{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def embedder(self, name: str = "tiny", **changes: Any) -> str:
        """An embedder with a text tower, unless `changes` say otherwise."""
        text = {
            "graph": "text.onnx",
            "input": {"type": "text", "tensor": "tokens", "tokenizer": "tokenizer.json", "length": 4, "pad": 0},
            "output": {"tensor": "answer", "activation": "normalize"},
        }
        manifest = {
            "kind": "embedder",
            "dimensions": 4,
            "inputs": [image_input()],
            "graph": "image.onnx",
            "output": {"tensor": "answer", "activation": "none"},
            "text": text,
        }
        files = {"image.onnx": image_graph(), "text.onnx": text_graph(), "tokenizer.json": tokenizer()}
        return self.bundle(name, changes.pop("files", files), **{**manifest, **changes})

    def classifier(
        self, name: str, graph: bytes, inputs: list[Any], files: dict[str, bytes] | None = None, **changes: Any
    ) -> str:
        """A classifier of three colors with softmax, unless `changes` say otherwise."""
        manifest = {
            "kind": "record_classifier",
            "problem": "multiclass",
            "labels": ["red", "green", "blue"],
            "inputs": inputs,
            "graph": "model.onnx",
            "output": {"tensor": "answer", "activation": "softmax"},
        }
        return self.bundle(name, {"model.onnx": graph, **(files or {})}, **{**manifest, **changes})

    def put(self, name: str, data: bytes) -> str:
        """Store an image; its URI."""
        path = self.folder / "images" / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return f"file://{path}"

    def request(self, task: str, model: str, rows: list[dict[str, Any]], modality: str = "image") -> BatchRequest:
        """Write a batch as Split does, and ask for it."""
        schema = EMBED_BATCH if task == "embed" else CLASSIFY_BATCH
        path = self.folder / "work" / self.run.execution_id / "batches" / f"{task}-0.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
        return BatchRequest(self.run, Batch(f"{task}-0", task, modality, model, len(rows), 0))

    def images(self, *names: str) -> list[dict[str, Any]]:
        """Rows of a batch to embed, of images that were put."""
        uris = {name: f"file://{self.folder}/images/pets/{name}" for name in names}
        return [{"image_path": name, "image_uri": uri, "record_id": None} for name, uri in uris.items()]

    def part(self, table: str, batch_id: str) -> pa.Table:
        return pq.read_table(self.work.part(table, batch_id).removeprefix("file://"))

    def rejects(self, stage: str) -> list[Reject]:
        path = Path(self.work.rejects(stage, f"{stage}-0").removeprefix("file://"))
        return decode(path.read_bytes()) if path.exists() else []


def encode(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """An image as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def refused(lake: BundleLake, model: str = "tiny") -> str:
    """Why a bundle is not loaded."""
    with pytest.raises(BadBundle) as caught:
        load_bundle(lake.uri, model, 1)
    assert model.partition("@")[0] in str(caught.value)
    return str(caught.value)
