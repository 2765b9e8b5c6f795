"""How much of the cores' speed ONNX Runtime uses, and how much of that is left when images come encoded from a lake.

The model is the image tower of ViT-B/32 (Dosovitskiy et al., https://arxiv.org/abs/2010.11929, table 1: 12 layers,
width 768, 12 heads, MLP 3072; patches of 32 at 224 pixels make 50 tokens, 4.4 G multiply-adds an image) with random
weights, which serve for speed. The images are photograph-like JPEGs of one megapixel, made here. The peer is
`InferenceSession.run` on ready tensors, taken before and after `embed()` in the same run; its own peer are matrix
products of OpenBLAS's in the shapes of the model's layers, the best of many. The bundle is as `models push` leaves it.

    python benchmarks/embed.py --images 512
"""

import functools
import hashlib
import io
import json
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import click
import numpy as np
import onnx
import onnxruntime as ort
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageFilter
from rich.console import Console
from rich.table import Table

from pixlake.inference.batches import SESSION_THREADS
from pixlake.inference.bundles import load_embedder
from pixlake.inference.embed import embed
from pixlake.inference.folders import open_folder
from pixlake.inference.graphs import available_threads
from pixlake.inference.manifest import version
from pixlake.lake import Work
from pixlake.messages import Batch, BatchRequest, Run
from pixlake.schemas import EMBED_BATCH
from pixlake.settings import InferenceSettings
from pixlake_models.weights import split_graph

