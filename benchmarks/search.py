"""The ten nearest of many vectors: by Pixlake's index, by faiss's flat index and by numpy, in one run.

The vectors are random unit vectors around some thousand centers, as embeddings of photographs are; queries are vectors
beside them. Each answer is compared with that of float64, and the run fails where one differs. `--share` is what a
condition on an attribute keeps of the images. faiss is not of this project's environment: `pip install faiss-cpu`, or
it is left out and said. With `--s3` the same vectors are then put into a lake in a bucket, and searched from there.

    python -m benchmarks.search --vectors 1000000
    python -m benchmarks.search --vectors 100000 --s3
"""

import importlib.util
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyiceberg.table import Table as IcebergTable
from rich.console import Console
from rich.table import Table

from benchmarks.buckets import bucket_lake
from pixlake.cores import available_cores
from pixlake.iceberg.catalog import commit_rows, load_table, open_catalog
from pixlake.iceberg.lakes import Lake
from pixlake.schemas import EMBEDDINGS, PREDICTIONS, RECORDS
from pixlake.search.chosen import Chosen
from pixlake.search.resident import Embeddings, Resident
from pixlake.search.stored import read_batches
from pixlake.sql.images import choose_images

_DIMENSIONS, _COUNT, _CENTERS = 512, 10, 4_096
_COMMIT = 50_000  # vectors
_SHELVES = 1_000  # an attribute of records, which conditions are on
_MODEL = "random@0"
_CUT = 65_536  # vectors in float64
Floats = NDArray[np.float32]
Rows = NDArray[np.int64]


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
        "experiment_id": "benchmark", "model": _MODEL, "width": 640, "height": 480, "sha256": "0" * 64,
        "has_image": True, "label": "cat", "score": 0.5, "value": None, "modality": "image",
        "uploaded_at": now, "processed_at": now,
    }  # fmt: skip
    columns = {name: pa.repeat(pa.scalar(value), size) for name, value in same.items()}
    columns["image_path"] = pa.array(names)
    columns["record_id"] = pa.array([name.removesuffix(".jpg") for name in names])
    columns["image_paths"] = pa.array([[name] for name in names])
    columns["image_uri"] = pa.array([f"{lake.uri}/images/{name}" for name in names])
    columns["embedding"] = pa.ListArray.from_arrays(offsets, pa.array(vectors.reshape(-1)))
    columns["attributes"] = _shelves(start, size)
    columns["probabilities"] = pa.repeat(pa.scalar([("cat", 0.5)], pa.map_(pa.string(), pa.float64())), size)
    catalog = open_catalog(lake.uri, lake.catalog_uri)
    for table in (RECORDS, PREDICTIONS, EMBEDDINGS):
        rows = pa.table({field.name: columns[field.name].cast(field.type, safe=False) for field in table.columns})
        commit_rows(catalog, table.name, rows.cast(table.columns), f"c{start}")


def _shelves(start: int, size: int) -> pa.Array:
    """Each record's shelf, one of `_SHELVES`, scattered."""
    drawn = (np.arange(start, start + size) * 2_654_435_761) % 2**32 % _SHELVES
    rows = [[("shelf", str(shelf)), ("color", "red")] for shelf in drawn.tolist()]
    return pa.array(rows, pa.map_(pa.string(), pa.string()))


@dataclass(frozen=True)
class _Times:
    """Milliseconds of each query, warm: of the clock, and of all cores together."""

    clock: list[float]
    cores: list[float]


def _time(call: Callable[[Floats], object], queries: Floats) -> _Times:
    call(queries[0])
    found = [_time_one(call, query) for query in queries]
    return _Times([clock for clock, _ in found], [cores for _, cores in found])


def _time_one(call: Callable[[Floats], object], query: Floats) -> tuple[float, float]:
    clock, cores = time.perf_counter(), time.process_time()
    call(query)
    return 1e3 * (time.perf_counter() - clock), 1e3 * (time.process_time() - cores)


def _exact(everything: Floats, rows: Rows, query: Floats) -> list[int]:
    """Which of `rows` are the nearest, every product in float64."""
    wide = query.astype(np.float64)
    cuts = (rows[start : start + _CUT] for start in range(0, len(rows), _CUT))
    scores = np.concatenate([everything[some].astype(np.float64) @ wide for some in cuts])
    best = np.argpartition(-scores, 2 * _COUNT)[: 2 * _COUNT]
    return [int(rows[place]) for place in sorted(best.tolist(), key=lambda row: (-scores[row], row))[:_COUNT]]


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
    """A lake's vectors, indexed, with the seconds of that and of opening the index again."""

    table: IcebergTable
    embeddings: Embeddings
    indexing: float
    opening: float


def _open(lake: Lake, query: Floats) -> _Opened:
    table = load_table(open_catalog(lake.uri, lake.catalog_uri), "embeddings")
    start = time.perf_counter()
    _numbers(Resident(lake).read(), query)
    indexing = time.perf_counter() - start
    start = time.perf_counter()
    embeddings = Resident(lake).read()
    _numbers(embeddings, query)
    return _Opened(table, embeddings, indexing, time.perf_counter() - start)


