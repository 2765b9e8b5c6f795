"""The rows of the embeddings table, read a batch at a time, and which model's vectors are meant."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import pyarrow as pa
from pyiceberg.table import Table

from pixlake.errors import MissingObject
from pixlake.iceberg.existing import stream_alive
from pixlake.schemas import EMBEDDINGS


def read_batches(table: Table, experiment_id: str | None, columns: Iterable[str]) -> Iterator[pa.RecordBatch]:
    """The current rows, of one experiment or of all, without those that Athena's MERGE has marked as deleted."""
    return stream_alive(table, EMBEDDINGS, experiment_id, list(columns))


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