BATCH = 32
LAYERS, WIDTH, HEADS, MLP, PATCH, SIDE, DIMENSIONS = 12, 768, 12, 3072, 32, 224, 512
MODEL, LIMIT, PRODUCTS_LIMIT = "vit-b-32-random", ">= 80 %", ">= 90 %"
TOKENS = (SIDE // PATCH) ** 2 + 1
FLOP = 2 * (
    LAYERS * (4 * TOKENS * WIDTH**2 + 2 * TOKENS * WIDTH * MLP + 2 * TOKENS**2 * WIDTH)
    + (TOKENS - 1) * 3 * PATCH**2 * WIDTH
    + WIDTH * DIMENSIONS
)
"""Of an image, all but the sums: 8.8 G."""


@dataclass(frozen=True)
class Cost:
    """What one image takes: time on the clock, and on the cores (which others on the machine disturb less)."""

    seconds: float
    core_seconds: float


class Tower:
    """Collects the nodes and weights of an ONNX graph."""

    def __init__(self, seed: int = 0) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._random = np.random.default_rng(seed)

    def op(self, kind: str, *inputs: str, **attributes: object) -> str:
        """Add a node; the name of its output."""
        output = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, value: NDArray[np.generic]) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def weight(self, *shape: int) -> str:
        """Normal values of the deviation that keeps activations in range."""
        return self.constant((self._random.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32))

    def shape(self, *axes: int) -> str:
        return self.constant(np.array(axes, dtype=np.int64))

    def linear(self, source: str, inputs: int, outputs: int) -> str:
        return self.op("Add", self.op("MatMul", source, self.weight(inputs, outputs)), self.weight(outputs))

    def norm(self, source: str) -> str:
        ones, zeros = self.constant(np.ones(WIDTH, np.float32)), self.constant(np.zeros(WIDTH, np.float32))
        return self.op("LayerNormalization", source, ones, zeros, axis=-1, epsilon=1e-5)

    def heads(self, source: str, order: list[int]) -> str:
        """`[n, tokens, width]` to a head each, its axes in `order`."""
        split = self.op("Reshape", source, self.shape(0, 0, HEADS, WIDTH // HEADS))
        return self.op("Transpose", split, perm=order)

    def attention(self, source: str) -> str:
        """Multi-head self-attention (Vaswani et al., https://arxiv.org/abs/1706.03762, 3.2)."""
        query, key, value = (self.linear(source, WIDTH, WIDTH) for _ in range(3))
        scale = self.constant(np.float32((WIDTH // HEADS) ** -0.5))
        scores = self.op("MatMul", self.heads(query, [0, 2, 1, 3]), self.heads(key, [0, 2, 3, 1]))
        shares = self.op("Softmax", self.op("Mul", scores, scale), axis=-1)
        mixed = self.op("MatMul", shares, self.heads(value, [0, 2, 1, 3]))
        joined = self.op("Reshape", self.op("Transpose", mixed, perm=[0, 2, 1, 3]), self.shape(0, 0, WIDTH))
        return self.linear(joined, WIDTH, WIDTH)

    def mlp(self, source: str) -> str:
        """Two layers with CLIP's sigmoid approximation of GELU between."""
        hidden = self.linear(source, WIDTH, MLP)
        gate = self.op("Sigmoid", self.op("Mul", hidden, self.constant(np.float32(1.702))))
        return self.linear(self.op("Mul", hidden, gate), MLP, WIDTH)


def vision_transformer() -> bytes:
    """The graph: `image` float32 `[n, 3, 224, 224]` to `embedding` `[n, 512]`."""
    tower = Tower()
    patches = tower.op("Conv", "image", tower.weight(WIDTH, 3, PATCH, PATCH), strides=[PATCH, PATCH])
    flat = tower.op("Transpose", tower.op("Reshape", patches, tower.shape(0, WIDTH, -1)), perm=[0, 2, 1])
    # the class token: as many as there are images, made from the first patch times zero
    first = tower.op("Slice", flat, tower.shape(0), tower.shape(1), tower.shape(1))
    blank = tower.op("Mul", first, tower.constant(np.float32(0)))
    state = tower.op("Concat", tower.op("Add", blank, tower.weight(WIDTH)), flat, axis=1)
    state = tower.norm(tower.op("Add", state, tower.weight(TOKENS, WIDTH)))
    for _ in range(LAYERS):
        state = tower.op("Add", state, tower.attention(tower.norm(state)))
        state = tower.op("Add", state, tower.mlp(tower.norm(state)))
    token = tower.op("Gather", tower.norm(state), tower.constant(np.array(0, dtype=np.int64)), axis=1)
    tower.nodes.append(helper.make_node("MatMul", [token, tower.weight(WIDTH, DIMENSIONS)], ["embedding"]))
    graph = helper.make_graph(
        tower.nodes,
        "vit_b_32",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", DIMENSIONS])],
        tower.weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    return bytes(model.SerializeToString())


def write_bundle(folder: Path) -> str:
    """Put the model into a lake's `models/`; its name."""
    graph, weights = split_graph(vision_transformer(), "image.onnx.data")
    files = {"image.onnx": graph, "image.onnx.data": weights}
    preprocessing = {
        "width": SIDE,
        "height": SIDE,
        "resize": "shortest",
        "interpolation": "bicubic",
        "background": [255, 255, 255],
        "mean": [0.48145466, 0.4578275, 0.40821073],
        "std": [0.26862954, 0.26130258, 0.27577711],
    }
    manifest = {
        "format": 1,
        "name": MODEL,
        "kind": "embedder",
        "dimensions": DIMENSIONS,
        "inputs": [{"type": "image", "tensor": "image", "preprocessing": preprocessing}],
        "graph": "image.onnx",
        "output": {"tensor": "embedding", "activation": "normalize"},
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        "source": {"origin": "benchmarks/embed.py"},
    }
    document = json.dumps(manifest).encode()
    home = folder / "models" / MODEL
    pushed = home / version(document)
    pushed.mkdir(parents=True)
    for name, data in {**files, "bundle.json": document}.items():
        (pushed / name).write_bytes(data)
    (home / "bundle.json").write_bytes(document)
    return home.name


def photograph(seed: int, size: tuple[int, int]) -> bytes:
    """A JPEG with detail at all scales, as photographs have: smooth areas, edges and grain."""
    random, (width, height) = np.random.default_rng(seed), size
    picture = Image.new("RGB", size)
    for cells, weight in ((8, 0.5), (32, 0.3), (256, 0.2)):
        noise = random.integers(0, 256, (cells * height // width, cells, 3), dtype=np.uint8)
        layer = Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)
        picture = layer if cells == 8 else Image.blend(picture, layer, weight)
    grain = Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))
    picture = Image.blend(picture, grain.filter(ImageFilter.BoxBlur(1)), 0.15)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def write_batch(folder: Path, model: str, images: int, size: tuple[int, int]) -> tuple[BatchRequest, int]:
    """Put JPEGs and their batch into the lake; the request, and the JPEGs' mean size in bytes."""
    run = Run("benchmark", "benchmark", "file:///none", "0" * 16, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z")
    rows, total = [], 0
    (folder / "images").mkdir()
    made = [photograph(seed, size) for seed in range(min(images, 32))]
    for index in range(images):
        path, data = folder / "images" / f"{index:06d}.jpg", made[index % len(made)]
        total += path.write_bytes(data)
        rows.append({"image_path": path.name, "image_uri": f"file://{path}", "record_id": None})
    uri = Work(f"file://{folder}", run.execution_id).batch("embed-0")
    target = Path(uri.removeprefix("file://"))
    target.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=EMBED_BATCH), target)
    return BatchRequest(run, Batch("embed-0", "embed", "image", model, images, total)), total // images


def prepare(folder: Path, images: int, size: tuple[int, int]) -> tuple[BatchRequest, int]:
    """Everything that a run needs, in a folder."""
    name = write_bundle(folder)
    return write_batch(folder, open_folder(f"file://{folder}", name).model, images, size)


def cost(images: int, work: Callable[[], object]) -> Cost:
    """Time and processor time for an image of `images`."""
    start, cores = time.perf_counter(), time.process_time()
    work()
    return Cost((time.perf_counter() - start) / images, (time.process_time() - cores) / images)


@functools.cache
def bare_session(graph: Path, threads: int) -> ort.InferenceSession:
    """ONNX Runtime with its own defaults, but for the number of threads."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    return ort.InferenceSession(graph, options, ["CPUExecutionProvider"])


def bare_cost(graph: Path, threads: int, images: int) -> Cost:
    """ONNX Runtime alone, on tensors that are ready."""
    session = bare_session(graph, threads)
    tensors = np.random.default_rng(1).standard_normal((BATCH, 3, SIDE, SIDE)).astype(np.float32)
    session.run(["embedding"], {"image": tensors})
    rounds = max(1, images // BATCH)
    return cost(rounds * BATCH, lambda: [session.run(["embedding"], {"image": tensors}) for _ in range(rounds)])


def product_cost() -> Cost:
    """What an image's floating point operations take as matrix products alone, on all cores that OpenBLAS takes."""
    random, best = np.random.default_rng(2), Cost(np.inf, np.inf)
    shapes = [(BATCH * TOKENS, WIDTH, MLP), (BATCH * TOKENS, MLP, WIDTH), (2048, 2048, 2048)]
    for rows, inner, columns in shapes:
        left, right = (random.standard_normal(shape).astype(np.float32) for shape in ((rows, inner), (inner, columns)))
        share = FLOP / (2 * rows * inner * columns)
        for _ in range(20):
            each = cost(1, functools.partial(np.matmul, left, right))
            best = min(best, Cost(each.seconds * share, each.core_seconds * share), key=lambda found: found.seconds)
    return best


def measure(images: int, size: tuple[int, int], threads: int) -> tuple[Cost, Cost, Cost, int]:
    """The costs of matrix products, of bare ONNX Runtime and of `embed()`, and the JPEGs' mean size.

    The peer and the preparation have a process of their own, so that the peak memory here is `embed()`'s.
    """
    with tempfile.TemporaryDirectory() as temporary, ProcessPoolExecutor(1, get_context("spawn")) as other:
        folder = Path(temporary)
        request, mean_bytes = other.submit(prepare, folder, images, size).result()
        (graph,) = (folder / "models").rglob("image.onnx")
        half = (graph, threads, images // 2)
        settings = InferenceSettings(f"file://{folder}", inference_threads=threads)
        load_embedder(settings.lake_uri, request.batch.model, SESSION_THREADS)
        products = [other.submit(product_cost).result()]
        before = other.submit(bare_cost, *half).result()
        whole = cost(images, lambda: embed(request, settings))
        after = other.submit(bare_cost, *half).result()
        products.append(other.submit(product_cost).result())
    bare = Cost((before.seconds + after.seconds) / 2, (before.core_seconds + after.core_seconds) / 2)
    return min(products, key=lambda found: found.seconds), bare, whole, mean_bytes


@click.command()
@click.option("--images", default=512, show_default=True, help="How many to embed.")
@click.option("--size", default=(1152, 864), show_default=True, type=(int, int), help="Width and height of an image.")
@click.option("--threads", default=0, show_default=True, help="Cores to use; 0 for all.")
def main(images: int, size: tuple[int, int], threads: int) -> None:
    products, bare, whole, mean_bytes = measure(images, size, threads or available_threads())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    table = Table(title=f"embed: {images} JPEGs of {size[0]} x {size[1]}, {mean_bytes / 1024:.0f} KiB each")
    for column in ("", "images/s", "core-seconds an image", "share of the line above", "limit"):
        table.add_column(column, justify="right" if column else "left")
    lines = [
        (f"OpenBLAS, {FLOP / 1e9:.1f} GFLOP an image in products", products, products, ""),
        ("bare ONNX Runtime, ready tensors", bare, products, PRODUCTS_LIMIT),
        ("embed(), encoded images to a part", whole, bare, LIMIT),
    ]
    for name, each, above, limit in lines:
        share = f"{100 * above.seconds / each.seconds:.0f} %" if limit else ""
        table.add_row(name, f"{1 / each.seconds:.1f}", f"{each.core_seconds:.3f}", share, limit)
    Console(width=110).print(table)
    print(f"peak memory of the process that embeds, model loaded: {peak:.0f} MiB (limit 1,024)")


if __name__ == "__main__":
    main()
