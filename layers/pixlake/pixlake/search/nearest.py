"""The rows of the embeddings table nearest to a vector, in one pass over its files, a batch in memory at a time."""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
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
from pixlake.search.chosen import Chosen

_SHOWN = ("image_path", "record_id", "experiment_id", "image_uri")
COLUMNS = ("model", "embedding", *_SHOWN)

# candidates for each hit, of which near-duplicates are left out
_SPARE = 4

Vector = NDArray[np.float32]
Block = tuple[Vector, pa.RecordBatch | pa.Table]
"""Vectors of unit length, `[n, d]`, and their images row by row."""


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


def choose_model(
    models: Counter[str], wanted: str | None, where: str = "the table", fits: Callable[[str], bool] | None = None
) -> str:
    """The model that made most vectors, of those that `wanted` (a name, or name@version) allows; the first that `fits`,
    where one does.

    MissingObject where none of them does, or where there are no vectors at all in `where`.
    """
    if not models:
        raise MissingObject(f"{where} has no embeddings yet: `pixlake run` with an embedder makes them")
    allowed = {model: count for model, count in models.items() if wanted in (None, model, model.partition("@")[0])}
    if not allowed:
        there = ", ".join(sorted(models))
        raise MissingObject(f"no embeddings by the model {wanted}; there are embeddings by: {there}")
    ranked = sorted(allowed, key=lambda model: (allowed[model], model), reverse=True)
    return next(filter(fits, ranked), ranked[0]) if fits and len(ranked) > 1 else ranked[0]


def find_hits(
    blocks: Callable[[], Iterable[Block]], query: Vector, count: int, distinct: float | None = None
) -> list[Hit]:
    """The `count` images with the greatest cosine to `query`, best first, and where `distinct` is given none of that
    cosine to a better one.

    `distinct` is below 1. The blocks may be read several times.
    """
    return rank(blocks(), query, count) if distinct is None else rank_distinct(blocks, query, count, distinct)


def read_blocks(batches: Iterable[pa.RecordBatch], model: str) -> Iterator[Block]:
    """The vectors of one model, of unit length, from batches with COLUMNS."""
    for batch in batches:
        mine = batch.filter(pc.equal(batch.column("model"), model))
        if mine.num_rows:
            yield matrix(mine), mine


def keep(blocks: Iterable[Block], chosen: Chosen | None) -> Iterator[Block]:
    """The blocks with the images that were chosen, or as they are."""
    for vectors, images in blocks:
        marks = None if chosen is None else chosen.mark(images)
        if marks is None or marks.true_count == images.num_rows:
            yield vectors, images
        elif marks.true_count:
            yield vectors[marks.to_numpy(zero_copy_only=False)], images.filter(marks)


def rank(blocks: Iterable[Block], query: Vector, count: int) -> list[Hit]:
    """The `count` nearest of vectors with their images; equals are sorted by their paths."""
    return [hit for hit, _ in _rank(blocks, query, count)]


def rank_distinct(blocks: Callable[[], Iterable[Block]], query: Vector, count: int, threshold: float) -> list[Hit]:
    """The same without an image whose cosine to a better hit is at least `threshold`.

    Each pass over the blocks leaves out what is near the hits that are there already.
    """
    found: list[tuple[Hit, Vector]] = []
    while len(found) < count:
        candidates = _rank(_apart(blocks(), [vector for _, vector in found], threshold), query, _SPARE * count)
        for hit, vector in candidates:
            if all(vector @ other < threshold for _, other in found):
                found.append((hit, vector))
        if not candidates:
            break
    return [hit for hit, _ in found[:count]]


def _apart(blocks: Iterable[Block], found: list[Vector], threshold: float) -> Iterator[Block]:
    for vectors, images in blocks:
        apart = (vectors @ np.array(found).T < threshold).all(axis=1) if found else np.ones(len(vectors), np.bool_)
        yield vectors[apart], images.filter(pa.array(apart))


def _rank(blocks: Iterable[Block], query: Vector, count: int) -> list[tuple[Hit, Vector]]:
    best: list[tuple[Hit, Vector]] = []
    for vectors, images in blocks:
        scores = vectors @ query
        places = _best_places(scores, best[-1][0].score if len(best) == count else -np.inf, count)
        found = zip(_hits(images, scores, places), vectors[places], strict=True)
        best = heapq.nsmallest(count, [*best, *found], key=_order)
    return best


def matrix(rows: pa.RecordBatch) -> Vector:
    """The vectors of a batch of at least one row, float32 `[n, d]`."""
    vectors: Vector = rows.column("embedding").flatten().to_numpy(zero_copy_only=False)
    return vectors.reshape(rows.num_rows, -1)


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


def _order(found: tuple[Hit, Vector]) -> tuple[float, str, str]:
    hit, _ = found
    return -hit.score, hit.experiment_id, hit.image_path
