"""The ten nearest of many vectors: by Pixlake's index, by faiss's flat index and by numpy, in one run.

The vectors are random unit vectors around some thousand centers, as embeddings of photographs are; queries are vectors
beside them. Each answer is compared with that of float64, and the run fails where one differs. With `--share`, a
condition that keeps this share of the images. faiss is not of this project's environment: `pip install faiss-cpu`, or
it is left out and said. With `--s3` the same vectors are then put into a lake in a bucket, and searched from there.

    python -m benchmarks.search --vectors 1000000
    python -m benchmarks.search --vectors 100000 --s3
"""

import importlib.util
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.buckets import bucket_lake
from pixlake.cores import available_cores
from pixlake.iceberg.catalog import commit_rows, load_table, open_catalog
from pixlake.iceberg.lakes import Lake
from pixlake.schemas import EMBEDDINGS
from pixlake.search.chosen import Chosen
from pixlake.search.resident import Embeddings, Resident
from pixlake.search.stored import read_batches

_DIMENSIONS, _COUNT, _CENTERS = 512, 10, 4_096
_COMMIT = 50_000  # vectors
_MODEL = "random@0"
Floats = NDArray[np.float32]


def _draw(random: np.random.Generator, centers: Floats, count: int) -> Floats:
    vectors = centers[random.integers(len(centers), size=count)]
    vectors = vectors + random.normal(scale=0.7 / np.sqrt(_DIMENSIONS), size=vectors.shape).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def _commit(lake: Lake, vectors: Floats, start: int) -> None:
    now = pa.scalar(1_700_000_000_000_000, pa.timestamp("us", tz="UTC"))
    size = len(vectors)
    names = [f"{number:08d}.jpg" for number in range(start, start + size)]
    offsets = pa.array(np.arange(0, size * _DIMENSIONS + 1, _DIMENSIONS, dtype=np.int32))
    same = {
        "experiment_id": "benchmark", "record_id": None, "model": _MODEL, "width": 640, "height": 480,
        "sha256": "0" * 64, "uploaded_at": now, "processed_at": now,
    }  # fmt: skip
    columns = {name: pa.repeat(pa.scalar(value), size) for name, value in same.items()}
    columns |= {"image_path": pa.array(names), "image_uri": pa.array([f"{lake.uri}/images/{name}" for name in names])}
    columns["embedding"] = pa.ListArray.from_arrays(offsets, pa.array(vectors.reshape(-1)))
    rows = pa.table(
        {
            field.name: columns[field.name].cast(field.type, safe=False)
            if field.name != "embedding"
            else pa.chunked_array([columns["embedding"]]).cast(field.type)
            for field in EMBEDDINGS.columns
        }
    )
    commit_rows(open_catalog(lake.uri, lake.catalog_uri), "embeddings", rows.cast(EMBEDDINGS.columns), f"c{start}")


def _best_of(call: Callable[[Floats], object], queries: Floats) -> list[float]:
    """Milliseconds of each query, warm."""
    call(queries[0])
    found = []
    for query in queries:
        start = time.perf_counter()
        call(query)
        found.append(1e3 * (time.perf_counter() - start))
    return found


def _exact(blocks: Callable[[], Iterator[Floats]], query: Floats) -> list[int]:
    """The numbers of the nearest, every product in float64."""
    wide = query.astype(np.float64)
    scores = np.concatenate([block.astype(np.float64) @ wide for block in blocks()])
    best = np.argpartition(-scores, 2 * _COUNT)[: 2 * _COUNT]
    return sorted(best.tolist(), key=lambda row: (-scores[row], row))[:_COUNT]


def _numbers(embeddings: Embeddings, query: Floats, chosen: Chosen | None = None) -> list[int]:
    return [int(hit.image_path[:8]) for hit in embeddings.find_nearest(_MODEL, query, _COUNT, chosen)]


@click.command()
@click.option("--vectors", default=1_000_000, show_default=True)
@click.option("--queries", default=20, show_default=True)
@click.option("--share", default=0.01, show_default=True, help="Of the images that a condition keeps.")
@click.option("--folder", type=click.Path(path_type=Path), help="Keep the lake here, and use it again.")
@click.option("--s3", is_flag=True, help="Then also from a real S3 server, which Go builds once.")
def main(vectors: int, queries: int, share: float, folder: Path | None, s3: bool) -> None:
    random = np.random.default_rng(0)
    centers = random.normal(size=(_CENTERS, _DIMENSIONS)).astype(np.float32)
    centers /= np.linalg.norm(centers, axis=1, keepdims=True)
    asked = _draw(np.random.default_rng(1), centers, queries)
    with tempfile.TemporaryDirectory() as scratch:
        lake = Lake.at(str(folder or Path(scratch) / "lake"))
        if not (Path(str(lake.folder)) / "catalog.db").exists():
            _fill(lake, centers, vectors)
        _measure(lake, vectors, asked, share)
        if s3:
            with bucket_lake(Path(scratch) / "s3") as there:
                _fill(there, centers, vectors)
                _measure_there(there, vectors, asked)


