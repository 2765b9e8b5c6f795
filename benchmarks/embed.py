"""The share of the cores' speed that ONNX Runtime uses, and the share of that for encoded images from a lake.

The model is the image tower of ViT-B/32 with random weights. The images are photograph-like JPEGs of one megapixel,
made here. The limit of the speed is the best of many matrix products by OpenBLAS in the shapes of the model's layers.
The model is measured on ready tensors: by ONNX Runtime alone, before and after `embed()` in the same run, and as
`embed()` runs it. The bundle is as `models push` writes it.

    python -m benchmarks.embed --images 512
"""

import functools
import hashlib
import io
import json
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean

import click
import numpy as np
import onnxruntime as ort
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageFilter
from rich.console import Console
from rich.table import Table

from benchmarks.transformer import SIDE, VIT_B_32, Size, vision_transformer
from pixlake.bundles.folders import open_folder
from pixlake.bundles.manifest import version
from pixlake.cores import available_cores
from pixlake.inference.batches import SESSION_THREADS
from pixlake.inference.embedder import Embedder
from pixlake.inference.loaded import load_embedder
from pixlake.lake import Work
from pixlake.messages import Batch, BatchRequest, Run
from pixlake.schemas import EMBED_BATCH
from pixlake.settings import InferenceSettings
from pixlake.steps.embed import embed
from pixlake_models.exporting.weights import split_graph

BATCH = 32
LIMIT, PRODUCTS_LIMIT = "(>= 80 %)", "(>= 90 %)"


@dataclass(frozen=True)
class Cost:
    """The time of one image: by the clock, and on the cores (less disturbed by other processes)."""

    seconds: float
    core_seconds: float


@dataclass(frozen=True)
class Costs:
    """The costs of matrix products, of bare ONNX Runtime, of the model as `embed()` runs it, and of `embed()`; a JPEG's
    mean size, and the peak memory with `embed()`, in bytes."""

    products: Cost
    bare: Cost
    model: Cost
    whole: Cost
    mean_bytes: int
    peak: int


def write_bundle(folder: Path, size: Size = VIT_B_32) -> str:
    """Put the model into a lake's `models/`; returns its name."""
    graph, weights = split_graph(vision_transformer(size), "image.onnx.data")
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
        "name": size.name,
        "kind": "embedder",
        "dimensions": size.dimensions,
        "inputs": [{"type": "image", "tensor": "image", "preprocessing": preprocessing}],
        "graph": "image.onnx",
        "output": {"tensor": "embedding", "activation": "normalize"},
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        "source": {"origin": "benchmarks/embed.py"},
    }
    document = json.dumps(manifest).encode()
    home = folder / "models" / size.name
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
    """Put JPEGs and their batch into the lake; returns the request, and the JPEGs' mean size in bytes."""
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
    """Write the inputs of a run into a folder."""
    name = write_bundle(folder)
    return write_batch(folder, open_folder(f"file://{folder}", name).model, images, size)


def cost(images: int, work: Callable[[], object]) -> Cost:
    """Time and processor time for an image of `images`."""
    start, cores = time.perf_counter(), core_seconds()
    work()
    return Cost((time.perf_counter() - start) / images, (core_seconds() - cores) / images)


def core_seconds() -> float:
    """Of this process and those below it, such as the ones that decode, ended ones included."""
    process = psutil.Process()
    return sum(sum(each.cpu_times()[:4]) for each in (process, *process.children(recursive=True)))


@functools.cache
def bare_session(graph: Path, threads: int) -> ort.InferenceSession:
    """ONNX Runtime with its own defaults, except the number of threads."""
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