def _time_reading(table: IcebergTable) -> float:
    """Seconds for all vectors from Parquet."""
    start = time.perf_counter()
    for _ in read_batches(table, None, ["image_path", "embedding"]):
        pass
    return time.perf_counter() - start


def _read(table: IcebergTable, vectors: int) -> Floats:
    everything = np.empty((vectors, _DIMENSIONS), np.float32)
    for batch in read_batches(table, None, ["image_path", "embedding"]):
        rows = [int(path[:8]) for path in batch["image_path"].to_pylist()]
        everything[rows] = batch["embedding"].flatten().to_numpy().reshape(-1, _DIMENSIONS)
    return everything


def _measure_there(lake: Lake, vectors: int, asked: Floats) -> None:
    found = _open(lake, asked[0])
    times = _time(lambda query: _numbers(found.embeddings, query), asked)
    click.echo(
        f"over S3: {statistics.median(times.clock):.1f} ms a search, median; reading the vectors from Parquet "
        f"{_time_reading(found.table):.1f} s; the first search, which makes the index: {found.indexing:.1f} s; the "
        f"first of a process with the index there: {found.opening:.2f} s"
    )
    _check(found, _read(found.table, vectors), asked)


@dataclass(frozen=True)
class _Filtered:
    """What a condition chooses, with the seconds of its evaluation, and of the first search of it after that."""

    chosen: Chosen
    evaluating: float
    first: float


def _filter(lake: Lake, embeddings: Embeddings, share: float, query: Floats) -> _Filtered:
    where = f"CAST(element_at(attributes, 'shelf') AS integer) < {share * _SHELVES}"
    start = time.perf_counter()
    chosen = choose_images(lake, _MODEL, None, where)
    evaluating = time.perf_counter() - start
    start = time.perf_counter()
    _numbers(embeddings, query, chosen)
    return _Filtered(chosen, evaluating, time.perf_counter() - start)


def _measure(lake: Lake, vectors: int, asked: Floats, share: float) -> None:
    found = _open(lake, asked[0])
    embeddings = found.embeddings
    filtered = _filter(lake, embeddings, share, asked[0])
    ours = _time(lambda query: _numbers(embeddings, query), asked)
    some = _time(lambda query: _numbers(embeddings, query, filtered.chosen), asked)
    mapped = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    everything = _read(found.table, vectors)
    times = {"Pixlake, exact": ours, f"the same of {share:.0%} of the images": some}
    times["numpy, float32 product and argpartition"] = _time(
        lambda query: np.argpartition(-(everything @ query), _COUNT), asked[:5]
    )
    if importlib.util.find_spec("faiss"):
        import faiss

        faiss.omp_set_num_threads(available_cores())
        flat = faiss.IndexFlatIP(_DIMENSIONS)
        flat.add(everything)
        times["faiss, IndexFlatIP"] = _time(lambda query: flat.search(query[None], _COUNT), asked)
    else:
        click.echo("NOT RUN: faiss, which is not installed")
    _print(times, vectors)
    click.echo(
        f"reading the vectors from Parquet: {_time_reading(found.table):.1f} s; the first search, which makes the "
        f"index: {found.indexing:.1f} s; the first of a process with the index there: {found.opening:.2f} s; peak RSS: "
        f"{mapped / 1024:,.0f} MB"
    )
    click.echo(
        f"a new condition: {filtered.evaluating:.1f} s until a process of its own has evaluated it; the first search "
        f"of what it chooses: {1e3 * filtered.first:.0f} ms"
    )
    _check(found, everything, asked)
    rows = np.sort([int(path[:8]) for path in filtered.chosen.paths["benchmark"].to_pylist()])
    _check(found, everything, asked, filtered.chosen, rows)


def _check(
    found: _Opened, everything: Floats, asked: Floats, chosen: Chosen | None = None, rows: Rows | None = None
) -> None:
    """End this process where an answer is not float64's, of all vectors or of these rows."""
    rows = np.arange(len(everything)) if rows is None else rows
    wrong = sum(_numbers(found.embeddings, query, chosen) != _exact(everything, rows, query) for query in asked)
    click.echo(f"answers among {len(rows):,} that differ from float64's: {wrong} of {len(asked)}")
    if wrong:
        raise SystemExit(1)


def _print(times: dict[str, _Times], vectors: int) -> None:
    grid = Table(
        "search",
        "ms, median",
        "ms, best",
        "ms of cores",
        "times ours",
        title=f"{vectors:,} x {_DIMENSIONS}, the ten best",
    )
    ours = statistics.median(times["Pixlake, exact"].clock)
    for name, found in times.items():
        clock, cores = statistics.median(found.clock), statistics.median(found.cores)
        grid.add_row(name, f"{clock:.1f}", f"{min(found.clock):.1f}", f"{cores:.1f}", f"{clock / ours:.2f}")
    Console().print(grid)


if __name__ == "__main__":
    main()
