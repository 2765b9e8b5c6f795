"""The rows of the embeddings table nearest to a vector, in one pass over its files, a batch in memory at a time."""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyiceberg.table import Table

from pixlake.errors import MissingObject
from pixlake.iceberg.existing import list_existing
from pixlake.schemas import EMBEDDINGS

_SHOWN = ("image_path", "record_id", "experiment_id", "image_uri")


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
        dead = file.dead(table.io)
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


def choose_model(models: Counter[str], wanted: str | None) -> str:
    """The model that made most vectors, of those that `wanted` (a name, or name@version) allows."""
    allowed = {model: count for model, count in models.items() if wanted in (None, model, model.partition("@")[0])}
    if not allowed:
        there = ", ".join(sorted(models)) or "none"
        raise MissingObject(f"no embeddings by the model {wanted}; there are embeddings by: {there}")
    return max(allowed, key=lambda model: (allowed[model], model))


def find_nearest(batches: Iterable[pa.RecordBatch], model: str, query: NDArray[np.float32], count: int) -> list[Hit]:
    """The `count` images with the greatest cosine to `query`, best first; all vectors have unit length.

    The batches have the columns model, embedding and those of a Hit.
    """
    best: list[Hit] = []
    for batch in batches:
        rows = batch.filter(pc.equal(batch.column("model"), model))
        scores = _cosines(rows.column("embedding"), query)
        candidates = np.flatnonzero(scores >= (best[-1].score if len(best) == count else -np.inf))
        candidates = candidates[np.argsort(-scores[candidates], kind="stable")[:count]]
        best = heapq.nsmallest(count, [*best, *_hits(rows, scores, candidates)], key=_rank)
    return best


def _cosines(vectors: pa.ListArray, query: NDArray[np.float32]) -> NDArray[np.float32]:
    matrix = vectors.flatten().to_numpy(zero_copy_only=False).reshape(len(vectors), len(query))
    scores: NDArray[np.float32] = matrix @ query
    return scores


def _hits(rows: pa.RecordBatch, scores: NDArray[np.float32], places: NDArray[np.intp]) -> Iterator[Hit]:
    for place, row in zip(places.tolist(), rows.select(list(_SHOWN)).take(pa.array(places)).to_pylist(), strict=True):
        yield Hit(score=float(scores[place]), **row)


def _rank(hit: Hit) -> tuple[float, str, str]:
    return -hit.score, hit.experiment_id, hit.image_path