def model_cost(embedder: Embedder, threads: int, images: int) -> Cost:
    """The model as `embed()` runs it, a group of images on each core, on tensors that are ready."""
    group = list(np.random.default_rng(1).standard_normal((BATCH // threads, 3, SIDE, SIDE)).astype(np.float32))
    groups = [group] * max(1, images // len(group))
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(embedder.embed_tensors, groups[:threads]))
        return cost(len(groups) * len(group), lambda: list(pool.map(embedder.embed_tensors, groups)))


def mean(costs: Sequence[Cost]) -> Cost:
    return Cost(fmean(each.seconds for each in costs), fmean(each.core_seconds for each in costs))


def product_cost() -> Cost:
    """The time of an image's floating point operations as matrix products alone, on all cores that OpenBLAS uses."""
    random, best = np.random.default_rng(2), Cost(np.inf, np.inf)
    tokens, width, mlp = BATCH * VIT_B_32.tokens, VIT_B_32.width, VIT_B_32.mlp
    shapes = [(tokens, width, mlp), (tokens, mlp, width), (2048, 2048, 2048)]
    for rows, inner, columns in shapes:
        left, right = (random.standard_normal(shape).astype(np.float32) for shape in ((rows, inner), (inner, columns)))
        share = VIT_B_32.flop / (2 * rows * inner * columns)
        for _ in range(20):
            each = cost(1, functools.partial(np.matmul, left, right))
            best = min(best, Cost(each.seconds * share, each.core_seconds * share), key=lambda found: found.seconds)
    return best


def measure(images: int, size: tuple[int, int], threads: int) -> Costs:
    """Preparation and ONNX Runtime alone have a process of their own: the peak memory of this one is `embed()`'s."""
    with tempfile.TemporaryDirectory() as temporary, ProcessPoolExecutor(1, get_context("spawn")) as other:
        folder = Path(temporary)
        request, mean_bytes = other.submit(prepare, folder, images, size).result()
        (graph,) = (folder / "models").rglob("image.onnx")
        half = (graph, threads, images // 2)
        settings = InferenceSettings(f"file://{folder}", inference_threads=threads)
        embedder = load_embedder(settings.lake_uri, request.batch.model, SESSION_THREADS)
        products, bare = [other.submit(product_cost).result()], [other.submit(bare_cost, *half).result()]
        whole = cost(images, lambda: embed(request, settings))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        model = model_cost(embedder, threads, images)
        bare.append(other.submit(bare_cost, *half).result())
        products.append(other.submit(product_cost).result())
    return Costs(min(products, key=lambda found: found.seconds), mean(bare), model, whole, mean_bytes, peak)


@click.command()
@click.option("--images", default=512, show_default=True, help="How many to embed.")
@click.option("--size", default=(1152, 864), show_default=True, type=(int, int), help="Width and height of an image.")
@click.option("--threads", default=0, show_default=True, help="Cores to use; 0 for all.")
def main(images: int, size: tuple[int, int], threads: int) -> None:
    costs = measure(images, size, threads or available_cores())
    table = Table(title=f"embed: {images} JPEGs of {size[0]} x {size[1]}, {costs.mean_bytes / 1024:.0f} KiB each")
    for column in ("", "images/s", "core-seconds an image", "share of products", "of ONNX Runtime"):
        table.add_column(column, justify="right" if column else "left")
    lines = [
        (f"OpenBLAS, {VIT_B_32.flop / 1e9:.1f} GFLOP an image in products", costs.products, "", ""),
        ("bare ONNX Runtime, ready tensors", costs.bare, "", ""),
        ("the model as embed() runs it, ready tensors", costs.model, PRODUCTS_LIMIT, ""),
        ("embed(), encoded images to a part", costs.whole, "", LIMIT),
    ]
    for name, each, *limits in lines:
        peers = zip((costs.products, costs.bare), limits, strict=True)
        shares = [f"{100 * peer.seconds / each.seconds:.0f} % {limit}".strip() for peer, limit in peers]
        table.add_row(name, f"{1 / each.seconds:.1f}", f"{each.core_seconds:.3f}", *shares)
    Console(width=120).print(table)
    print(f"peak memory of the process that embeds, model loaded: {costs.peak >> 20} MiB (limit 1,024)")


if __name__ == "__main__":
    main()
