"""The rows of the embeddings table nearest to a vector, in one pass over its files, a batch in memory at a time."""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyiceberg.io import FileIO
from pyiceberg.table import Table

from pixlake.errors import MissingObject
from pixlake.iceberg.existing import ExistingFile, list_existing
from pixlake.schemas import EMBEDDINGS

_SHOWN = ("image_path", "record_id", "experiment_id", "image_uri")
COLUMNS = ("model", "embedding", *_SHOWN)

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Hit:
    """An image with its cosine to the query, between -1 and 1."""

    image_path: str
    score: float
    record_id: str | None
    experiment_id: str
    image_uri: str


def read_batches(table: Table, experiment_id: str | None, columns: Iterable[str]) -> Iterator[pa.RecordBatch]:
    """The current rows, of one experiment or of all, without those that Athena's MERGE has marked as deleted."""
    for file in list_existing(table, EMBEDDINGS, experiment_id):
        yield from read_file(file, table.io, columns)


def read_file(file: ExistingFile, io: FileIO, columns: Iterable[str]) -> Iterator[pa.RecordBatch]:
    """The current rows of one of its files."""
    dead = file.dead(io)
    start = 0
    for batch in file.rows.batches(list(columns)):
        alive = ~np.isin(np.arange(start, start + batch.num_rows), dead)
        start += batch.num_rows
        yield batch if alive.all() else batch.filter(pa.array(alive))


def count_models(batches: Iterable[pa.RecordBatch]) -> Counter[str]:
    """The number of vectors by each `name@version`, from batches with the column model."""
    models: Counter[str] = Counter()
    for batch in batches:
        for entry in batch.column("model").value_counts():
            models[entry["values"].as_py()] += entry["counts"].as_py()
    return models


def choose_model(models: Counter[str], wanted: str | None, where: str = "the table") -> str:
    """The model that made most vectors, of those that `wanted` (a name, or name@version) allows.

    MissingObject where none of them does, or where there are no vectors at all in `where`.
    """
    if not models:
        raise MissingObject(f"{where} has no embeddings yet: `pixlake run` with an embedder makes them")
    allowed = {model: count for model, count in models.items() if wanted in (None, model, model.partition("@")[0])}
    if not allowed:
        there = ", ".join(sorted(models))
        raise MissingObject(f"no embeddings by the model {wanted}; there are embeddings by: {there}")
    return max(allowed, key=lambda model: (allowed[model], model))


def find_nearest(batches: Iterable[pa.RecordBatch], model: str, query: Vector, count: int) -> list[Hit]:
    """The `count` images with the greatest cosine to `query`, best first; all vectors have unit length.

    The batches have COLUMNS.
    """
    mine = (batch.filter(pc.equal(batch.column("model"), model)) for batch in batches)
    return rank(((matrix(rows, len(query)), rows) for rows in mine), query, count)


def rank(blocks: Iterable[tuple[Vector, pa.RecordBatch | pa.Table]], query: Vector, count: int) -> list[Hit]:
    """The same of vectors as matrices, `[n, d]`, each with its images row by row; equals are sorted by their paths."""
    best: list[Hit] = []
    for vectors, images in blocks:
        scores = vectors @ query
        places = _best_places(scores, best[-1].score if len(best) == count else -np.inf, count)
        best = heapq.nsmallest(count, [*best, *_hits(images, scores, places)], key=_rank)
    return best


def matrix(rows: pa.RecordBatch, dimensions: int) -> Vector:
    """The vectors of a batch, float32 `[n, dimensions]`."""
    vectors: Vector = rows.column("embedding").flatten().to_numpy(zero_copy_only=False)
    return vectors.reshape(rows.num_rows, dimensions)


def _best_places(scores: Vector, least: float, count: int) -> NDArray[np.intp]:
    """The indices of the `count` greatest scores of at least `least`, greatest first; NaN is never among them."""
    if len(scores) > count:
        # NaN sorts last, and is never at least `least`
        least = max(least, -float(np.partition(-scores, count - 1)[count - 1]))
    candidates = np.flatnonzero(scores >= least)
    return candidates[np.argsort(-scores[candidates], kind="stable")[:count]]


def _hits(images: pa.RecordBatch | pa.Table, scores: Vector, places: NDArray[np.intp]) -> Iterator[Hit]:
    for place, row in zip(places.tolist(), images.select(list(_SHOWN)).take(pa.array(places)).to_pylist(), strict=True):
        yield Hit(score=float(scores[place]), **row)


def _rank(hit: Hit) -> tuple[float, str, str]:
    return -hit.score, hit.experiment_id, hit.image_path