def _fill(lake: Lake, centers: Floats, vectors: int) -> None:
    """The same vectors in every lake."""
    random = np.random.default_rng(3)
    for start in range(0, vectors, _COMMIT):
        _commit(lake, _draw(random, centers, min(_COMMIT, vectors - start)), start)


@dataclass(frozen=True)
class _Opened:
    """A lake's vectors, read and indexed, with the seconds of each and of opening the index again."""

    everything: Floats
    embeddings: Embeddings
    reading: float
    indexing: float
    opening: float


def _open(lake: Lake, vectors: int, query: Floats) -> _Opened:
    table = load_table(open_catalog(lake.uri, lake.catalog_uri), "embeddings")
    start = time.perf_counter()
    everything = np.empty((vectors, _DIMENSIONS), np.float32)
    for batch in read_batches(table, None, ["image_path", "embedding"]):
        rows = [int(path[:8]) for path in batch["image_path"].to_pylist()]
        everything[rows] = batch["embedding"].flatten().to_numpy().reshape(-1, _DIMENSIONS)
    reading = time.perf_counter() - start
    start = time.perf_counter()
    embeddings = Resident(lake).read()
    _numbers(embeddings, query)
    indexing = time.perf_counter() - start
    start = time.perf_counter()
    again = Resident(lake).read()
    _numbers(again, query)
    return _Opened(everything, embeddings, reading, indexing, time.perf_counter() - start)


def _measure_there(lake: Lake, vectors: int, asked: Floats) -> None:
    found = _open(lake, vectors, asked[0])
    times = _best_of(lambda query: _numbers(found.embeddings, query), asked)
    click.echo(
        f"over S3: {statistics.median(times):.1f} ms a search, median; reading the vectors from Parquet "
        f"{found.reading:.1f} s; the first search, which makes the index: {found.indexing:.1f} s; the first of a "
        f"process with the index there: {found.opening:.2f} s"
    )
    _check(found, asked)


def _measure(lake: Lake, vectors: int, asked: Floats, share: float) -> None:
    found = _open(lake, vectors, asked[0])
    everything, embeddings = found.everything, found.embeddings
    ours = _best_of(lambda query: _numbers(embeddings, query), asked)
    mapped = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = {"Pixlake, exact": ours}
    keys = np.random.default_rng(2).choice(vectors, int(vectors * share), replace=False)
    images = pa.table({"experiment_id": ["benchmark"] * len(keys), "image_path": [f"{key:08d}.jpg" for key in keys]})
    chosen = Chosen.of(images.to_batches())
    times[f"the same of {share:.0%} of the images"] = _best_of(lambda query: _numbers(embeddings, query, chosen), asked)
    times["numpy, float32 product and argpartition"] = _best_of(
        lambda query: np.argpartition(-(everything @ query), _COUNT), asked[:5]
    )
    if importlib.util.find_spec("faiss"):
        import faiss

        faiss.omp_set_num_threads(available_cores())
        flat = faiss.IndexFlatIP(_DIMENSIONS)
        flat.add(everything)
        times["faiss, IndexFlatIP"] = _best_of(lambda query: flat.search(query[None], _COUNT), asked)
    else:
        click.echo("NOT RUN: faiss, which is not installed")
    _print(times, vectors, found.reading, found.indexing, found.opening, mapped)
    _check(found, asked)


def _check(found: _Opened, asked: Floats) -> None:
    """End this process where an answer is not float64's."""
    blocks = [found.everything[at : at + 65_536] for at in range(0, len(found.everything), 65_536)]
    wrong = sum(_numbers(found.embeddings, query) != _exact(lambda: iter(blocks), query) for query in asked)
    click.echo(f"answers that differ from float64's: {wrong} of {len(asked)}")
    if wrong:
        raise SystemExit(1)


def _print(
    times: dict[str, list[float]], vectors: int, reading: float, indexing: float, opening: float, mapped: int
) -> None:
    grid = Table("search", "ms, median", "ms, best", "times ours", title=f"{vectors:,} x {_DIMENSIONS}, the ten best")
    ours = statistics.median(times["Pixlake, exact"])
    for name, found in times.items():
        median = statistics.median(found)
        grid.add_row(name, f"{median:.1f}", f"{min(found):.1f}", f"{median / ours:.1f}")
    Console().print(grid)
    click.echo(
        f"reading the vectors from Parquet: {reading:.1f} s; the first search, which makes the index: {indexing:.1f} s"
    )
    click.echo(
        f"the first search of a process with the index there: {opening:.2f} s; peak RSS, with the vectors twice: "
        f"{mapped / 1024:,.0f} MB"
    )


if __name__ == "__main__":
    main()
